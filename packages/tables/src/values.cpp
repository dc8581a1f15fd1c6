#include "values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "glia/tables/table.h"

namespace glia::tables {
namespace {

constexpr int64_t kSecond = 1000000, kDay = 86400 * kSecond;

// Days since 1970 of the proleptic Gregorian calendar, and back (Hinnant, "chrono-compatible
// low-level date algorithms").
int64_t days_of(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct Civil {
  int64_t year, month, day;
};
Civil civil_of(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
  const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const int64_t of_year = of_era - (365 * year + year / 4 - year / 100),
                m = (5 * of_year + 2) / 153;
  const int64_t month = m < 10 ? m + 3 : m - 9;
  return {year + era * 400 + (month <= 2), month, of_year - (153 * m + 2) / 5 + 1};
}

// `count` digits as a number, or -1; the text is shortened.
int64_t digits(std::string_view& text, size_t count) {
  if (text.size() < count) return -1;
  int64_t value = 0;
  for (size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool skip(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<int64_t> parse_date(std::string_view text) {
  const int64_t year = digits(text, 4);
  if (year < 0 || !skip(text, '-')) return {};
  const int64_t month = digits(text, 2);
  if (month < 1 || month > 12 || !skip(text, '-')) return {};
  const int64_t day = digits(text, 2), days = days_of(year, month, day);
  if (day < 1 || civil_of(days).month != month) return {};
  int64_t value = days * kDay;
  if (text.empty()) return value;

  if (!skip(text, ' ') && !skip(text, 'T')) return {};
  const int64_t hour = digits(text, 2);
  if (hour < 0 || hour > 23 || !skip(text, ':')) return {};
  const int64_t minute = digits(text, 2);
  if (minute < 0 || minute > 59) return {};
  value += (hour * 60 + minute) * 60 * kSecond;
  if (skip(text, ':')) {
    const int64_t second = digits(text, 2);
    if (second < 0 || second > 59) return {};
    value += second * kSecond;
    if (skip(text, '.')) {
      int64_t unit = kSecond, count = 0;
      for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; ++count) {
        unit /= 10;
        value += unit * (text[0] - '0');
        text.remove_prefix(1);
      }
      if (count < 1 || count > 9) return {};
    }
  }
  if (text.empty() || (skip(text, 'Z') && text.empty())) return value;
  const bool west = text[0] == '-';
  if (!skip(text, '+') && !skip(text, '-')) return {};
  const int64_t hours = digits(text, 2);
  int64_t minutes = 0;
  if (skip(text, ':') || !text.empty()) minutes = digits(text, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || !text.empty()) return {};
  const int64_t shift = (hours * 60 + minutes) * 60 * kSecond;
  return value + (west ? shift : -shift);
}

std::string date_text(int64_t microseconds) {
  if (microseconds == kNoDate) return "";
  int64_t days = microseconds / kDay, rest = microseconds % kDay;
  if (rest < 0) {
    rest += kDay;
    --days;
  }
  const Civil date = civil_of(days);
  const auto padded = [](int64_t number, size_t width) {
    std::string text = std::to_string(number);
    return text.size() < width ? std::string(width - text.size(), '0') + text : text;
  };
  std::string out = padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2);
  if (rest == 0) return out;
  const int64_t seconds = rest / kSecond;
  out += " " + padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":" +
         padded(seconds % 60, 2);
  if (rest % kSecond == 0) return out;
  out += "." + padded(rest % kSecond, 6);
  out.erase(out.find_last_not_of('0') + 1);
  return out;
}

std::string float_text(double value) {
  if (std::isnan(value)) return "";
  char text[40];
  std::string out(text, std::to_chars(text, text + sizeof text, value).ptr);
  if (std::isfinite(value) && out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<double> parse_float(std::string_view text) {
  text = trimmed(text);
  std::string_view bare = text;
  const bool negative = skip(bare, '-');
  if (!negative) skip(bare, '+');
  if (bare == "inf" || bare == "Inf" || bare == "INF" || bare == "Infinity" || bare == "infinity")
    return negative ? -std::numeric_limits<double>::infinity()
                    : std::numeric_limits<double>::infinity();
  if (bare.empty() || !(bare[0] == '.' || (bare[0] >= '0' && bare[0] <= '9'))) return {};
  double value = 0;
  const char* end = bare.data() + bare.size();
  const auto [at, error] = std::from_chars(bare.data(), end, value);
  if (at != end) return {};
  if (error == std::errc::result_out_of_range) {  // as strtod: 0 or infinite
    const size_t e = bare.find_first_of("eE");
    const bool small = e != std::string_view::npos && bare[e + 1] == '-';
    value = small ? 0 : std::numeric_limits<double>::infinity();
  } else if (error != std::errc()) {
    return {};
  }
  return negative ? -value : value;
}

std::optional<int64_t> parse_integer(std::string_view text) {
  text = trimmed(text);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || at != end) return {};
  return value;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "True" || text == "true" || text == "TRUE") return true;
  if (text == "False" || text == "false" || text == "FALSE") return false;
  return {};
}

bool is_missing_text(std::string_view text) {
  if (text.size() > 8) return false;
  switch (text.empty() ? ' ' : text[0]) {
    case '#':
      return text == "#N/A" || text == "#N/A N/A" || text == "#NA";
    case '-':
      return text == "-1.#IND" || text == "-1.#QNAN" || text == "-NaN" || text == "-nan";
    case '1':
      return text == "1.#IND" || text == "1.#QNAN";
    case '<':
      return text == "<NA>";
    case 'N':
      return text == "N/A" || text == "NA" || text == "NULL" || text == "NaN" || text == "None";
    case 'n':
      return text == "n/a" || text == "nan" || text == "null";
    default:
      return false;
  }
}

double quantile_of_sorted(const std::vector<double>& values, double q) {
  const double at = q * static_cast<double>(values.size() - 1);
  const auto low = static_cast<size_t>(at);
  const size_t high = std::min(low + 1, values.size() - 1);
  return values[low] + (at - static_cast<double>(low)) * (values[high] - values[low]);
}

}  // namespace glia::tables
