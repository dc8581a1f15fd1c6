// Text and numbers as a page shows them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "glia/report.h"  // shown()

namespace glia::report {

// For content and quoted attributes. Control characters and broken UTF-8 become U+FFFD.
std::string escaped(std::string_view text);
// A string of JSON that may stand within <script>.
std::string json_text(std::string_view text);
std::string json_texts(const std::vector<std::string>& texts);  // an array of them

// "12,345" of "12345"; what follows a point stays as it is.
std::string grouped(std::string digits);
std::string counted(int64_t count, std::string_view noun);  // "1,000 points", "1 point"

// "1.5e-7"; without an exponent of 0, and without zeros at the end.
std::string scientific(double value, int digits);
// With `digits` behind the point.
std::string fixed(double value, int digits, bool percent = false);
// The digits that tell all of these apart to about four significant ones; -1: none do.
int common_digits(const std::vector<double>& values, bool percent);

// Numbers of JSON to six significant digits (whole ones in full), 100 times as large if `percent`.
// NaN and infinities are null.
std::string array(const std::vector<double>& values, bool percent = false);

// A paragraph in small print, or nothing if there is no text.
std::string remark(const std::string& text);
std::string nothing();  // where a section has no data

// The look of the i-th series: a colour, and where colours repeat another kind of line or point.
std::string look(size_t i);
// One entry of a legend; `detail` may be empty. `kind` is "", "dashed", "point" or "block".
std::string key(size_t i, std::string_view kind, const std::string& name,
                const std::string& detail = {});
std::string legend(const std::string& keys);

}  // namespace glia::report
