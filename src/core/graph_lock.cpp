#include "core/graph_lock.h"

#include <algorithm>
#include <new>
#include <vector>

#include "core/node.h"
#include "glia/error.h"

namespace glia {
namespace {

// Its address names the thread.
thread_local char tag;

// All under graph_lock().
Flight* flights = nullptr;
int flying = 0;   // how many there are
int forking = 0;  // threads that wait for all to end
thread_local int own_flights = 0;

struct Waiter {
  const void* thread;
  const Node* node;
};
std::vector<Waiter>& waiters() {
  static auto* all = new std::vector<Waiter>;
  return *all;
}

const Flight* flight_of(const Node& node) {
  const Flight* f = flights;
  while (f && !f->is_of(node)) f = f->next();
  return f;
}

// This thread computes the node, or one that does waits for what this thread computes.
void require_no_circle(const Node& node) {
  for (const Flight* f = flight_of(node); f;) {
    if (f->thread() == &tag)
      throw Error(std::string(node.op->name) +
                      ": evaluated within an operation that must end before it has a value",
                  node.where);
    const auto waits = std::ranges::find(waiters(), f->thread(), &Waiter::thread);
    f = waits == waiters().end() ? nullptr : flight_of(*waits->node);
  }
}

}  // namespace

void GraphLock::lock() {
  if (owner_.load(std::memory_order_relaxed) == &tag) {
    ++depth_;
    return;
  }
  mutex_.lock();
  owner_.store(&tag, std::memory_order_relaxed);
  depth_ = 1;
}

void GraphLock::unlock() {
  if (--depth_ > 0) return;
  owner_.store(nullptr, std::memory_order_relaxed);
  mutex_.unlock();
}

void GraphLock::renew() {
  const int depth = depth_;
  ::new (this) GraphLock;
  mutex_.lock();
  owner_.store(&tag, std::memory_order_relaxed);
  depth_ = depth;
}

GraphLock& graph_lock() {
  static auto* lock = new GraphLock;  // outlives tensors of static storage
  return *lock;
}

Flight::Flight(std::span<Node* const> nodes) : nodes_(nodes), thread_(&tag), next_(flights) {
  for (Node* node : nodes_) node->progress.store(Progress::kInFlight, std::memory_order_relaxed);
  if (flights) flights->previous_ = this;
  flights = this;
  ++flying;
  ++own_flights;
}

Flight::~Flight() {
  for (Node* node : nodes_) {
    if (node->in_flight()) node->progress.store(Progress::kPending, std::memory_order_relaxed);
  }
  (previous_ ? previous_->next_ : flights) = next_;
  if (next_) next_->previous_ = previous_;
  --flying;
  --own_flights;
  graph_lock().notify();
}

bool Flight::is_of(const Node& node) const { return std::ranges::count(nodes_, &node) > 0; }

void wait_for(Node* node) {
  if (own_flights > 0) require_no_circle(*node);
  node->retain();
  waiters().push_back({&tag, node});
  graph_lock().wait([&] { return !node->in_flight(); });
  std::erase_if(waiters(), [](const Waiter& w) { return w.thread == &tag; });
  release(node);
}

void let_fork_pass() {
  if (forking == 0 || own_flights > 0) return;
  graph_lock().wait([] { return forking == 0; });
}

void end_flights() {
  ++forking;
  graph_lock().wait([] { return flying == own_flights; });
  --forking;
  graph_lock().notify();
}

void forget_waiters() {
  waiters().clear();
  forking = 0;
}

}  // namespace glia
