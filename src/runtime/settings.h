// Settings from the environment. One rule for all: an empty variable is one that is not set, and
// nonsense in it is an Error of one line where it is first needed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace glia {

inline constexpr int kMostThreads = 1024;

// The variable's text; null when it is not set or empty.
const char* setting(const char* name);
// The whole number that it holds, if it is set; throws Error for anything else.
std::optional<int64_t> whole_setting(const char* name, int64_t low, int64_t high);
// "GLIA_CPU is "fast"; it may be ALLOWED".
[[noreturn]] void refuse_setting(const char* name, const std::string& allowed);

// What limit_memory() says.
int64_t memory_limit();

}  // namespace glia
