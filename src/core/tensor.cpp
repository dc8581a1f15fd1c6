#include "glia/tensor.h"

#include <cstring>

#include "core/node.h"
#include "core/op.h"
#include "core/with_dtype.h"

namespace glia {
namespace {

Node& named(const Tensor& t, const char* what) {
  if (!t.node()) throw Error(std::string(what) + ": the tensor is not defined");
  return *t.node();
}

Node& computed(const Tensor& t, const char* what) {
  Node& node = named(t, what);
  if (!node.is_computed()) {
    Node* root = &node;
    evaluate({&root, 1});
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

template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<From, float16> || std::is_same_v<From, bfloat16>) {
    return convert<To>(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, float16> || std::is_same_v<To, bfloat16>) {
    return To(static_cast<float>(x));
  } else {
    return static_cast<To>(x);
  }
}

const Node& single(const Tensor& t) {
  const Node& node = computed(t, "item");
  if (node.shape.numel() != 1)
    throw ShapeError("item: a tensor of shape " + node.shape.str() + " is not a single value");
  return node;
}

Tensor alias(const Tensor& x, const char* what) {
  Node& node = named(x, what);
  return record(kAliasOp, {&node}, node.shape, node.dtype, {}, {});
}

}  // namespace

Tensor::Tensor(const Tensor& other) noexcept : node_(other.node_) {
  if (node_) node_->counts.add(Node::kHandle);
}

Tensor& Tensor::operator=(const Tensor& other) noexcept { return *this = Tensor(other); }

Tensor::~Tensor() {
  if (node_) release(node_, Node::kHandle);
}

const Shape& Tensor::shape() const { return named(*this, "shape").shape; }
DType Tensor::dtype() const { return named(*this, "dtype").dtype; }
bool Tensor::requires_grad() const { return named(*this, "requires_grad").needs_grad; }

double Tensor::item_double() const {
  const Node& node = single(*this);
  return with_type(node.dtype, node.data(), [](auto* p) { return convert<double>(*p); });
}

int64_t Tensor::item_integer() const {
  const Node& node = single(*this);
  return with_type(node.dtype, node.data(), [](auto* p) { return convert<int64_t>(*p); });
}

const void* Tensor::raw_data(DType expected) const {
  const Node& node = computed(*this, "data");
  if (node.dtype != expected)
    throw Error(std::string("data: the tensor is ") + name(node.dtype) + ", not " + name(expected));
  return node.data();
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Node& node = computed(*this, "to_vector");
  const int64_t n = node.shape.numel();
  std::vector<T> out;
  out.reserve(n);
  with_type(node.dtype, node.data(), [&](auto* p) {
    for (int64_t i = 0; i < n; ++i) out.push_back(convert<T>(p[i]));
  });
  return out;
}
template std::vector<bool> Tensor::to_vector() const;
template std::vector<uint8_t> Tensor::to_vector() const;
template std::vector<int8_t> Tensor::to_vector() const;
template std::vector<int32_t> Tensor::to_vector() const;
template std::vector<int64_t> Tensor::to_vector() const;
template std::vector<float16> Tensor::to_vector() const;
template std::vector<bfloat16> Tensor::to_vector() const;
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;

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

void eval(const std::vector<Tensor>& tensors) {
  std::vector<Node*> roots;
  for (const Tensor& t : tensors) roots.push_back(&named(t, "eval"));
  evaluate(roots);
}

Tensor stop_gradient(const Tensor& x) {
  if (!named(x, "stop_gradient").needs_grad) return x;
  NoGrad off;
  return alias(x, "stop_gradient");
}

Tensor trainable(const Tensor& x) {
  if (!is_float(named(x, "trainable").dtype))
    throw Error(std::string("trainable: only floating-point tensors have gradients, not ") +
                name(x.dtype()));
  NoGrad off;
  Tensor t = alias(x, "trainable");
  t.node()->trainable = t.node()->needs_grad = true;
  return t;
}

}  // namespace glia
