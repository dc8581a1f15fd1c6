#include "core/node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

#include "core/op.h"
#include "core/with_dtype.h"
#include "glia/runtime.h"

namespace glia {
namespace {

// What is pending is computed when it exceeds these, so that no loop can grow it without end.
constexpr uint32_t kMaxDepth = 4096;
constexpr int64_t kMaxPendingNodes = 1 << 16;
constexpr int64_t kMaxFreeNodes = 1 << 14;
constexpr int64_t kLargeBytes = 1 << 24;
constexpr int64_t kMaxHeldBytes = 1 << 28;  // by pending values that are small themselves
constexpr int kThreadShift = 40;            // of Node::sequence

constexpr std::align_val_t kLine{64};  // of cache

std::atomic<int64_t> allocated_nodes{0};
// No constructor and no destructor, so that access costs nothing.
struct ThreadState {
  bool grad_enabled = true;
  bool recording_gradients = false;
  RecordHook hook = nullptr;
  bool symbolic = false;
  bool ended = false;  // the thread's list of free nodes is gone
  bool cleans_up = false;
  const std::source_location* composed_at = nullptr;  // while composing: the macro op's line
  uint64_t sequence = 0;  // of the last node; the upper bits are the thread's own
  int64_t pending_nodes = 0;
  int64_t pending_bytes = 0;
  struct FreeNode {
    FreeNode* next;
  }* free_nodes = nullptr;
  int64_t free_count = 0;
  std::vector<CustomRule*>* dead_rules = nullptr;  // while some are deleted: those that follow
};
constinit thread_local ThreadState state;

// Gives the thread's free nodes back when it ends.
struct CleanUp {
  ~CleanUp() {
    state.ended = true;
    allocated_nodes.fetch_sub(state.free_count);
    while (auto* node = state.free_nodes) {
      state.free_nodes = node->next;
      ::operator delete(node, kLine);
    }
    state.free_count = 0;
  }
};

// A list of nodes that does not keep them alive: they leave it when they die. A node is in one at
// most, and a member says so. All lists are guarded by list_mutex.
std::mutex list_mutex;
class NodeList {
 public:
  explicit NodeList(bool Node::*listed) : listed_(listed) {}
  // Whether the node was not listed before.
  bool add(Node* node) {
    if (std::exchange(node->*listed_, true)) return false;
    node->list_previous = nullptr;
    node->list_next = head_;
    if (head_) head_->list_previous = node;
    head_ = node;
    return true;
  }
  bool remove(Node* node) {
    if (!std::exchange(node->*listed_, false)) return false;
    (node->list_previous ? node->list_previous->list_next : head_) = node->list_next;
    if (node->list_next) node->list_next->list_previous = node->list_previous;
    return true;
  }
  // Those for which f holds, each with a reference more, the oldest first.
  template <class F>
  std::vector<Node*> retained(F&& f) const {
    std::vector<Node*> out;
    std::lock_guard hold(list_mutex);
    for (Node* node = head_; node; node = node->list_next) {
      if (f(*node) && static_cast<uint32_t>(node->counts.add_unless_dead(1)) != 0)
        out.push_back(node);
    }
    std::ranges::reverse(out);
    return out;
  }

