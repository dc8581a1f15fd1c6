#include "runtime/settings.h"

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "core/node.h"
#include "glia/error.h"
#include "glia/runtime.h"

namespace glia {

const char* setting(const char* name) {
  const char* text = std::getenv(name);
  return text && *text ? text : nullptr;
}

std::optional<int64_t> whole_setting(const char* name, int64_t low, int64_t high) {
  const char* text = setting(name);
  if (!text) return std::nullopt;
  int64_t value = 0;
  const std::string_view all = text;
  const auto [end, error] = std::from_chars(all.data(), all.data() + all.size(), value);
  if (error != std::errc() || end != all.data() + all.size() || value < low || value > high)
    refuse_setting(name, high - low == 1 ? std::to_string(low) + " or " + std::to_string(high)
                                         : "a whole number from " + std::to_string(low) + " to " +
                                               std::to_string(high));
  return value;
}

void refuse_setting(const char* name, const std::string& allowed) {
  throw Error(std::string(name) + " is \"" + std::getenv(name) + "\"; it may be " + allowed);
}

bool eager() {
  int8_t on = eager_mode.load(std::memory_order_relaxed);
  if (on >= 0) return on != 0;
  const auto set = static_cast<int8_t>(whole_setting("GLIA_EAGER", 0, 1).value_or(0));
  return (eager_mode.compare_exchange_strong(on, set) ? set : on) != 0;
}
void set_eager(bool on) { eager_mode = on; }
const char* version() { return "Glia " GLIA_VERSION; }

}  // namespace glia
