#include "backend/cpu/onednn/common.h"

#include <algorithm>
#include <string_view>

#include "backend/cpu/matrix.h"
#include "backend/cpu/onednn/onednn.h"
#include "backend/cpu/simd/tile.h"
#include "runtime/threads.h"

namespace glia::cpu::onednn {
namespace {

constexpr int64_t kBlock = 4096;  // elements that one step of an elementwise pass handles

void cap_isa(dnnl::cpu_isa isa) {
  if (dnnl::set_max_cpu_isa(isa) != dnnl::status::success)
    throw Error("oneDNN was in use before GLIA_CPU could cap its instruction set");
}

}  // namespace

const dnnl::engine& engine() {
  // Never destroyed: the library's own statics may be gone by then.
  static const auto* const instance = [] {
    const std::string_view cap = level();
    if (cap == "avx2") cap_isa(dnnl::cpu_isa::avx2);
    if (cap == "baseline") cap_isa(dnnl::cpu_isa::sse41);
    return new dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return *instance;
}

bool has_bf16() {
  engine();
  static const int isa = static_cast<int>(dnnl::get_effective_cpu_isa());
  constexpr int needed = static_cast<int>(dnnl::cpu_isa::avx512_core);
  return (isa & needed) == needed;
}

dnnl::memory::data_type data_type(DType dtype) {
  return dtype == kBF16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

void execute(const dnnl::primitive& primitive, const dnnl::memory::desc& scratch,
             std::initializer_list<Argument> arguments) {
  const OneThread one;
  thread_local dnnl::stream stream(engine());
  std::unordered_map<int, dnnl::memory> map;
  for (const Argument& a : arguments)
    map.emplace(a.name, dnnl::memory(a.desc, engine(), const_cast<void*>(a.data)));
  MemoryRef buffer;
  if (const size_t bytes = scratch.get_size(); bytes > 0) {
    buffer = scratch_memory(static_cast<int64_t>(bytes));
    map.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(scratch, engine(), buffer->data));
  }
  translated([&] { primitive.execute(stream, map); });
}

int64_t piece_count(double flops, double large) {
  const double few = std::min(flops / 1.2e6, 8.0);
  const double many = std::min(flops / large, 32.0);
  return std::max<int64_t>(1, static_cast<int64_t>(std::max(few, many)));
}

void sum_partials(const float* partials, int64_t count, int64_t n, void* out, DType dtype) {
  const TileFunction add = tile_function(Code::kAdd, kF32);
  parallel_for(divide_up(n, kBlock), [&](int64_t block) {
    const int64_t begin = block * kBlock, size = std::min(kBlock, n - begin);
    float sum[kBlock];
    std::copy_n(partials + begin, size, sum);
    for (int64_t i = 1; i < count; ++i) add(sum, sum, partials + i * n + begin, nullptr, size);
    cast_function(kF32, dtype)(at(out, dtype, begin), sum, nullptr, nullptr, size);
  });
}

void convert(const void* in, DType from, void* out, DType to, int64_t n) {
  const TileFunction cast = cast_function(from, to);
  parallel_for(divide_up(n, kBlock), [&](int64_t block) {
    const int64_t begin = block * kBlock;
    cast(at(out, to, begin), at(in, from, begin), nullptr, nullptr, std::min(kBlock, n - begin));
  });
}

void trim() {
  trim_matmul();
  trim_conv();
  const int capacity = dnnl::get_primitive_cache_capacity();
  dnnl::set_primitive_cache_capacity(0);  // empties the library's own
  dnnl::set_primitive_cache_capacity(capacity);
}

}  // namespace glia::cpu::onednn

bool glia::cpu::has_bf16_products() {
  onednn::engine();
  static const int isa = static_cast<int>(dnnl::get_effective_cpu_isa());
  constexpr int kNeeded = static_cast<int>(dnnl::cpu_isa::avx512_core_bf16);
  return (isa & kNeeded) == kNeeded;
}
