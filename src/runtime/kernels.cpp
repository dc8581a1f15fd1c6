// The kernels that backends have made known.
#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "runtime/backend.h"

namespace glia {
namespace {

using Kernels = std::unordered_multimap<std::string_view, Kernel>;

Kernels& registry() {
  static auto* kernels = new Kernels;
  return *kernels;
}

}  // namespace

RegisterKernel::RegisterKernel(Kernel kernel) { registry().emplace(kernel.op, std::move(kernel)); }

const Kernel* find_kernel(const Op& op, DType dtype) {
  const auto [begin, end] = registry().equal_range(op.name);
  const auto found = std::find_if(
      begin, end, [&](const auto& k) { return std::ranges::count(k.second.dtypes, dtype) > 0; });
  return found == end ? nullptr : &found->second;
}

}  // namespace glia
