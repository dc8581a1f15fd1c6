#include "dates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <numeric>

#include "glia/text/pairs.h"

namespace glia::recipes {
namespace {

constexpr auto kFirst = std::chrono::sys_days(std::chrono::year(1950) / 1 / 1);
constexpr int64_t kDays = 36525, kTestDays = 2000, kFormats = 10;

constexpr const char* kMonths[] = {"January",   "February", "March",    "April",
                                   "May",       "June",     "July",     "August",
                                   "September", "October",  "November", "December"};
constexpr const char* kWeekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                     "Thursday", "Friday", "Saturday"};

std::string changed(std::string text, int (*f)(int)) {
  std::ranges::transform(text, text.begin(), [f](unsigned char c) { return f(c); });
  return text;
}

const char* ending(unsigned day) {
  if (day / 10 == 1) return "th";
  return day % 10 == 1 ? "st" : day % 10 == 2 ? "nd" : day % 10 == 3 ? "rd" : "th";
}

std::string written(std::chrono::sys_days at, int64_t format) {
  const std::chrono::year_month_day date(at);
  const int y = static_cast<int>(date.year());
  const unsigned m = static_cast<unsigned>(date.month()), d = static_cast<unsigned>(date.day());
  const std::string month = kMonths[m - 1];
  const std::string weekday = kWeekdays[std::chrono::weekday(at).c_encoding()];
  switch (format) {
    case 0:
      return fmt::format("{} {} {}", d, month, y);
    case 1:
      return fmt::format("{} {}, {}", month, d, y);
    case 2:
      return fmt::format("{}{} of {} {}", d, ending(d), month, y);
    case 3:
      return fmt::format("{}, {} {} {}", weekday, d, month, y);
    case 4:
      return fmt::format("{} {} {} {}", weekday.substr(0, 3), month.substr(0, 3), d, y);
    case 5:
      return fmt::format("{:02}.{:02}.{}", d, m, y);
    case 6:
      return fmt::format("{}/{}/{:02}", m, d, y % 100);
    case 7:
      return fmt::format("{}{:02}{:02}", y, m, d);
    case 8:
      return changed(fmt::format("{}-{}-{:02}", d, month.substr(0, 3), y % 100), std::toupper);
    default:
      return changed(fmt::format("{} the {}{} of {}, {}", weekday, d, ending(d), month, y),
                     std::tolower);
  }
}

std::string iso(std::chrono::sys_days at) {
  const std::chrono::year_month_day date(at);
  return fmt::format("{}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

}  // namespace

text::Pairs dates(data::Split split, int64_t count, uint64_t seed) {
  std::vector<int64_t> days(kDays);
  std::iota(days.begin(), days.end(), 0);
  data::Random order(0);
  for (int64_t i = kDays - 1; i > 0; --i) std::swap(days[i], days[order.below(i + 1)]);
  const bool test = split == data::Test;
  data::Random random(test ? 0 : seed, test ? 2 : 1);
  text::Pairs out;
  for (int64_t i = 0; i < (test ? kTestDays : count); ++i) {
    const int64_t day = test ? days[i] : days[kTestDays + random.below(kDays - kTestDays)];
    const std::chrono::sys_days at = kFirst + std::chrono::days(day);
    out.source.push_back(written(at, random.below(kFormats)));
    out.target.push_back(iso(at));
  }
  return out;
}

}  // namespace glia::recipes
