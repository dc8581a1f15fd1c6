// What evaluation tells the profiler while a profile runs. While none does, a hook is one branch.
#pragma once

#include <atomic>
#include <source_location>
#include <string>
#include <vector>

#include "core/op.h"
#include "glia/runtime.h"

namespace glia {

struct Program;

namespace profiler {

extern std::atomic<bool> running;
inline bool on() { return running.load(std::memory_order_relaxed); }

// One kind of step, as tables and traces name it.
struct Site {
  std::string ops, shapes, attributes;
  std::source_location where;
  Work work;           // of one call
  DType dtype = kF32;  // that its products are made of
};
// The number of a site; sites with equal names have one.
int add_site(const Site& site);
// Counts profiles, from 1. What a plan says of one that has ended since is forgotten.
uint64_t profile_number();

// The memory of a plan that runs: its bytes, its fullest step, and one value for each alive at it.
struct PlanMemory {
  int64_t bytes = 0;
  int step = 0;  // a site
  std::vector<ProfileValue> alive;
};
// Called for each plan of a profile; the one of most bytes is kept.
void add_plan(PlanMemory memory);

// A program's least work; for run_many over problems of so many elements.
Work work_of(const Program& program, const std::vector<int64_t>& counts);
// The place of a recorded operation, "layers.cpp:41"; places outside the library say more.
std::string shown(const std::source_location& where);
bool in_library(const std::source_location& where);

// One evaluation.
class Boundary {
 public:
  Boundary() {
    if (on()) begin();
  }
  ~Boundary() {
    if (start_ > 0) end();
  }
  Boundary(const Boundary&) = delete;
  Boundary& operator=(const Boundary&) = delete;
  size_t nodes = 0;  // of the graph

 private:
  void begin();
  void end();
  uint64_t profile_ = 0;
  double start_ = 0;
};

void planned(double start);  // in milliseconds(), until now

// One step of a plan; site -1: not profiled.
class KernelSpan {
 public:
  explicit KernelSpan(int site) : site_(site) {
    if (site_ >= 0) begin();
  }
  ~KernelSpan() {
    if (site_ >= 0) end();
  }
  KernelSpan(const KernelSpan&) = delete;
  KernelSpan& operator=(const KernelSpan&) = delete;

 private:
  void begin();
  void end();
  int site_;
  uint64_t profile_ = 0;
  double start_ = 0;
};
// The step that this thread runs, -1 if none.
int current_site();

// What a worker of a pool does for a step; site -1: work of no plan.
class WorkerSpan {
 public:
  WorkerSpan(int worker, int site) : worker_(worker), site_(site) {
    if (site_ >= 0) begin();
  }
  ~WorkerSpan() {
    if (site_ >= 0) end();
  }
  WorkerSpan(const WorkerSpan&) = delete;
  WorkerSpan& operator=(const WorkerSpan&) = delete;

 private:
  void begin();
  void end();
  const int worker_, site_;
  uint64_t profile_ = 0;
  double start_ = 0;
};

}  // namespace profiler
}  // namespace glia