 private:
  bool Node::*const listed_;
  Node* head_ = nullptr;
};
NodeList history_list(&Node::in_history), pending_list(&Node::holds_large);
int64_t visits = 0;

// Gives back the source that the node held on to.
Node* leave_history(Node* node) {
  std::lock_guard hold(list_mutex);
  return history_list.remove(node) ? node->history_source : nullptr;
}

inline uint64_t next_sequence() {
  if (state.sequence == 0) [[unlikely]] {
    static std::atomic<uint64_t> threads{0};
    state.sequence = threads.fetch_add(1, std::memory_order_relaxed) << kThreadShift;
  }
  return ++state.sequence;
}

inline Node* new_node(const Op& op, const Shape& shape, DType dtype) {
  void* memory = state.free_nodes;
  if (memory) {
    state.free_nodes = state.free_nodes->next;
    --state.free_count;
  } else {
    memory = ::operator new(sizeof(Node), kLine);
    allocated_nodes.fetch_add(1, std::memory_order_relaxed);
  }
  return ::new (memory) Node(op, shape, dtype, next_sequence());
}

// One after the other what the rule kept alive, which may have rules of its own: a chain of
// checkpoints does not recurse.
void delete_rule(CustomRule* rule) {
  if (!rule) return;
  if (state.dead_rules) return state.dead_rules->push_back(rule);
  std::vector<CustomRule*> dead{rule};
  state.dead_rules = &dead;
  while (!dead.empty()) {
    rule = dead.back();
    dead.pop_back();
    delete rule;
  }
  state.dead_rules = nullptr;
}

void delete_node(Node* node) {
  if (node->inputs != node->inline_inputs) delete[] node->inputs;
  if (node->first_word != node->inline_words) delete[] node->first_word;
  delete_rule(node->custom);
  node->~Node();
  if (state.ended || state.free_count >= kMaxFreeNodes) {
    ::operator delete(node, kLine);
    allocated_nodes.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  if (!state.cleans_up) {
    static thread_local CleanUp at_thread_end;
    (void)at_thread_end;
    state.cleans_up = true;
  }
  state.free_nodes = ::new (node) ThreadState::FreeNode{state.free_nodes};
  ++state.free_count;
}

inline bool drop_reference(Node* node, uint64_t count) {
  return static_cast<uint32_t>(node->counts.add(-count)) == 1;
}

// Frees a node without references and, one after the other, all that only it kept alive.
void free_graph(Node* node) {
  std::vector<Node*> dead;
  for (;;) {
    if (node->in_history) {
      Node* source = leave_history(node);
      if (drop_reference(source, 1)) dead.push_back(source);
    }
    if (node->holds_large) leave_pending(node);
    for (Node* in : node->input_span()) {
      if (drop_reference(in, 1)) dead.push_back(in);
    }
    delete_node(node);
    if (dead.empty()) return;
    node = dead.back();
    dead.pop_back();
  }
}

// What the graph alone keeps in memory for the sake of these pending nodes.
int64_t bytes_held(std::span<Node* const> nodes) {
  std::lock_guard hold(graph_lock());
  const uint64_t mark = next_mark();
  int64_t bytes = 0;
  std::vector<Node*> stack(nodes.begin(), nodes.end());
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (node->mark == mark) continue;
    node->mark = mark;
    if (!node->is_computed())
      stack.insert(stack.end(), node->inputs, node->inputs + node->input_count);
    else if (node->handles() == 0)
      bytes += node->bytes();
  }
  return bytes;
}

// A small value that is made of a large one was recorded, and may be kept for long while it is
// pending. When memory has grown by what such values may hold, looks whether it is they, and then
// computes those of this thread.
void note_pending(Node* node) {
  static int64_t least = 0;  // memory in use since that was last looked at
  const int64_t in_use = memory_in_use();
  {
    std::lock_guard hold(list_mutex);
    pending_list.add(node);
    least = std::min(least, in_use);
    if (in_use - least <= kMaxHeldBytes) return;
    least = in_use;
  }
  const auto thread = node->sequence >> kThreadShift;
  const Retained pending{
      pending_list.retained([&](const Node& n) { return n.sequence >> kThreadShift == thread; })};
  if (bytes_held(pending.nodes) > kMaxHeldBytes / 2) evaluate(pending.nodes);
  std::lock_guard again(list_mutex);
  least = memory_in_use();
}

Tensor scalar_node(uint64_t bits, DType dtype) {
  Node* node = new_node(state.composed_at ? kConstantOp : kScalarOp, Shape(), dtype);
  node->word_count = 1;
  *node->first_word = static_cast<int64_t>(bits);
  return Tensor::adopt(node);
}

template <class T>
uint64_t bits_of(T value) {
  uint64_t bits = 0;
  std::copy_n(reinterpret_cast<const char*>(&value), sizeof(T), reinterpret_cast<char*>(&bits));
  return bits;
}

// Throws if there is no array of that shape.
inline int64_t checked_bytes(const Node& node) {
  try {
    return node.bytes();
  } catch (const ShapeError& error) {
    fail(node.op->name, error.what(), node.where);
  }
}

}  // namespace

int64_t live_nodes() { return allocated_nodes.load() - state.free_count; }

int64_t physical_memory() {
  static const int64_t bytes =
      static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  return bytes;
}

void hold_lists(bool on) { on ? list_mutex.lock() : list_mutex.unlock(); }

uint64_t next_mark() {
  static uint64_t mark = 0;
  return ++mark;
}

constinit std::atomic<int8_t> eager_mode{-1};
bool grad_enabled() { return state.grad_enabled; }
bool set_grad_enabled(bool on) { return std::exchange(state.grad_enabled, on); }
bool set_symbolic(bool on) { return std::exchange(state.symbolic, on); }
bool symbolic() { return state.symbolic; }
bool& recording_gradients() { return state.recording_gradients; }
RecordHook set_record_hook(RecordHook hook) { return std::exchange(state.hook, hook); }
void reset_pending() { state.pending_nodes = state.pending_bytes = 0; }

Composing::Composing(const std::source_location& where)
    : previous_(std::exchange(state.composed_at, &where)) {}
Composing::~Composing() { state.composed_at = previous_; }
bool composing() { return state.composed_at != nullptr; }

NoGrad::NoGrad() : previous_(set_grad_enabled(false)) {}
NoGrad::~NoGrad() { set_grad_enabled(previous_); }

void release(Node* node, uint64_t count) {
  if (drop_reference(node, count)) free_graph(node);
}

void drop_inputs(Node* node) {
  if (node->in_history) release(leave_history(node));
  const int32_t count = std::exchange(node->input_count, 0);
  for (int32_t i = 0; i < count; ++i) release(node->inputs[i]);
  delete_rule(std::exchange(node->custom, nullptr));
}

void keep_history(Node* node, Node* source) {
  std::lock_guard hold(list_mutex);
  if (!history_list.add(node)) return;
  source->retain();
  node->history_source = source;
}

void leave_pending(Node* node) {
  std::lock_guard hold(list_mutex);
  pending_list.remove(node);
}

void renew(Node* node) { node->sequence = next_sequence(); }

Node* history_source(std::span<Node* const> nodes, History history) {
  const uint64_t mark = next_mark();
  const auto is_source = [&](const Node& n) {
    return n.handles() > 0 && (n.trainable || history == History::kOfHeld);
  };
  std::vector<Node*> stack(nodes.begin(), nodes.end());
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (!node->needs_grad || node->mark == mark) continue;
    node->mark = mark;
    ++visits;
    if (node->trainable) {
      if (is_source(*node)) return node;
      continue;
    }
    // What was found for a listed node holds for all that is made from it.
    if (node->in_history && is_source(*node->history_source)) return node->history_source;
    for (Node* in : node->input_span()) {
      if (in->needs_grad && is_source(*in)) return in;
      stack.push_back(in);
    }
  }
  return nullptr;
}

