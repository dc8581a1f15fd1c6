#include "core/node.h"

#include <cstring>

#include "core/op.h"
#include "glia/runtime.h"

namespace glia {
namespace {

// A pending chain this long is computed when it gets longer, so that no loop grows without end.
constexpr uint32_t kMaxDepth = 4096;
constexpr int64_t kMaxPendingNodes = 1 << 16;

struct ThreadState {
  bool grad_enabled = true;
  bool recording_gradients = false;
  uint64_t sequence = 0;
  int64_t pending_nodes = 0;
  int64_t pending_bytes = 0;
  std::vector<void*> free_nodes;
  ~ThreadState() {
    for (void* p : free_nodes) ::operator delete(p);
    free_nodes.clear();
    gone = true;
  }
  static thread_local bool gone;
};
thread_local bool ThreadState::gone = false;
thread_local ThreadState state;

constexpr size_t kMaxFreeNodes = 8192;
std::atomic<int64_t> live{0};

Node* new_node() {
  void* memory;
  if (!state.free_nodes.empty()) {
    memory = state.free_nodes.back();
    state.free_nodes.pop_back();
  } else {
    memory = ::operator new(sizeof(Node));
    live.fetch_add(1, std::memory_order_relaxed);
  }
  return ::new (memory) Node;
}

void delete_node(Node* node) {
  if (node->inputs != node->inline_inputs) delete[] node->inputs;
  if (node->attributes != node->inline_attributes) delete[] node->attributes;
  delete node->custom;
  node->~Node();
  if (!ThreadState::gone && state.free_nodes.size() < kMaxFreeNodes) {
    state.free_nodes.push_back(node);
  } else {
    ::operator delete(node);
    live.fetch_sub(1, std::memory_order_relaxed);
  }
}

int64_t pending_bytes_limit() {
  static const int64_t limit = physical_memory() / 2;
  return limit;
}

}  // namespace

int64_t live_nodes() {
  return live.load() - static_cast<int64_t>(state.free_nodes.size());
}

std::recursive_mutex& graph_lock() {
  static std::recursive_mutex* lock = new std::recursive_mutex;  // outlives static tensors
  return *lock;
}
uint64_t next_mark() {
  static uint64_t mark = 0;
  return ++mark;
}

bool grad_enabled() { return state.grad_enabled; }
bool set_grad_enabled(bool on) { return std::exchange(state.grad_enabled, on); }
bool& recording_gradients() { return state.recording_gradients; }
void reset_pending() { state.pending_nodes = state.pending_bytes = 0; }

NoGrad::NoGrad() : previous_(set_grad_enabled(false)) {}
NoGrad::~NoGrad() { set_grad_enabled(previous_); }

void release(Node* node, uint64_t count) {
  if (static_cast<uint32_t>(node->counts.fetch_sub(count, std::memory_order_acq_rel)) !=
      static_cast<uint32_t>(count))
    return;
  // The last reference: free this node and, one by one, what only it kept alive.
  Node* pending = nullptr;  // linked through Node::memory-free field `inputs` is still needed
  std::vector<Node*> stack;
  for (;;) {
    node_gone(node);
    for (Node* in : node->input_span()) {
      if (static_cast<uint32_t>(in->counts.fetch_sub(1, std::memory_order_acq_rel)) == 1)
        stack.push_back(in);
    }
    delete_node(node);
    if (stack.empty()) break;
    node = stack.back();
    stack.pop_back();
  }
  (void)pending;
}

}  // namespace glia
