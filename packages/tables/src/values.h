// Values of tables as text, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace glia::tables {

// As many digits as tell it from others, "2.0" of a whole number.
std::string float_text(double value);
// All of the text is one number: decimal, with an exponent or not; "inf", "Infinity" with a sign
// or not. Blanks around it are passed over.
std::optional<double> parse_float(std::string_view text);
std::optional<int64_t> parse_integer(std::string_view text);
// true, True, TRUE and the same of false.
std::optional<bool> parse_bool(std::string_view text);
// Texts that pandas takes for missing, but the empty one.
bool is_missing_text(std::string_view text);
std::string_view trimmed(std::string_view text);
// Linear between neighbours.
double quantile_of_sorted(const std::vector<double>& values, double q);

}  // namespace glia::tables
