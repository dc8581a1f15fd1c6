// Settings and counters of the machine under the tensors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace glia {

// Threads used by every operation; by default the processors there are, or GLIA_NUM_THREADS, or
// OMP_NUM_THREADS. From 1 to 1024; results do not depend on it, bit for bit. Threads of the program
// that compute at the same time share these: one takes what the others leave, and its own in any
// case.
void set_num_threads(int threads);
int num_threads();  // for the calling thread
// While one lives, what its thread computes takes at most so many of them.
class ThreadLimit {
 public:
  explicit ThreadLimit(int threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  const int before_;
};

// Runs every operation at once and unfused: for debugging, and the reference for fused plans.
// Starts as GLIA_EAGER says.
void set_eager(bool on);
bool eager();

// The instruction set in use: "avx512", "avx2" or "baseline". GLIA_CPU caps it.
std::string cpu_level();

struct MemoryStats {   // in bytes
  int64_t in_use = 0;  // bytes of tensors and plan arenas
  int64_t peak = 0;    // most bytes in use since the start, or since reset_memory_peak()
  int64_t cached = 0;  // freed bytes kept for reuse
};
MemoryStats memory_stats();
// From now on the peak is that of what follows: how much memory a part of a program needs.
void reset_memory_peak();
void set_cache_limit(int64_t bytes);  // default: an eighth of the machine's memory
// Gives cached memory back to the system, and forgets plans.
void trim();

struct GraphStats {         // since the start
  int64_t nodes_live = 0;   // recorded and not yet freed
  int64_t plans_built = 0;  // cache misses
  int64_t plans_run = 0;    // evaluations
  int64_t plans_cached = 0;
  int64_t kernels_run = 0;  // steps of plans
  double planning_ms = 0;   // of all plans built
  // Of the plan that ran last, in bytes: its temporary values and results as they are laid out, and
  // the most that is alive at one of its steps, below which no layout can be.
  int64_t plan_bytes = 0, plan_bytes_least = 0;
};
GraphStats graph_stats();

// ---- Profiles ---------------------------------------------------------------------------------
// Where the time goes: docs/profiling.md. GLIA_PROFILE=FILE profiles a whole program.

struct ProfileOptions {          // what is kept, and what is compared with
  int64_t max_events = 200'000;  // kept for the trace, and different kernels; more are counted
  // What the machine can do; 0: measured at the first boundary, with the threads then set.
  double gb_per_s = 0, gflop_per_s = 0, bf16_gflop_per_s = 0;
};

// One kind of step of plans: equal operations, shapes, attributes and source line. Sums over all
// its calls.
struct ProfileRow {
  std::string ops;         // "matmul", or the operations of a fused group: "add, relu"
  std::string shapes;      // "(128, 784), (512, 784) -> (128, 512)"
  std::string attributes;  // of a kernel: "transpose_a=false, transpose_b=true"
  std::string where;       // "train.cpp:41"
  int64_t calls = 0;
  double ms = 0;
  double bytes_read = 0, bytes_written = 0, flops = 0;  // at least needed, by shapes
  double floor_ms = 0;  // that memory and arithmetic units need for them
};

// Values alive at the fullest step of a plan that are alike: of one operation, shape and line.
struct ProfileValue {
  std::string op, shape, where;  // "conv2d", "(128, 32, 32, 16)", "train.cpp:41"
  int64_t count = 0, bytes = 0;  // bytes of all
};

struct Profile {  // what profile_stop() found
  double ms = 0;  // from start to stop: kernels, planning, boundaries, and the program's own
  double kernels_ms = 0, planning_ms = 0;
  double boundaries_ms = 0;  // finding plans, handing out memory, freeing nodes
  int64_t boundaries = 0, plans_made = 0;
  int64_t events = 0, dropped = 0;  // of the trace
  double gb_per_s = 0, gflop_per_s = 0, bf16_gflop_per_s = 0;
  std::vector<ProfileRow> rows;  // the costliest first; their ms sum to kernels_ms
  // Of the plan that takes most memory for its temporary values and results: how much, the step at
  // which most is alive, and what that is, the largest first.
  int64_t plan_bytes = 0;
  std::string fullest_step;
  std::vector<ProfileValue> alive;

  // For people: the `top` costliest rows, what else took time, and the `top` / 2 largest values.
  std::string table(int top = 20) const;
};

// Throws Error if a profile is running already.
void profile_start(const ProfileOptions& options = {});
bool profiling();
// Ends the profile. `trace` names a file for chrome://tracing or ui.perfetto.dev; empty: none.
// Throws Error if none is running, IoError if the file cannot be written.
Profile profile_stop(const std::string& trace = "");

// "Glia 0.1.0"
const char* version();

}  // namespace glia
