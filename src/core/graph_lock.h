// The graph's lock, and what threads compute without it.
//
// A plan runs, and a step in place writes, in a Flight: under the lock it says which nodes others
// can reach that are being computed, and then lets go of the lock. Whoever goes from such a node to
// its inputs, which the flight may overwrite, waits until the node has its value, or is pending
// again because the flight failed.
//
// In which order locks are taken: the graph's, a variable's places (by Node::place), then those
// that are held for moments and within which none is taken: lists of nodes, biases, memory, the
// profiler. Neither is held while something runs, but for places that a step in place writes.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <span>

namespace glia {

struct Node;

// A thread may take it again while it has it.
class GraphLock {
 public:
  void lock();
  void unlock();
  // Lets others have it, however often this thread has taken it, until done() holds.
  template <class Done>
  void wait(Done&& done) {
    const Holder mine{owner_.load(std::memory_order_relaxed), depth_};
    owner_.store(nullptr, std::memory_order_relaxed);
    std::unique_lock hold(mutex_, std::adopt_lock);
    ++waiting_;
    changed_.wait(hold, done);
    --waiting_;
    hold.release();
    owner_.store(mine.thread, std::memory_order_relaxed);
    depth_ = mine.depth;
  }
  // What somebody waits for may hold now.
  void notify() {
    if (waiting_ > 0) changed_.notify_all();
  }
  // In a child process, held as often as in its parent.
  void renew();

 private:
  struct Holder {
    const void* thread;
    int depth;
  };

  std::mutex mutex_;
  std::atomic<const void*> owner_{nullptr};
  int depth_ = 0, waiting_ = 0;
  std::condition_variable changed_;
};
// Held while the graph's structure is walked or changed.
GraphLock& graph_lock();

// What this thread computes after it has let go of the lock. Begins and ends under graph_lock().
class Flight {
 public:
  // These pending nodes are in flight until it ends; those that have no value then are pending.
  explicit Flight(std::span<Node* const> nodes = {});
  ~Flight();
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  bool is_of(const Node& node) const;
  const void* thread() const { return thread_; }
  Flight* next() const { return next_; }

 private:
  const std::span<Node* const> nodes_;
  const void* const thread_;
  Flight *next_, *previous_ = nullptr;
};

// All under graph_lock(). Waits until the node is not in flight any more; throws where it would
// wait for itself, in an operation that evaluates. The graph may be another then: whoever walks it
// begins anew.
void wait_for(Node* node);
// Before a flight is prepared: fork() waits for those that have begun, and these come after it.
void let_fork_pass();
// Until the lock is free, no other thread computes.
void end_flights();
// In a child process.
void forget_waiters();

}  // namespace glia
