#include <cstdlib>
#include <cstring>

#include "glia/runtime.h"

namespace glia {
namespace {

bool& eager_mode() {
  static bool on = [] {
    const char* text = std::getenv("GLIA_EAGER");
    return text && *text && std::strcmp(text, "0") != 0;
  }();
  return on;
}

}  // namespace

bool eager() { return eager_mode(); }
void set_eager(bool on) { eager_mode() = on; }
const char* version() { return "Glia " GLIA_VERSION; }

}  // namespace glia
