// Settings and counters of the machine under the tensors.
#pragma once

#include <cstdint>
#include <string>

namespace glia {

// Threads used by every operation; by default the processors there are, or GLIA_NUM_THREADS, or
// OMP_NUM_THREADS. Results do not depend on it, bit for bit.
void set_num_threads(int threads);
int num_threads();

// Runs every operation at once and unfused: for debugging, and the reference for fused plans.
// Starts as GLIA_EAGER says.
void set_eager(bool on);
bool eager();

// The instruction set in use: "avx512", "avx2" or "baseline". GLIA_CPU caps it.
std::string cpu_level();

struct MemoryStats {
  int64_t in_use = 0;  // bytes of tensors and plan arenas
  int64_t peak = 0;    // most bytes ever in use
  int64_t cached = 0;  // freed bytes kept for reuse
};
MemoryStats memory_stats();
void set_cache_limit(int64_t bytes);  // default: an eighth of the machine's memory
// Gives cached memory back to the system, and forgets plans.
void trim();

struct GraphStats {
  int64_t nodes_live = 0;   // recorded and not yet freed
  int64_t plans_built = 0;  // cache misses
  int64_t plans_run = 0;    // evaluations
  int64_t plans_cached = 0;
  int64_t kernels_run = 0;  // steps of plans
  double last_planning_ms = 0;
};
GraphStats graph_stats();

// "Glia 0.1.0"
const char* version();

}  // namespace glia
