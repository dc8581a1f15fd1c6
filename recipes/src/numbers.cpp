#include "numbers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <sstream>

#include "glia/error.h"

namespace glia::recipes {
namespace {

std::optional<double> number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

}  // namespace

std::vector<double> numbers_of(const std::string& text, int64_t count) {
  std::vector<double> out;
  for (size_t at = 0; (at = text.find_first_not_of(", \t", at)) != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(", \t", at), text.size());
    const auto value = number(text.substr(at, end - at));
    if (!value) throw ValueError("'" + text.substr(at, end - at) + "' is no number");
    out.push_back(*value);
    at = end;
  }
  if (static_cast<int64_t>(out.size()) != count)
    throw ValueError(fmt::format("'{}' has {} numbers and not {}", text, out.size(), count));
  return out;
}

std::vector<double> numbers_of(const Input& input, int64_t count, const std::string& what) {
  if (const auto* text = std::get_if<std::string>(&input)) return numbers_of(*text, count);
  const Tensor& tensor = std::get<Tensor>(input);
  if (tensor.numel() != count) throw ValueError(fmt::format("{} has {} numbers", what, count));
  return tensor.to_vector<double>();
}

std::vector<int64_t> whole_numbers_of(const std::string& setting, const std::string& text,
                                      int64_t most) {
  const Setting one{
      .name = setting, .fallback = int64_t{1}, .range = {1, static_cast<double>(most)}};
  std::vector<int64_t> out;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');)
    out.push_back(std::get<int64_t>(parse(one, word)));
  return out;
}

int64_t whole_number_of(const Input& input, const std::string& what, int64_t most) {
  const double n = numbers_of(input, 1, what)[0];
  if (!(n >= 1 && n <= static_cast<double>(most)) || n != std::floor(n))
    throw ValueError(fmt::format("{} is no {} from 1 to {}", n, what, most));
  return static_cast<int64_t>(n);
}

}  // namespace glia::recipes
