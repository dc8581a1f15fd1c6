// The kernels that backends have made known.
#include <algorithm>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "runtime/backend.h"

namespace glia {
namespace {

struct Kernels {
  std::mutex lock;
  std::unordered_multimap<std::string_view, Kernel> by_op;
};
Kernels& registry() {
  static auto* kernels = new Kernels;
  return *kernels;
}

}  // namespace

RegisterKernel::RegisterKernel(Kernel kernel) {
  std::lock_guard hold(registry().lock);
  registry().by_op.emplace(kernel.op, std::move(kernel));
}

const Kernel* find_kernel(const Op& op, DType dtype, const Node* node) {
  std::lock_guard hold(registry().lock);
  const auto [begin, end] = registry().by_op.equal_range(op.name);
  const auto found = std::find_if(begin, end, [&](const auto& k) {
    const Kernel& kernel = k.second;
    return std::ranges::count(kernel.dtypes, dtype) > 0 &&
           (!kernel.fits || (node && kernel.fits(*node)));
  });
  return found == end ? nullptr : &found->second;
}

}  // namespace glia
