#include "search_space.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "glia/error.h"

namespace glia::classic {

// ---- Values -------------------------------------------------------------------------------------

double uniform53(data::Random& random) {
  const uint64_t high = random.bits();
  return static_cast<double>(high << 21 | random.bits() >> 11) * 0x1p-53;
}

void check_space(std::string_view op, const SearchSpace& space, Where where) {
  std::set<std::string> names;
  for (const Distribution& d : space) {
    const std::string fault = std::string(op) + ": " + d.name + " ";
    if (d.name.empty()) throw ValueError(fault + "a name is empty", where);
    if (!names.insert(d.name).second) throw ValueError(fault + "is there twice", where);
    if (!d.is_range()) continue;
    if (!(std::isfinite(d.low) && std::isfinite(d.high) && d.low <= d.high &&
          std::isfinite(d.high - d.low)))
      throw ValueError(fault + "has no range from " + to_text(ParamValue(d.low)) + " to " +
                           to_text(ParamValue(d.high)),
                       where);
    if (d.log && d.low <= 0)
      throw ValueError(fault + "has a logarithm from " + to_text(ParamValue(d.low)), where);
    if (d.integer && (d.low != std::floor(d.low) || d.high != std::floor(d.high) ||
                      std::abs(d.low) > 0x1p53 || std::abs(d.high) > 0x1p53))
      throw ValueError(fault + "is no range of whole numbers", where);
  }
}

ParamValue value_at(const Distribution& d, double number) {
  number = std::clamp(d.integer ? std::round(number) : number, d.low, d.high);
  return d.integer ? ParamValue(static_cast<int64_t>(number)) : ParamValue(number);
}

ParamValue draw(const Distribution& d, data::Random& random) {
  if (!d.is_range())
    return d.choices[static_cast<size_t>(random.below(static_cast<int64_t>(d.choices.size())))];
  const double half = d.integer ? 0.5 : 0;
  const double low = d.low - half, high = d.high + half, at = uniform53(random);
  if (!d.log) return value_at(d, low + at * (high - low));
  return value_at(d, std::exp(std::log(low) + at * (std::log(high) - std::log(low))));
}

Distribution categorical(const std::string& name, const std::vector<ParamValue>& choices,
                         Where where) {
  if (choices.empty()) throw ValueError("categorical: " + name + " has no choices", where);
  return {.name = name, .choices = choices};
}

Distribution float_range(const std::string& name, double low, double high, bool log, Where where) {
  Distribution d{.name = name, .low = low, .high = high, .log = log};
  check_space("float_range", {d}, where);
  return d;
}

Distribution int_range(const std::string& name, int64_t low, int64_t high, bool log, Where where) {
  Distribution d{.name = name,
                 .low = static_cast<double>(low),
                 .high = static_cast<double>(high),
                 .log = log,
                 .integer = true};
  check_space("int_range", {d}, where);
  return d;
}

// ---- Text ---------------------------------------------------------------------------------------

namespace {

constexpr std::string_view kLog = "log:", kTo = "..";

template <class T>
bool read(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

constexpr char kQuote = '\'';

ParamValue value_of(std::string_view text) {
  if (text.size() >= 2 && text.front() == kQuote && text.back() == kQuote)
    return std::string(text.substr(1, text.size() - 2));
  if (text == "none") return {};
  if (text == "true" || text == "false") return text == "true";
  int64_t whole = 0;
  if (read(text, whole)) return whole;
  double number = 0;
  if (read(text, number)) return number;
  return std::string(text);
}

// The parts between separators that are not in quotes.
std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  bool quoted = false;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == kQuote) quoted = !quoted;
    if (i < text.size() && (quoted || text[i] != separator)) continue;
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  return parts;
}

// A number that is read as no whole one.
std::string real_text(double value) {
  std::string text = to_text(ParamValue(value));
  if (text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

SearchSpace parse_space(std::string_view text, Where where) {
  const auto refuse = [&](std::string_view part, const std::string& fault) {
    throw ValueError("search space: '" + std::string(part) + "' " + fault, where);
  };
  SearchSpace space;
  if (text.empty()) return space;
  for (const std::string_view part : parts_of(text, ',')) {
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0)
      refuse(part, "is not NAME=VALUE|VALUE, NAME=LOW..HIGH or NAME=log:LOW..HIGH");
    Distribution d{.name = std::string(part.substr(0, equals))};
    std::string_view values = part.substr(equals + 1);
    d.log = values.starts_with(kLog);
    if (d.log) values.remove_prefix(kLog.size());
    const size_t to = values.find(kTo);
    double low = 0, high = 0;
    if (to != std::string_view::npos && read(values.substr(0, to), low) &&
        read(values.substr(to + kTo.size()), high)) {
      int64_t first = 0, last = 0;
      d.integer = read(values.substr(0, to), first) && read(values.substr(to + kTo.size()), last);
      d.low = low;
      d.high = high;
    } else if (d.log) {
      refuse(part, "has no range of numbers behind log:");
    } else {
      for (const std::string_view value : parts_of(values, '|')) {
        if (value.empty()) refuse(part, "has an empty value");
        d.choices.push_back(value_of(value));
      }
    }
    space.push_back(std::move(d));
  }
  check_space("search space", space, where);
  return space;
}

std::string to_text(const SearchSpace& space, Where where) {
  std::string text;
  for (const Distribution& d : space) {
    text += (text.empty() ? "" : ",") + d.name + "=";
    if (d.is_range()) {
      if (d.log) text += kLog;
      const auto written = [&](double end) {
        return d.integer ? to_text(ParamValue(static_cast<int64_t>(end))) : real_text(end);
      };
      text += written(d.low) + std::string(kTo) + written(d.high);
      continue;
    }
    for (size_t i = 0; i < d.choices.size(); ++i) {
      const ParamValue& choice = d.choices[i];
      const auto* number = std::get_if<double>(&choice);
      const auto* words = std::get_if<std::string>(&choice);
      std::string value = number ? real_text(*number) : to_text(choice);
      if (words && (words->empty() || words->find_first_of(",|") != std::string::npos ||
                    words->find(kTo) != std::string::npos || value_of(value) != choice))
        value = kQuote + value + kQuote;
      if (value_of(value) != choice || (words && words->find(kQuote) != std::string::npos))
        throw ValueError(
            "search space: " + d.name + " has the value " + value + ", which cannot be written",
            where);
      text += (i == 0 ? "" : "|") + value;
    }
  }
  return text;
}

// ---- Grids and draws ----------------------------------------------------------------------------

namespace {

SearchSpace by_name(SearchSpace space) {
  std::stable_sort(space.begin(), space.end(),
                   [](const Distribution& a, const Distribution& b) { return a.name < b.name; });
  return space;
}

// The combination of that number.
ParamValues combination(const SearchSpace& sorted, int64_t number) {
  ParamValues params;
  for (size_t i = sorted.size(); i-- > 0;) {
    const auto count = static_cast<int64_t>(sorted[i].choices.size());
    params.emplace_back(sorted[i].name, sorted[i].choices[static_cast<size_t>(number % count)]);
    number /= count;
  }
  std::reverse(params.begin(), params.end());
  return params;
}

// How many combinations there are; -1 beyond 2^62.
int64_t combinations(const SearchSpace& space) {
  int64_t count = 1;
  for (const Distribution& d : space) {
    const auto choices = static_cast<int64_t>(d.choices.size());
    if (count > (int64_t{1} << 62) / choices) return -1;
    count *= choices;
  }
  return count;
}

}  // namespace

std::vector<ParamValues> parameter_grid(const SearchSpace& space, Where where) {
  check_space("parameter_grid", space, where);
  for (const Distribution& d : space)
    if (d.is_range())
      throw ValueError("parameter_grid: " + d.name + " is a range; a grid needs values", where);
  const int64_t count = combinations(space);
  if (count < 0 || count > int64_t{1} << 24)
    throw ValueError("parameter_grid: there are more than 2^24 combinations", where);
  std::vector<ParamValues> grid;
  const SearchSpace sorted = by_name(space);
  for (int64_t i = 0; i < count; ++i) grid.push_back(combination(sorted, i));
  return grid;
}

std::vector<ParamValues> parameter_samples(const SearchSpace& space, int64_t n_iter,
                                           uint64_t random_state, Where where) {
  check_space("parameter_samples", space, where);
  if (n_iter < 1) throw ValueError("parameter_samples: n_iter = " + std::to_string(n_iter), where);
  const SearchSpace sorted = by_name(space);
  data::Random random(random_state);
  std::vector<ParamValues> samples;
  const bool lists =
      std::none_of(space.begin(), space.end(), [](const Distribution& d) { return d.is_range(); });
  const int64_t count = lists ? combinations(space) : -1;
  if (count >= 0) {
    // Each number once (Floyd; Bentley 1987), then in an order that is drawn.
    std::set<int64_t> seen;
    std::vector<int64_t> numbers;
    for (int64_t i = count - std::min(n_iter, count); i < count; ++i) {
      const int64_t drawn = random.below(i + 1);
      numbers.push_back(seen.count(drawn) ? i : drawn);
      seen.insert(numbers.back());
    }
    shuffle(numbers, random);
    for (const int64_t number : numbers) samples.push_back(combination(sorted, number));
    return samples;
  }
  for (int64_t i = 0; i < n_iter; ++i) {
    ParamValues params;
    for (const Distribution& d : sorted) params.emplace_back(d.name, draw(d, random));
    samples.push_back(std::move(params));
  }
  return samples;
}

}  // namespace glia::classic
