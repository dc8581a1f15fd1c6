#include "call.h"

#include <algorithm>

#include "glia/ops/special.h"
#include "small_floats.h"

namespace glia::onnx {

// ---- Held ----

Tensor to_channels_last(const Tensor& x) {
  Axes axes{0};
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
  axes.push_back(1);
  return permute(x, axes);
}
Tensor to_channels_first(const Tensor& x) {
  Axes axes{0, x.rank() - 1};
  for (int i = 1; i + 1 < x.rank(); ++i) axes.push_back(i);
  return permute(x, axes);
}

Held::Held(const Value& value) : kind(value.kind), type(value.type), tensor(value.tensor) {
  if (kind == Value::Kind::kStrings) strings = std::make_shared<const Strings>(value.strings);
  if (kind != Value::Kind::kSequence) return;
  std::vector<Held> items;
  for (const Value& v : value.sequence) items.emplace_back(v);
  sequence = std::make_shared<const std::vector<Held>>(std::move(items));
}

Tensor Held::logical() const { return channels_last ? to_channels_first(tensor) : tensor; }

Shape Held::shape() const {
  if (kind == Value::Kind::kStrings) return strings->shape;
  Shape s = tensor.shape();
  if (channels_last) {
    const int64_t channels = s[s.rank() - 1];
    s.erase(s.rank() - 1);
    s.insert(1, channels);
  }
  if (type == ElementType::kComplex64 || type == ElementType::kComplex128) s.erase(s.rank() - 1);
  return s;
}

Value Held::value() const {
  switch (kind) {
    case Value::Kind::kTensor:
      return {logical(), type};
    case Value::Kind::kStrings:
      return Value(*strings);
    case Value::Kind::kSequence: {
      std::vector<Value> items;
      for (const Held& h : *sequence) items.push_back(h.value());
      Value out(std::move(items));
      out.type = type;
      return out;
    }
    default:
      return {};
  }
}

// ---- Inputs ----

bool Call::has(int i) const {
  return i < inputs() && node_.inputs[i] >= 0 && frame_.places[node_.inputs[i]].given();
}

const Held& Call::in(int i) const {
  if (i >= inputs() || node_.inputs[i] < 0) fail("input " + std::to_string(i) + " is not given");
  return frame_.places[node_.inputs[i]];
}

Tensor Call::raw(int i, bool channels_last) const {
  const Held& held = in(i);
  if (!held.is_tensor())
    fail("input " + std::to_string(i) +
         (held.given() ? " is no tensor of numbers" : " is not given"));
  if (held.channels_last == channels_last) return held.tensor;
  if (!channels_last) return to_channels_first(held.tensor);
  if (held.tensor.rank() < 3)
    fail("input " + std::to_string(i) + " has the shape " + held.tensor.shape().str() +
         ", not (N, C, ...)");
  return to_channels_last(held.tensor);
}
Tensor Call::tensor(int i) const { return raw(i, false); }
Tensor Call::spatial(int i) const { return raw(i, true); }

const Strings& Call::strings(int i) const {
  if (in(i).kind != Value::Kind::kStrings) fail("input " + std::to_string(i) + " has no texts");
  return *in(i).strings;
}
const std::vector<Held>& Call::sequence(int i) const {
  if (in(i).kind != Value::Kind::kSequence) fail("input " + std::to_string(i) + " is no sequence");
  return *in(i).sequence;
}

std::vector<Tensor> Call::aligned(int first, int end) {
  if (end < 0) end = inputs();
  int rank = 0, last_rank = 0;
  for (int i = first; i < end; ++i) {
    if (!in(i).is_tensor()) fail("input " + std::to_string(i) + " is no tensor of numbers");
    rank = std::max(rank, in(i).tensor.rank());
    if (in(i).channels_last) last_rank = in(i).tensor.rank();
  }
  aligned_last_ = last_rank >= 3 && last_rank == rank;
  std::vector<Tensor> out;
  for (int i = first; i < end; ++i) {
    const Held& held = in(i);
    if (!aligned_last_ || held.channels_last) {
      out.push_back(raw(i, aligned_last_));
      continue;
    }
    Tensor t = held.tensor;
    if (t.rank() != 0 && t.numel() != 1) {
      Shape shape = t.shape();
      while (shape.rank() < rank) shape.insert(0, 1);
      t = to_channels_last(reshape(t, shape));
    } else if (t.rank() > 1) {
      t = reshape(t, Shape::filled(rank, 1));
    }
    out.push_back(t);
  }
  return out;
}

std::vector<int64_t> Call::integers(int i) {
  const Tensor t = tensor(i);
  reads_values_ |= !in(i).fixed;
  return t.to_vector<int64_t>();
}
std::vector<double> Call::numbers(int i) {
  const Tensor t = tensor(i);
  reads_values_ |= !in(i).fixed;
  return t.to_vector<double>();
}
int64_t Call::integer(int i) {
  const auto all = integers(i);
  if (all.size() != 1) fail("input " + std::to_string(i) + " is not one number");
  return all[0];
}
double Call::number(int i) {
  const auto all = numbers(i);
  if (all.size() != 1) fail("input " + std::to_string(i) + " is not one number");
  return all[0];
}

// ---- Attributes ----

const Attribute* Call::attribute(const char* name) const {
  for (const Attribute& a : node_.attributes) {
    if (a.name == name) return &a;
  }
  return nullptr;
}
namespace {
const Attribute* checked(const Call& call, const char* name, Attribute::Kind kind) {
  const Attribute* a = call.attribute(name);
  if (a && a->kind != kind) call.fail(std::string("attribute ") + name + " is of another kind");
  return a;
}
}  // namespace
int64_t Call::integer_of(const char* name, int64_t otherwise) const {
  const Attribute* a = checked(*this, name, Attribute::Kind::kInteger);
  return a ? a->integer : otherwise;
}
double Call::real_of(const char* name, double otherwise) const {
  const Attribute* a = checked(*this, name, Attribute::Kind::kReal);
  return a ? a->real : otherwise;
}
std::string Call::text_of(const char* name, const std::string& otherwise) const {
  const Attribute* a = checked(*this, name, Attribute::Kind::kText);
  return a ? a->text : otherwise;
}
std::vector<int64_t> Call::integers_of(const char* name,
                                       const std::vector<int64_t>& otherwise) const {
  const Attribute* a = checked(*this, name, Attribute::Kind::kIntegers);
  return a ? a->integers : otherwise;
}
std::vector<double> Call::reals_of(const char* name) const {
  const Attribute* a = checked(*this, name, Attribute::Kind::kReals);
  return a ? a->reals : std::vector<double>{};
}
std::vector<std::string> Call::texts_of(const char* name) const {
  const Attribute* a = checked(*this, name, Attribute::Kind::kTexts);
  return a ? a->texts : std::vector<std::string>{};
}

int Call::axis(int64_t axis, int rank) const {
  if (axis < -rank || axis >= rank)
    fail("axis " + std::to_string(axis) + " of " + std::to_string(rank));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}
std::vector<int64_t> Call::axes(std::vector<int64_t> axes, int rank) const {
  for (int64_t& a : axes) a = axis(a, rank);
  return axes;
}

// ---- Results ----

void Call::set(int o, Held value) {
  if (o < outputs()) results_[o] = std::move(value);
}
void Call::set(int o, const Tensor& value, ElementType type) { set(o, Held(value, type)); }
void Call::set(int o, const Tensor& value) {
  const bool same = inputs() > 0 && node_.inputs[0] >= 0 && in(0).is_tensor() &&
                    stored_as(in(0).type) == value.dtype();
  set(o, value, same ? in(0).type : element_type(value.dtype()));
}
void Call::set_spatial(int o, const Tensor& value) {
  set(o, value);
  if (o < outputs()) results_[o].channels_last = true;
}
void Call::put(const Tensor& value) {
  set(0, value);
  results_[0].channels_last = aligned_last_;
}
void Call::put(const Tensor& value, ElementType type) {
  set(0, value, type);
  results_[0].channels_last = aligned_last_;
}
void Call::set_of_shape(int o, const Tensor& value) {
  set(o, value, element_type(value.dtype()));
  if (o < outputs()) of_shape_[o] = true;
}

void Call::finish() {
  bool fixed = !node_.op->traits.draws && !reads_values_, shape_fixed = !reads_values_;
  bool inputs_shape_fixed = true;
  for (int place : node_.inputs) {
    if (place < 0) continue;
    fixed &= frame_.places[place].fixed;
    inputs_shape_fixed &= frame_.places[place].shape_fixed;
  }
  shape_fixed &= inputs_shape_fixed;
  for (const auto& [name, graph] : node_.graphs) {  // says itself what is fixed
    for (const auto& [outside, here] : graph->captures)
      shape_fixed &= frame_.places[outside].shape_fixed;
  }
  for (int o = 0; o < outputs(); ++o) {
    if (node_.outputs[o] < 0) continue;
    Held& held = results_[o];
    if (node_.graphs.empty()) {
      held.fixed = of_shape_[o] ? inputs_shape_fixed : fixed;
      held.shape_fixed = shape_fixed || held.fixed;
    } else {
      held.fixed &= fixed;
      held.shape_fixed = held.fixed || (held.shape_fixed && shape_fixed);
    }
    frame_.places[node_.outputs[o]] = std::move(held);
  }
}

// ---- Graphs ----

const Graph& Call::graph(const char* name) const {
  for (const auto& [called, graph] : node_.graphs) {
    if (called == name) return *graph;
  }
  fail(std::string("attribute ") + name + " is not given");
}

std::vector<Held> Call::run(const char* name, std::vector<Held> inputs) {
  const Graph& inner = graph(name);
  const std::pair key(index_, std::string(name));
  std::shared_ptr<Folded> folded;
  {
    std::lock_guard hold(frame_.folded.lock);
    auto& there = frame_.folded.inner[key];
    if (there && there->complete) folded = there;
  }
  if (folded) return execute(inner, std::move(inputs), &frame_, *folded, frame_.run);
  folded = std::make_shared<Folded>();
  std::vector<Held> out = execute(inner, std::move(inputs), &frame_, *folded, frame_.run);
  std::lock_guard hold(frame_.folded.lock);
  frame_.folded.inner[key] = std::move(folded);
  return out;
}

// ---- Numbers of other types ----

Tensor wrapped(const Tensor& x, ElementType type) {
  switch (type) {
    case ElementType::kUint16:
      return x & 0xffff;
    case ElementType::kInt16:
      return ((x + 0x8000) & 0xffff) - 0x8000;
    case ElementType::kUint32:
      return x & int64_t{0xffffffff};
    case ElementType::kUint4:
      return x & 0xf;
    case ElementType::kInt4:
      return ((x + 8) & 0xf) - 8;
    case ElementType::kUint2:
      return x & 3;
    case ElementType::kInt2:
      return ((x + 2) & 3) - 2;
    default:
      return x;
  }
}

Tensor converted(const Tensor& x, ElementType from, ElementType to, bool saturate) {
  if (from == to) return x;
  if (is_small_float(to)) {
    std::vector<float> values = cast(x, kF32).to_vector<float>();
    for (float& v : values) v = rounded(to, v, saturate);
    return from_vector(values, x.shape());
  }
  const DType kept = stored_as(to);
  if (to == ElementType::kBool) return x.dtype() == kBool ? x : x != 0;
  if (is_integer(kept) && stored_as(to) != x.dtype()) {
    // Through i64: so a number that the type does not hold keeps its lower bits.
    const Tensor whole = is_float(x.dtype()) ? cast(trunc(x), kI64) : x;
    return cast(wrapped(whole, to), kept);
  }
  if (is_integer(kept)) return wrapped(x, to);
  if (from == ElementType::kUint64 && is_float(kept)) {
    const Tensor low = cast(x & int64_t{0x7fffffffffffffff}, kF64);
    return cast(where(x < 0, low + 9223372036854775808.0, low), kept);
  }
  return cast(x, kept);
}

}  // namespace glia::onnx
