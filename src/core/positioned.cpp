#include "core/positioned.h"

namespace glia {
namespace {

constexpr int kMost = 8;
// No constructor: ops make themselves known before main() begins.
constinit Positioned known[kMost + 1] = {};
constinit int count = 0;

}  // namespace

constinit const Positioned* const positioned_ops = known;

RegisterPositioned::RegisterPositioned(const Positioned& op) {
  if (count == kMost) throw Error("there is no room for another op with positions");
  known[count++] = op;
}

}  // namespace glia
