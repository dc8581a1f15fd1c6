// The graph: a node, its memory, and how one is recorded.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <source_location>
#include <span>
#include <utility>
#include <vector>

#include "core/count.h"
#include "core/graph_lock.h"
#include "glia/dtype.h"
#include "glia/op.h"
#include "glia/shape.h"
#include "glia/tensor.h"

namespace glia {

// Bytes shared by their users. src/runtime/memory.cpp hands them out and caches freed ones.
struct Memory {
  std::atomic<int32_t> references{1};
  void* data = nullptr;
  size_t bytes = 0;                   // capacity
  std::shared_ptr<const void> owner;  // of external memory: what keeps it alive
};
Memory* allocate_memory(size_t bytes);  // aligned to 64 bytes
int64_t memory_in_use();                // MemoryStats::in_use
void free_memory(Memory* m);            // called when the last reference has gone

class MemoryRef {
 public:
  MemoryRef() = default;
  explicit MemoryRef(Memory* m) : m_(m) {}  // takes over one reference
  MemoryRef(const MemoryRef& o) : m_(o.m_) {
    if (m_) m_->references.fetch_add(1, std::memory_order_relaxed);
  }
  MemoryRef(MemoryRef&& o) noexcept : m_(std::exchange(o.m_, nullptr)) {}
  MemoryRef& operator=(MemoryRef o) noexcept {
    std::swap(m_, o.m_);
    return *this;
  }
  ~MemoryRef() {
    if (m_ && m_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) free_memory(m_);
  }
  Memory* operator->() const { return m_; }
  Memory* get() const { return m_; }
  explicit operator bool() const { return m_ != nullptr; }

 private:
  Memory* m_ = nullptr;
};

// backward(arguments, out, gradient) -> a gradient for each argument.
using CustomRule =
    std::function<std::vector<Tensor>(const std::vector<Tensor>&, const Tensor&, const Tensor&)>;

// In flight: a thread is computing it; see core/graph_lock.h.
enum class Progress : uint8_t { kPending, kInFlight, kComputed };

// One operation's result, before and after it was computed; row-major and contiguous then.
struct Node {
  static constexpr int kInline = 4;
  static constexpr uint64_t kHandle = (uint64_t{1} << 32) + 1;
  static constexpr int64_t kLargeBytes = 1 << 16;

  // A line of cache for what every pass over a graph reads, one for what a walk adds, and one
  // that completes what recording writes of an operation on few axes.
  Count counts{kHandle};  // low half: all references; high half: those held by Tensor handles
  const Op* op;
  Node** inputs = inline_inputs;
  int64_t* first_word = inline_words;  // the attributes; of a kScalar the number's bits
  int32_t input_count = 0;
  uint16_t word_count = 0;
  uint16_t absent = 0;  // of a macro op: a bit for each input that was not given
  // Scratch of graph walks, guarded by graph_lock().
  uint64_t mark = 0;
  uint32_t index;
  uint32_t uses;

  Node* inline_inputs[kInline];
  DType dtype;
  bool needs_grad = false;
  bool trainable = false;      // a leaf to which gradients flow
  bool history_ended = false;  // the inputs are gone although needs_grad was set
  bool in_history = false;     // listed by keep_history()
  bool large = false;          // it, or what it is a view of, has kLargeBytes or more
  bool holds_large = false;    // listed while pending: itself small, made of something large
  std::atomic<Progress> progress{Progress::kPending};
  uint32_t depth = 0;  // uncomputed operations on the longest way here when recorded
  // The plan that computed through this node without keeping its value; 0: none.
  uint32_t plan_id = 0;
  MemoryRef memory;
  CustomRule* custom = nullptr;  // of an alias that carries its own derivative

  int64_t offset = 0;  // of the value within memory, in bytes
  std::source_location where;
  // Order of recording in its thread. No other node has the same, nor has this one after its value
  // was written in place: what is kept of a value is known by its node and this.
  uint64_t sequence;
  Shape shape;  // up to rank 4 the rest of it is not touched
  int64_t inline_words[kInline];

  uint32_t plan_index;  // the place in that plan

  // Links of the list that it is in: see in_history and holds_large.
  Node* list_next;
  Node* list_previous;
  union {
    Node* history_source;  // while in_history: the tensor for whose sake it keeps its inputs
    uint64_t place;        // if trainable: the variable whose value it is or was, 0: of none
  };

  // A node with one reference, a handle's.
  Node(const Op& op, const Shape& shape, DType dtype, uint64_t sequence)
      : op(&op), dtype(dtype), sequence(sequence), shape(shape) {}
  void set_trainable(uint64_t of_place) {
    trainable = needs_grad = true;
    place = of_place;
  }