int64_t history_visits() { return visits; }

void end_dead_histories() {
  const auto any = [](const Node&) { return true; };
  // The oldest first: what is found there is not searched again from what was made of it.
  for (Node* node : history_list.retained(any)) {
    Node* const source = history_source({&node, 1}, History::kOfTrainable);
    if (!source) {
      node->history_ended = true;
      drop_inputs(node);
    } else if (source != node->history_source) {
      source->retain();
      release(std::exchange(node->history_source, source));
    }
    release(node);
  }
}

namespace {
// What a large node adds to the budget. An elementwise operation fuses with what uses it: its
// result may never lie in memory, however large, but what it reads stays there.
int64_t bytes_at_stake(const Node& node) {
  if (node.op->kind != Kind::kElementwise) return node.bytes();
  std::lock_guard hold(graph_lock());
  int64_t read = 0;
  for (int32_t i = 0; i < node.input_count; ++i) {
    const Node* in = node.inputs[i];
    while (!in->is_computed() && in->op->kind == Kind::kView) in = in->inputs[0];
    if (in->is_computed() && in->memory) read += static_cast<int64_t>(in->memory->bytes);
  }
  return std::min(read, node.bytes());
}
// What is seldom done with what was recorded: shown, computed at once, watched since it is small
// and made of something large.
[[gnu::noinline]] void look_after(const Tensor& result, bool too_much, bool small_of_large) {
  Node* const node = result.node();
  if (state.hook && !state.symbolic) state.hook(result);
  const Op& op = *node->op;
  const bool single = op.outputs == 1 && op.kind != Kind::kOutput && !op.deferred;
  if (!single || state.symbolic) return;
  if (too_much || eager())
    evaluate({&node, 1});
  else if (small_of_large)
    note_pending(node);
}

}  // namespace

