#include "glia/tensor.h"

#include <fmt/format.h>

#include <cstring>

#include "core/node.h"
#include "core/op.h"
#include "core/with_dtype.h"

namespace glia {
namespace {

Node& named(const Tensor& t, const char* what, const Where& where) {
  if (!t.node()) fail(what, "the tensor is not defined", where);
  return *t.node();
}

Node& computed(const Tensor& t, const char* what, const Where& where) {
  Node& node = named(t, what, where);
  if (node.is_computed()) return node;
  Node* root = &node;
  if (!symbolic()) {
    evaluate({&root, 1});
    return node;
  }
  // Recorded to be recorded again: whoever reads it is at fault if it has no value.
  try {
    evaluate({&root, 1});
  } catch (const ValueError& error) {
    throw ValueError(std::string(what) + ": " + error.what(), where);
  }
  return node;
}

// Calls f with a pointer of the C++ type that `dtype` names.
template <class F>
decltype(auto) with_type(DType dtype, const void* data, F&& f) {
  return with_dtype(dtype, [&](auto zero) -> decltype(auto) {
    return f(static_cast<const decltype(zero)*>(data));
  });
}

// x as To, as item() converts.
template <class To, class From>
To converted(const char* what, From x, int64_t low, int64_t high) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_integral_v<To>) {
    if (!lies_within(x, low, high))
      throw ValueError(fmt::format("{}: {} does not fit a type that holds {} to {}", what,
                                   convert<double>(x), low, high));
  }
  return convert<To>(x);
}

const Node& single(const Tensor& t, const Where& where) {
  const Node& node = named(t, "item", where);
  if (node.shape.numel() != 1)
    fail("item", "a tensor of shape " + node.shape.str() + " is not a single value", where);
  return computed(t, "item", where);
}

Tensor alias(const Tensor& x, const Where& where) {
  return record(kAliasOp, {x.node()}, x.node()->shape, x.node()->dtype, {}, where);
}

}  // namespace

std::string Number::str() const {
  if (is_exact()) return fmt::to_string(integer());
  return is_integer() ? fmt::to_string(static_cast<uint64_t>(integer())) : fmt::to_string(value());
}

Tensor::Tensor(const Tensor& other) noexcept : node_(other.node_) {
  if (node_) node_->counts.add(Node::kHandle);
}

Tensor& Tensor::operator=(const Tensor& other) noexcept { return *this = Tensor(other); }

void Tensor::let_go() noexcept { release(node_, Node::kHandle); }

const Shape& Tensor::shape(Where where) const { return named(*this, "shape", where).shape; }
DType Tensor::dtype(Where where) const { return named(*this, "dtype", where).dtype; }
bool Tensor::requires_grad(Where where) const {
  return named(*this, "requires_grad", where).needs_grad;
}

double Tensor::item_double(Where where) const {
  const Node& node = single(*this, where);
  return with_type(node.dtype, node.data(), [](auto* p) { return convert<double>(*p); });
}

int64_t Tensor::item_integer(int64_t low, int64_t high, Where where) const {
  const Node& node = single(*this, where);
  return with_type(node.dtype, node.data(),
                   [=](auto* p) { return converted<int64_t>("item", *p, low, high); });
}

const void* Tensor::raw_data(DType expected, Where where) const {
  const Node& node = computed(*this, "data", where);
  if (node.dtype != expected)
    throw Error(std::string("data: the tensor is ") + name(node.dtype) + ", not " + name(expected),
                where);
  return node.data();
}

template <class T>
std::vector<T> Tensor::to_vector(Where where) const {
  const Node& node = computed(*this, "to_vector", where);
  const int64_t n = node.shape.numel();
  std::vector<T> out;
  out.reserve(n);
  with_type(node.dtype, node.data(), [&](auto* p) {
    using Limits = std::numeric_limits<T>;
    constexpr bool kInteger = std::is_integral_v<T>;
    const int64_t low = kInteger ? static_cast<int64_t>(Limits::min()) : 0;
    const int64_t high = kInteger ? static_cast<int64_t>(Limits::max()) : 0;
    if constexpr (std::is_same_v<std::decay_t<decltype(*p)>, T>) {
      out.assign(p, p + n);
    } else {
      for (int64_t i = 0; i < n; ++i) out.push_back(converted<T>("to_vector", p[i], low, high));
    }
  });
  return out;
}
template std::vector<bool> Tensor::to_vector(Where) const;
template std::vector<uint8_t> Tensor::to_vector(Where) const;
template std::vector<int8_t> Tensor::to_vector(Where) const;
template std::vector<int32_t> Tensor::to_vector(Where) const;
template std::vector<int64_t> Tensor::to_vector(Where) const;
template std::vector<float16> Tensor::to_vector(Where) const;
template std::vector<bfloat16> Tensor::to_vector(Where) const;
template std::vector<float> Tensor::to_vector(Where) const;
template std::vector<double> Tensor::to_vector(Where) const;

Tensor from_bytes(const void* values, const Shape& shape, DType dtype) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  MemoryRef memory(allocate_memory(bytes));
  if (bytes) std::memcpy(memory->data, values, bytes);
  return leaf(std::move(memory), 0, shape, dtype);
}

Tensor from_external(const void* values, const Shape& shape, DType dtype,
                     std::shared_ptr<const void> owner) {
  auto* memory = new Memory;
  memory->data = const_cast<void*>(values);
  memory->bytes = static_cast<size_t>(shape.numel()) * size_of(dtype);
  memory->owner = owner ? std::move(owner) : std::make_shared<int>();
  return leaf(MemoryRef(memory), 0, shape, dtype);
}

void eval(const std::vector<Tensor>& tensors, Where where) {
  std::vector<Node*> roots;
  for (const Tensor& t : tensors) roots.push_back(&named(t, "eval", where));
  evaluate(roots);
}

Tensor stop_gradient(const Tensor& x, Where where) {
  if (!named(x, "stop_gradient", where).needs_grad) return x;
  NoGrad off;
  return alias(x, where);
}

Tensor trainable(const Tensor& x, Where where) {
  if (!is_float(named(x, "trainable", where).dtype))
    throw Error(std::string("trainable: only floating-point tensors have gradients, not ") +
                    name(x.dtype()),
                where);
  NoGrad off;
  Tensor t = alias(x, where);
  t.node()->set_trainable(0);
  return t;
}

}  // namespace glia
