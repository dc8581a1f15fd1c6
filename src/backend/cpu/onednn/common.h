// What the oneDNN rooms share: the engine, a cache of primitives, how work is cut and summed.
#pragma once

#include <omp.h>

#include <list>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/node.h"
#include "glia/dtype.h"
#include "glia/error.h"

namespace glia::cpu::onednn {

// The engine. Its first use caps oneDNN's instruction set at level().
const dnnl::engine& engine();
bool has_bf16();
dnnl::memory::data_type data_type(DType dtype);

// While one lives, oneDNN called from this thread uses this thread alone.
class OneThread {
 public:
  OneThread() : previous_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(previous_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int previous_;
};

// f(), with the library's exceptions turned into Glia's.
template <class F>
auto translated(F&& f) {
  try {
    return f();
  } catch (const dnnl::error& e) {
    throw Error(std::string("oneDNN: ") + e.what());
  }
}

// The most recently used values, made on demand. Safe to use from several threads.
template <class Key, class Value>
class Cache {
 public:
  template <class Make>
  std::shared_ptr<const Value> get(const Key& key, Make&& make) {
    if (auto found = find(key)) return found;
    const OneThread one;
    std::shared_ptr<const Value> made = translated(make);  // unlocked: it takes a while
    std::lock_guard lock(mutex_);
    entries_.emplace_front(key, made);
    if (entries_.size() > kCapacity) entries_.pop_back();
    return made;
  }
  void clear() {
    std::lock_guard lock(mutex_);
    entries_.clear();
  }

 private:
  static constexpr size_t kCapacity = 512;

  std::shared_ptr<const Value> find(const Key& key) {
    std::lock_guard lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (!(it->first == key)) continue;
      entries_.splice(entries_.begin(), entries_, it);
      return it->second;
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::list<std::pair<Key, std::shared_ptr<const Value>>> entries_;
};

// What primitives are created with: scratch memory comes from the caller.
dnnl::primitive_attr attributes();
// Runs a primitive on this thread alone, on bytes that the descriptions describe.
struct Argument {
  int name;
  const dnnl::memory::desc& desc;
  const void* data;
};
void execute(const dnnl::primitive& primitive, const dnnl::memory::desc& scratch,
             std::initializer_list<Argument> arguments);

// How many pieces `flops` of work are cut into: eight of at least a few microseconds, then more
// of at least `large`.
int64_t piece_count(double flops, double large);

inline int64_t divide_up(int64_t x, int64_t y) { return (x + y - 1) / y; }
inline const void* at(const void* p, DType dtype, int64_t i) {
  return static_cast<const char*>(p) + i * static_cast<int64_t>(size_of(dtype));
}
inline void* at(void* p, DType dtype, int64_t i) {
  return static_cast<char*>(p) + i * static_cast<int64_t>(size_of(dtype));
}

inline MemoryRef scratch_memory(int64_t bytes) {
  return MemoryRef(allocate_memory(static_cast<size_t>(bytes)));
}
// out[i] = partials[0][i] + partials[1][i] + ..., each of n f32, rounded once to `dtype`.
void sum_partials(const float* partials, int64_t count, int64_t n, void* out, DType dtype);
void convert(const void* in, DType from, void* out, DType to, int64_t n);

void trim_matmul();
void trim_conv();

}  // namespace glia::cpu::onednn
