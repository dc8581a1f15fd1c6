#include "core/op.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "core/node.h"

// The bounds of this shared library, which the linker knows.
extern "C" {
extern const char __ehdr_start __attribute__((visibility("hidden")));
extern const char _end __attribute__((visibility("hidden")));
}

namespace glia {
namespace {

struct Registry {
  std::mutex lock;
  std::vector<const Op*> ops;
};
Registry& registry() {
  static auto* all = new Registry;
  return *all;
}

void pass_through(Vjp& v) { v.set(0, v.g()); }

void read_placeholder(const KernelCall&) {
  throw ValueError("vmap: a value inside the function stands for many examples and cannot be read");
}

bool same_layout(const Recorded&, const Layout& in, Layout* out) {
  *out = in;
  return true;
}
Tensor batch_alias(const Recorded& one, std::span<const Tensor> inputs, std::span<const bool>,
                   int64_t) {
  const Tensor& x = inputs[0];
  return record(one.op(), {x.node()}, x.shape(), x.dtype(), {}, one.where());
}

// A shared library that holds an op stays loaded; this one opens the others.
void keep_loaded(const void* op) {
  if (op >= &__ehdr_start && op < &_end) return;
  Dl_info there;
  if (dladdr(op, &there)) dlopen(there.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

std::string listed(std::span<const AttributeField> fields) {
  std::string out;
  for (const AttributeField& f : fields) {
    if (!out.empty()) out += ", ";
    out += f.name;
  }
  return out.empty() ? "none" : out;
}

}  // namespace

const Op kLeafOp{.name = "leaf", .kind = Kind::kLeaf};
const Op kScalarOp{.name = "scalar", .kind = Kind::kScalar};
const Op kConstantOp{.name = "constant", .kind = Kind::kScalar};
const Op kOutputOp{
    .name = "output", .kind = Kind::kOutput, .attributes = kAttributeFields<OutputAttributes>};
const Op kAliasOp{.name = "alias",
                  .kind = Kind::kView,
                  .vjp = pass_through,
                  .view = same_layout,
                  .batch = batch_alias,
                  .identity = true};
const Op kPlaceholderOp{
    .name = "placeholder", .kind = Kind::kKernel, .run = read_placeholder, .may_throw = true};
static const RegisterOp registered[] = {RegisterOp(kAliasOp), RegisterOp(kPlaceholderOp)};

RegisterOp::RegisterOp(const Op& op) {
  if (op.effect && (op.kind != Kind::kKernel || op.outputs != 1))
    throw Error(std::string(op.name) + ": only a kernel with one result can have an effect");
  keep_loaded(&op);
  std::lock_guard hold(registry().lock);
  registry().ops.push_back(&op);
}

std::vector<const Op*> all_ops() {
  std::lock_guard hold(registry().lock);
  return registry().ops;
}

const Op* find_op(std::string_view name) {
  for (const Op* op : all_ops()) {
    if (name == op->name) return op;
  }
  return nullptr;
}

// ---- Attributes ----

namespace detail {

void fail_for_attributes(std::span<const AttributeField> asked, size_t words) {
  throw Error(fmt::format("attributes ({}) are not what {} words hold", listed(asked), words));
}

void require_declared(const Op& op, std::span<const AttributeField> given) {
  const auto same = [](const AttributeField& a, const AttributeField& b) {
    return a.name == b.name && a.type == b.type;
  };
  if (!std::ranges::equal(op.attributes, given, same))
    throw Error(fmt::format("{}: recorded with attributes ({}), declared with ({})", op.name,
                            listed(given), listed(op.attributes)));
}

}  // namespace detail

std::string AttributeWords::str(const Op& op) const {
  const auto is_shape = [](const AttributeField& f) { return f.type == AttributeType::kShape; };
  const size_t shapes = std::ranges::count_if(op.attributes, is_shape);
  const size_t scalars = op.attributes.size() - shapes;
  if (words_.size() < scalars) return "";
  const size_t rank = shapes ? (words_.size() - scalars) / shapes : 0;
  size_t number = 0, size = scalars;
  std::string out;
  for (const AttributeField& f : op.attributes) {
    out += fmt::format("{}{}=", out.empty() ? "" : ", ", f.name);
    switch (f.type) {
      case AttributeType::kBool:
        out += words_[number++] ? "true" : "false";
        break;
      case AttributeType::kInteger:
        out += fmt::format("{}", words_[number++]);
        break;
      case AttributeType::kReal:
        out += fmt::format("{}", std::bit_cast<double>(words_[number++]));
        break;
      case AttributeType::kShape:
        out += Shape(words_.subspan(size, rank)).str();
        size += rank;
        break;
    }
  }
  return out;
}

// ---- What rules see ----

const Op& Recorded::op() const { return *node_->op; }
const Shape& Recorded::shape() const { return node_->shape; }
DType Recorded::dtype() const { return node_->dtype; }
const Where& Recorded::where() const { return node_->where; }
int Recorded::inputs() const { return node_->slots(); }
int Recorded::place_of(int i) const { return node_->place_of(i); }
Tensor Recorded::in(int i) const {
  const int at = place_of(i);
  return at < 0 ? Tensor() : handle(node_->inputs[at]);
}
const Shape& Recorded::in_shape(int i) const { return node_->inputs[place_of(i)]->shape; }
AttributeWords Recorded::words() const { return node_->words(); }
Tensor Vjp::out() const { return handle(const_cast<Node*>(&node())); }

bool Vjp::needs(int i) const {
  const int at = place_of(i);
  return at >= 0 && needs_[at];
}
void Vjp::set(int i, Tensor grad) {
  if (const int at = place_of(i); at >= 0) results_[at] = std::move(grad);
}

Tensor output(const Tensor& tuple, int which, const Shape& shape, DType dtype,
              std::initializer_list<Tensor> kept) {
  Node* nodes[1 + Node::kInline] = {tuple.node()};
  size_t count = 1;
  for (const Tensor& t : kept) nodes[count++] = t.node();
  return record(kOutputOp, std::span<Node* const>(nodes, count), shape, dtype,
                OutputAttributes{which}, tuple.node()->where);
}

void fail(const char* op, const std::string& message, const std::source_location& where) {
  throw ShapeError(std::string(op) + ": " + message, where);
}

int checked_axis(const char* op, int64_t axis, int rank, const std::source_location& where) {
  if (axis < -rank || axis >= rank)
    fail(op, "axis " + std::to_string(axis) + " is out of range for rank " + std::to_string(rank),
         where);
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

int64_t axis_mask(const char* op, std::span<const int64_t> axes, int rank,
                  const std::source_location& where) {
  if (axes.empty()) return (int64_t{1} << rank) - 1;
  int64_t mask = 0;
  for (int64_t axis : axes) {
    // A number has one axis, 0 or -1, and none that would be named in the mask.
    const int64_t bit = int64_t{1} << checked_axis(op, axis, std::max(rank, 1), where);
    if (mask & bit) fail(op, "axis " + std::to_string(axis) + " appears twice", where);
    mask |= bit;
  }
  return rank == 0 ? 0 : mask;
}

Work traffic(const KernelCall& call) {
  const auto bytes = [](std::span<const Array> arrays) {
    double sum = 0;
    for (const Array& a : arrays) sum += static_cast<double>(a.numel() * (int64_t)size_of(a.dtype));
    return sum;
  };
  return {.read = bytes(call.in), .written = bytes(call.out)};
}

Layout Layout::contiguous(const Shape& shape) {
  Layout l;
  l.shape = shape;
  int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    l.strides[i] = stride;
    stride *= shape[i];
  }
  return l;
}

std::vector<Tensor> compose(const Node& macro, std::span<const Tensor> inputs) {
  const Composing on(macro.where);
  std::vector<Tensor> results = macro.op->compose(macro, inputs);
  for (Tensor& r : results) {
    const bool is_input = std::ranges::count(inputs, r.node(), &Tensor::node) > 0;
    if (r.defined() && is_input)
      r = record(kAliasOp, {r.node()}, r.shape(), r.dtype(), {}, macro.where);
  }
  return results;
}

std::vector<Tensor> by_slot(const Node& node, std::span<const Tensor> given) {
  std::vector<Tensor> out(node.slots());
  for (int slot = 0; slot < node.slots(); ++slot) {
    if (const int at = node.place_of(slot); at >= 0) out[slot] = given[at];
  }
  return out;
}

std::vector<Node*> nodes_by_slot(const Node& node, std::span<const Tensor> given) {
  std::vector<Node*> out;
  for (int slot = 0; slot < node.slots(); ++slot) {
    const int at = node.place_of(slot);
    out.push_back(at < 0 ? nullptr : given[at].node());
  }
  return out;
}

std::vector<Tensor> inputs_by_slot(const Node& node) {
  std::vector<Tensor> given;
  for (Node* in : node.input_span()) given.push_back(handle(in));
  return by_slot(node, given);
}

int first_over_first(const Recorded&, int output) { return output == 0 ? 0 : -1; }

bool Layout::is_contiguous() const {
  int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != stride) return false;
    stride *= shape[i];
  }
  return true;
}

}  // namespace glia