  void retain() { counts.add(1); }
  uint32_t references() const { return static_cast<uint32_t>(counts.value()); }
  uint32_t handles() const { return counts.value() >> 32; }
  std::span<Node* const> input_span() const { return {inputs, static_cast<size_t>(input_count)}; }
  // How many inputs there are with those that were not given, and where among `inputs` one of them
  // is: -1 if it was not.
  int slots() const { return input_count + std::popcount(absent); }
  int place_of(int slot) const {
    if (absent == 0) return slot;
    if (absent >> slot & 1) return -1;
    return slot - std::popcount(absent & ((1u << slot) - 1));
  }
  AttributeWords words() const {
    return AttributeWords({first_word, static_cast<size_t>(word_count)});
  }
  template <Attributes A>
  A attributes() const {
    return words().as<A>();
  }
  bool is_computed() const {
    return progress.load(std::memory_order_acquire) == Progress::kComputed;
  }
  // Under graph_lock(); of a pending one the inputs stay as they are while that is held.
  bool is_pending() const { return progress.load(std::memory_order_relaxed) == Progress::kPending; }
  bool in_flight() const { return progress.load(std::memory_order_relaxed) == Progress::kInFlight; }
  // After its memory was set.
  void set_computed() { progress.store(Progress::kComputed, std::memory_order_release); }
  void* data() const { return static_cast<char*>(memory->data) + offset; }
  int64_t bytes() const { return shape.numel() * static_cast<int64_t>(size_of(dtype)); }
};

// Drops one reference; frees the node, and without recursion all it alone kept, at zero.
void release(Node* node, uint64_t count = 1);
// References to nodes, as the graph has them: handles would say that somebody may ask for
// gradients.
struct Retained {
  std::vector<Node*> nodes;
  ~Retained() {
    for (Node* node : nodes) release(node);
  }
};
// Lets go of the inputs: the node is a leaf from now on. Under graph_lock().
void drop_inputs(Node* node);
// Who may ask for gradients through what is computed: who holds a tensor behind it that requires
// one; but an optimizer's step ends all histories except those of trainable tensors that are held.
enum class History { kOfHeld, kOfTrainable };
// Lists a computed node whose inputs gradients() may still ask for, as long as `source` is held.
// Under graph_lock().
void keep_history(Node* node, Node* source);
// Drops the inputs of listed nodes through which no held trainable tensor can be reached.
void end_dead_histories();
// A held tensor behind these nodes, for which gradients() could be asked through them, or null.
// Under graph_lock().
Node* history_source(std::span<Node* const> nodes, History history);
// How many nodes history_source() has gone through, for tests.
int64_t history_visits();
// The node is computed now: it holds nothing large any more.
void leave_pending(Node* node);
// Its value was written in place: nothing that was kept of it is right. Nobody else refers to it.
void renew(Node* node);

inline Tensor handle(Node* node) {
  node->counts.add(Node::kHandle);
  return Tensor::adopt(node);
}

// A number that is part of the key, as every one is while Composing: where a composition and its
// gradient both use one, a plan knows that it is the same.
Tensor constant(double value, DType dtype);
Tensor copy_of_scalar(const Node& node);
// host_scalar() of a number that a user gave: throws as require_fit() does. Fractions are cut off.
Tensor host_number(const char* op, const Number& number, DType dtype,
                   const std::source_location& where = {});
// Throws ValueError naming op, number and dtype when an integer dtype does not hold the number.
void require_fit(const char* op, const Number& number, DType dtype,
                 const std::source_location& where = {});
// A computed leaf over existing bytes.
Tensor leaf(MemoryRef memory, int64_t offset, const Shape& shape, DType dtype);

// Keeps other threads from changing lists of nodes, around a fork().
void hold_lists(bool on);
// A fresh value for Node::mark; under graph_lock().
uint64_t next_mark();

// GLIA_EAGER or set_eager(); below 0 until eager() is asked for the first time.
extern std::atomic<int8_t> eager_mode;
bool grad_enabled();
bool set_grad_enabled(bool on);  // returns the previous setting
// While on, this thread's records are never computed at once: their structure is what matters.
bool set_symbolic(bool on);
bool symbolic();
// On while one lives.
class Symbolic {
 public:
  Symbolic() : previous_(set_symbolic(true)) {}
  ~Symbolic() { set_symbolic(previous_); }
  Symbolic(const Symbolic&) = delete;
  Symbolic& operator=(const Symbolic&) = delete;

 private:
  const bool previous_;
};
// While one lives, this thread records what a macro op stands for: as an operation of that line,
// and in the dtypes that it was recorded with.
class Composing {
 public:
  explicit Composing(const std::source_location& where);
  ~Composing();
  Composing(const Composing&) = delete;
  Composing& operator=(const Composing&) = delete;

 private:
  const std::source_location* const previous_;
};
bool composing();
// Counts recorded gradients of nodes that a plan computed but did not keep; see graph/evaluate.cpp.
bool& recording_gradients();
// What this thread calls with each tensor that it records; null: nothing. Returns what it was.
using RecordHook = void (*)(const Tensor&);
RecordHook set_record_hook(RecordHook hook);

// Implemented by src/graph: computes these nodes, and with them what else is held.
void evaluate(std::span<Node* const> roots, History history = History::kOfHeld);
// Implemented by src/graph: this uncomputed input of a gradient would better have been kept.
void note_wanted(const Node& node);

int64_t live_nodes();
// Starts a new count of what this thread has recorded since it last computed something.
void reset_pending();
// The machine's memory in bytes.
int64_t physical_memory();
// What one request to allocate_memory() may be at most; unless said, the machine's memory.
void limit_memory(int64_t bytes);

}  // namespace glia
