#include "core/op.h"

#include "core/node.h"

namespace glia {
namespace {

std::vector<const Op*>& registry() {
  static auto* ops = new std::vector<const Op*>;
  return *ops;
}

void pass_through(Vjp& v) { v.set(0, v.g()); }

void read_placeholder(const KernelCall&) {
  throw ValueError("vmap: a value inside the function stands for many examples and cannot be read");
}

bool same_layout(const Node&, const Layout& in, Layout* out) {
  *out = in;
  return true;
}

}  // namespace

const Op kLeafOp{.name = "leaf", .kind = Kind::kLeaf};
const Op kScalarOp{.name = "scalar", .kind = Kind::kScalar};
const Op kOutputOp{.name = "output", .kind = Kind::kOutput};
const Op kAliasOp{.name = "alias", .kind = Kind::kView, .vjp = pass_through, .view = same_layout};
const Op kPlaceholderOp{
    .name = "placeholder", .kind = Kind::kKernel, .run = read_placeholder, .may_throw = true};
static const RegisterOp registered[] = {RegisterOp(kAliasOp), RegisterOp(kPlaceholderOp)};

RegisterOp::RegisterOp(const Op& op) { registry().push_back(&op); }
std::span<const Op* const> all_ops() { return registry(); }

const Op* find_op(std::string_view name) {
  for (const Op* op : registry()) {
    if (name == op->name) return op;
  }
  return nullptr;
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
    const int64_t bit = int64_t{1} << checked_axis(op, axis, rank, where);
    if (mask & bit) fail(op, "axis " + std::to_string(axis) + " appears twice", where);
    mask |= bit;
  }
  return mask;
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

Tensor compose(const Node& macro, std::span<const Tensor> inputs) {
  Tensor given[Node::kInline];
  size_t next = 0;
  for (int i = 0; i < Node::kInline; ++i) {
    if (macro.attributes[0] >> i & 1) given[i] = inputs[next++];
  }
  return macro.op->compose({given, Node::kInline}, macro.attribute_span().subspan(1), macro.where);
}

int first_over_first(const Node&, int output) { return output == 0 ? 0 : -1; }

bool Layout::is_contiguous() const {
  int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] != 1 && strides[i] != stride) return false;
    stride *= shape[i];
  }
  return true;
}

}  // namespace glia
