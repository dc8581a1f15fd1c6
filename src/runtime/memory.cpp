// Buffers: handed out by size class, kept for reuse up to a limit.
#include <malloc.h>
#include <sys/mman.h>

#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>

#include "core/node.h"
#include "glia/runtime.h"
#include "runtime/settings.h"

namespace glia {

void forget_plans();        // src/graph/evaluate.cpp
void trim_kernel_caches();  // the backend's

namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr int kParts = 32, kClasses = 64 * kParts;

constexpr int kFineLog = 20, kFineClass = kFineLog * kParts;

// Four classes to a power of two, so that at most a quarter is wasted; from 1 MiB on, kParts.
size_t step_of(int log) { return (size_t{1} << log) / (log < kFineLog ? 4 : kParts); }
int class_of(size_t bytes) {
  if (bytes <= 64) return 0;
  const int log = std::bit_width(bytes - 1) - 1;  // 2^log < bytes <= 2^(log + 1)
  return log * kParts + static_cast<int>((bytes - 1 - (size_t{1} << log)) / step_of(log));
}
size_t class_bytes(int c) {
  if (c == 0) return 64;
  const int log = c / kParts;
  return (size_t{1} << log) + step_of(log) * (c % kParts + 1);
}

class Buffers {
 public:
  Memory* get(size_t bytes) {
    const int c = class_of(bytes);
    const size_t size = class_bytes(c);
    std::lock_guard hold(mutex_);
    if (Memory* const m = take(c)) {
      add_in_use(m->bytes);
      m->references.store(1, std::memory_order_relaxed);
      return m;
    }
    add_in_use(size);
    void* data = allocate(size);
    if (!data) {
      empty();
      data = allocate(size);
    }
    if (!data) {
      in_use_ -= static_cast<int64_t>(size);
      throw Error("out of memory: no room for " + std::to_string(bytes) + " bytes");
    }
    auto* m = new Memory;
    m->data = data;
    m->bytes = size;
    return m;
  }

  void put(Memory* m) {
    const auto size = static_cast<int64_t>(m->bytes);
    std::lock_guard hold(mutex_);
    in_use_ -= size;
    if (size > limit_) return destroy(m);
    if (cached_ + size > limit_) empty();
    free_[class_of(m->bytes)].push_back(m);
    cached_ += size;
  }

  void set_limit(int64_t bytes) {
    std::lock_guard hold(mutex_);
    limit_ = bytes;
    if (cached_ > limit_) empty();
  }
  void set_largest(int64_t bytes) { largest_.store(bytes, std::memory_order_relaxed); }
  int64_t largest() const { return largest_.load(std::memory_order_relaxed); }
  void trim() {
    std::lock_guard hold(mutex_);
    empty();
  }
  void reset_peak() {
    std::lock_guard hold(mutex_);
    peak_ = in_use_;
  }
  MemoryStats stats() {
    std::lock_guard hold(mutex_);
    return {in_use_, peak_, cached_};
  }
  int64_t in_use() const { return in_use_.load(std::memory_order_relaxed); }
  std::mutex& mutex() { return mutex_; }

 private:
  void add_in_use(size_t size) {
    in_use_ += static_cast<int64_t>(size);
    peak_ = std::max(peak_, in_use());
  }
  // Cached memory of this class, or of one up to a quarter larger: what is new must be filled with
  // zeros by the kernel, which costs more than a short step does where sizes are always new.
  Memory* take(int c) {
    const int last = c < kFineClass ? c : std::min(c + kParts / 4, kClasses - 1);
    for (; c <= last; ++c) {
      if (free_[c].empty()) continue;
      Memory* const m = free_[c].back();
      free_[c].pop_back();
      cached_ -= static_cast<int64_t>(m->bytes);
      return m;
    }
    return nullptr;
  }
  void* allocate(size_t size) const {
    if (size > static_cast<size_t>(largest())) return nullptr;  // the kernel might promise it
    const bool huge = size >= 2 * kHugePage;
    const size_t align = huge ? kHugePage : 64;
    void* data = std::aligned_alloc(align, (size + align - 1) / align * align);
    if (data && huge) madvise(data, size, MADV_HUGEPAGE);
    return data;
  }
  static void destroy(Memory* m) {
    std::free(m->data);
    delete m;
  }
  void empty() {
    for (auto& list : free_) {
      for (Memory* m : list) destroy(m);
      list.clear();
    }
    cached_ = 0;
  }

  std::mutex mutex_;
  std::vector<Memory*> free_[kClasses];
  std::atomic<int64_t> in_use_ = 0;  // changed under the lock
  int64_t peak_ = 0, cached_ = 0;
  int64_t limit_ = physical_memory() / 8;
  std::atomic<int64_t> largest_ = physical_memory();
};

Buffers& buffers() {
  static auto* b = new Buffers;  // outlives tensors of static storage
  return *b;
}

}  // namespace

Memory* allocate_memory(size_t bytes) { return buffers().get(bytes); }
int64_t memory_in_use() { return buffers().in_use(); }
void hold_memory(bool on) { on ? buffers().mutex().lock() : buffers().mutex().unlock(); }

void free_memory(Memory* m) {
  if (m->owner) {
    delete m;
  } else {
    buffers().put(m);
  }
}

MemoryStats memory_stats() { return buffers().stats(); }
void reset_memory_peak() { buffers().reset_peak(); }
void limit_memory(int64_t bytes) { buffers().set_largest(bytes); }
int64_t memory_limit() { return buffers().largest(); }
void set_cache_limit(int64_t bytes) { buffers().set_limit(bytes); }

void trim() {
  forget_plans();
  trim_kernel_caches();
  buffers().trim();
  malloc_trim(0);  // the C library holds on to what is freed
}

}  // namespace glia
