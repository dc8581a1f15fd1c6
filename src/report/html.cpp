#include "report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace glia::report {
namespace {

constexpr size_t kColours = 8, kLines = 3;  // as style.cpp has them
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// The length of the UTF-8 sequence that begins here; 0 if it is none.
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool beyond = (first == 0xED && byte(1) > 0x9F) || (first == 0xF4 && byte(1) > 0x8F);
  return overlong || beyond ? 0 : length;
}

std::string_view escape_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

std::string without_end_zeros(std::string digits) {
  if (digits.find('.') == std::string::npos) return digits;
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

int exponent(double value) { return static_cast<int>(std::floor(std::log10(std::abs(value)))); }

bool is_whole(double value) { return std::abs(value) < 1e15 && value == std::trunc(value); }

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  return is_whole(value) ? fmt::format("{:.0f}", value + 0.0) : fmt::format("{:.6g}", value);
}

template <class Items, class Write>
std::string list(const Items& items, Write write) {
  std::string out = "[";
  for (size_t i = 0; i < items.size(); ++i) {
    if (i) out += ',';
    out += write(items[i]);
  }
  return out + "]";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    const char c = text[0];
    const bool control = (static_cast<uint8_t>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
    if (length == 0 || control) {
      out += kReplacement;
    } else if (const std::string_view escape = escape_of(c); !escape.empty()) {
      out += escape;
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string json_text(std::string_view text) {
  using Json = nlohmann::json;
  std::string out = Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
  for (size_t at = 0; (at = out.find('<', at)) != std::string::npos;) out.replace(at, 1, "\\u003c");
  return out;
}

std::string json_texts(const std::vector<std::string>& texts) {
  return list(texts, [](const std::string& text) { return json_text(text); });
}

std::string grouped(std::string digits) {
  const size_t first = digits.find_first_of("0123456789");
  if (first == std::string::npos) return digits;
  const size_t end = std::min(digits.find_first_not_of("0123456789", first), digits.size());
  for (size_t at = end; at > first + 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string scientific(double value, int digits) {
  const std::string text = fmt::format("{:.{}e}", value, digits);
  const size_t e = text.find('e');
  const int power = std::stoi(text.substr(e + 1));
  return without_end_zeros(text.substr(0, e)) + (power ? fmt::format("e{}", power) : "");
}

std::string counted(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(std::to_string(count)), noun, count == 1 ? "" : "s");
}

std::string shown(double value, bool percent) {
  if (!std::isfinite(value)) return std::isnan(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const double v = percent ? 100 * value : value, size = std::abs(v);
  const char* unit = percent ? " %" : "";
  if (is_whole(v) && size < 1e9) return grouped(fmt::format("{:.0f}", v + 0.0)) + unit;
  if (size < 1e-4 || size >= 1e9) return scientific(v, 3) + unit;
  const int digits = std::clamp(3 - exponent(v), 0, 7);
  return grouped(without_end_zeros(fmt::format("{:.{}f}", v, digits))) + unit;
}

std::string fixed(double value, int digits, bool percent) {
  if (!std::isfinite(value) || digits < 0) return shown(value, percent);
  return grouped(fmt::format("{:.{}f}", (percent ? 100 * value : value) + 0.0, digits)) +
         (percent ? " %" : "");
}

int common_digits(const std::vector<double>& values, bool percent) {
  double largest = 0, least = INFINITY;
  for (const double value : values) {
    const double size = std::abs(percent ? 100 * value : value);
    if (!std::isfinite(size) || size == 0) continue;
    largest = std::max(largest, size);
    least = std::min(least, size);
  }
  if (largest == 0) return 0;
  if (largest >= 1e12) return -1;
  const int most = std::clamp(3 - exponent(largest), 0, 7);
  if (least < 0.5 * std::pow(10, -most) && !percent) return -1;
  const auto rounded = [&](double value, int digits) {
    return without_end_zeros(fmt::format("{:.{}f}", percent ? 100 * value : value, digits));
  };
  for (int digits = 0; digits < most; ++digits) {
    const bool enough = std::all_of(values.begin(), values.end(), [&](double value) {
      return !std::isfinite(value) || rounded(value, digits) == rounded(value, most);
    });
    if (enough) return digits;
  }
  return most;
}

std::string array(const std::vector<double>& values, bool percent) {
  return list(values, [&](double v) { return number(percent ? 100 * v : v); });
}

std::string remark(const std::string& text) {
  return text.empty() ? "" : fmt::format("<p class='small'>{}</p>\n", escaped(text));
}

std::string nothing() { return remark("There is nothing to show."); }

std::string look(size_t i) {
  const size_t round = i / kColours % kLines;
  return fmt::format("s{}{}", i % kColours, round ? fmt::format(" r{}", round) : "");
}

std::string key(size_t i, std::string_view kind, const std::string& name,
                const std::string& detail) {
  return fmt::format("<span class='key {} {}'><span>{}</span>{}</span>\n", look(i), kind,
                     escaped(name),
                     detail.empty() ? "" : fmt::format("<small>{}</small>", escaped(detail)));
}

std::string legend(const std::string& keys) {
  return keys.empty() ? "" : "<div class='keys'>\n" + keys + "</div>\n";
}

}  // namespace glia::report