Tensor record(const Op& op, std::span<Node* const> inputs, const Shape& shape, DType dtype,
              AttributeWords attributes, const std::source_location& where) {
  Node* node = new_node(op, shape, dtype);
  node->where = state.composed_at ? *state.composed_at : where;
  if (inputs.size() > Node::kInline) node->inputs = new Node*[inputs.size()];
  uint32_t depth = 0;
  int32_t count = 0;
  bool needs_grad = false, of_large = false;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Node* in = inputs[i];
    if (!in) [[unlikely]] {
      node->absent |= 1u << i;
      continue;
    }
    in->retain();
    node->inputs[count++] = in;
    needs_grad |= in->needs_grad;
    of_large |= in->large;
    if (!in->is_computed()) {
      depth = std::max(depth, in->depth);
      if (state.recording_gradients && in->plan_id != 0) note_wanted(*in);
    }
  }
  node->input_count = count;
  node->depth = depth + 1;
  node->needs_grad = needs_grad && state.grad_enabled && is_float(dtype);
  const std::span<const int64_t> words = attributes.span();
  node->word_count = static_cast<uint16_t>(words.size());
  if (words.size() > Node::kInline) node->first_word = new int64_t[words.size()];
  std::ranges::copy(words, node->first_word);

  Tensor result = Tensor::adopt(node);
  static const int64_t bytes_limit = physical_memory() / 2;
  state.pending_nodes += 1;
  const int64_t bytes = checked_bytes(*node);
  const bool view = op.kind == Kind::kView;
  if (!view && !op.deferred)
    state.pending_bytes += bytes > kLargeBytes ? bytes_at_stake(*node) : bytes;
  node->large = bytes >= Node::kLargeBytes || (view && of_large);
  const bool too_much = node->depth > kMaxDepth || state.pending_nodes > kMaxPendingNodes ||
                        state.pending_bytes > bytes_limit;
  const bool small_of_large = of_large && !node->large;
  if (small_of_large || too_much || state.hook || eager_mode.load(std::memory_order_relaxed) != 0)
      [[unlikely]]
    look_after(result, too_much, small_of_large);
  return result;
}

Tensor host_scalar(double value, DType dtype) {
  switch (dtype) {
    case kF32:
      return scalar_node(bits_of(static_cast<float>(value)), dtype);
    case kF64:
      return scalar_node(bits_of(value), dtype);
    case kBF16:
      return scalar_node(bits_of(bfloat16(static_cast<float>(value))), dtype);
    case kF16:
      return scalar_node(bits_of(float16(static_cast<float>(value))), dtype);
    case kBool:
      return scalar_node(value != 0, dtype);
    default:
      return host_scalar_i64(convert<int64_t>(value), dtype);
  }
}

Tensor constant(double value, DType dtype) {
  static const std::source_location nowhere;
  const Composing on(nowhere);
  return host_scalar(value, dtype);
}

Tensor copy_of_scalar(const Node& node) {
  Node* copy = new_node(*node.op, Shape(), node.dtype);
  copy->word_count = 1;
  *copy->first_word = *node.first_word;
  return Tensor::adopt(copy);
}

Tensor host_scalar_i64(int64_t value, DType dtype) {
  switch (dtype) {
    case kI64:
      return scalar_node(bits_of(value), dtype);
    case kI32:
      return scalar_node(bits_of(static_cast<int32_t>(value)), dtype);
    case kI8:
      return scalar_node(bits_of(static_cast<int8_t>(value)), dtype);
    case kU8:
      return scalar_node(bits_of(static_cast<uint8_t>(value)), dtype);
    default:
      return host_scalar(static_cast<double>(value), dtype);
  }
}

void require_fit(const char* op, const Number& number, DType dtype,
                 const std::source_location& where) {
  if (!is_integer(dtype)) return;
  const int64_t low = lowest_of(dtype), high = highest_of(dtype);
  if (number.is_exact() ? !lies_within(number.integer(), low, high)
                        : !lies_within(number.value(), low, high))
    throw ValueError(fmt::format("{}: {} does not fit {}, which holds {} to {}", op, number.str(),
                                 name(dtype), low, high),
                     where);
}

Tensor host_number(const char* op, const Number& number, DType dtype,
                   const std::source_location& where) {
  require_fit(op, number, dtype, where);
  if (!is_integer(dtype)) return host_scalar(number.value(), dtype);
  return host_scalar_i64(
      number.is_exact() ? number.integer() : static_cast<int64_t>(number.value()), dtype);
}

Tensor leaf(MemoryRef memory, int64_t offset, const Shape& shape, DType dtype) {
  Node* node = new_node(kLeafOp, shape, dtype);
  node->memory = std::move(memory);
  node->offset = offset;
  node->large = node->bytes() >= Node::kLargeBytes;
  node->set_computed();
  return Tensor::adopt(node);
}

}  // namespace glia
