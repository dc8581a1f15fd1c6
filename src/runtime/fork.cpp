// What a child process that fork() made must put in order before it may compute: it has only the
// thread that forked.
#include <pthread.h>

#include <atomic>

#include "core/count.h"
#include "core/node.h"
#include "core/variable.h"
#include "runtime/threads.h"

namespace glia {

void hold_memory(bool on);  // src/runtime/memory.cpp

std::atomic<uint32_t> process_generation{1};

namespace {

// Others neither compute nor change the graph nor hold a lock while the process is copied.
void before() {
  graph_lock().lock();
  end_flights();
  hold_lists(true);
  hold_biases(true);
  hold_memory(true);
}
void after() {
  hold_memory(false);
  hold_biases(false);
  hold_lists(false);
}
void in_parent() {
  after();
  graph_lock().unlock();
}
void in_child() {
  process_generation.fetch_add(1, std::memory_order_relaxed);
  after();
  graph_lock().renew();
  forget_waiters();
  graph_lock().unlock();
  end_other_biases();
  renew_pools();
}

[[maybe_unused]] const int registered = pthread_atfork(before, in_parent, in_child);

}  // namespace
}  // namespace glia
