// What commands share of the running program.
#pragma once

#include <functional>

namespace glia {

struct Session {
  std::function<void()> begin;        // before any work: checks the environment, watches signals
  std::function<bool()> interrupted;  // whether there was a signal
};

}  // namespace glia
