#include <algorithm>

#include "ops.h"

namespace glia::bench {

Input numbers(const Shape& shape, DType dtype) {
  return {shape, dtype, [](const Shape& s, DType d) {
            if (d == kBool) return randn(s) > 0;
            return is_float(d) ? randn(s, d) : cast(randint(0, 100, s), d);
          }};
}

Input scaled(double factor, const Shape& shape, DType dtype) {
  return {shape, dtype, [factor](const Shape& s, DType d) { return randn(s, d) * factor; }};
}

Input positive(const Shape& shape, DType dtype) {
  return {shape, dtype, [](const Shape& s, DType d) {
            return is_float(d) ? abs(randn(s, d)) : cast(randint(1, 101, s), d);
          }};
}

Input uniform01(const Shape& shape) {
  return {shape, kF32, [](const Shape& s, DType d) { return rand(s, d); }};
}

Input above(double threshold, const Shape& shape) {
  return {shape, kBool, [threshold](const Shape& s, DType) { return randn(s) > threshold; }};
}

Input indices(int64_t high, const Shape& shape) {
  return {shape, kI64, [high](const Shape& s, DType) { return randint(0, high, s); }};
}

Input causal_mask(int64_t steps) {
  return {{steps, steps}, kBool, [](const Shape& s, DType) {
            return unsqueeze(arange(s[0]), 1) >= arange(s[1]);
          }};
}

Input fixed(Input input) {
  input.fixed = true;
  return input;
}

std::vector<Input> times(int64_t n, const Input& input) {
  return std::vector<Input>(static_cast<size_t>(n), input);
}

const Op& Table::find(std::string_view name) const {
  const auto found =
      std::find_if(ops_.begin(), ops_.end(), [&](const Op& op) { return op.name == name; });
  if (found == ops_.end()) throw Error("no operation named " + std::string(name));
  return *found;
}

void Table::add(Op op) {
  for (const Op& other : ops_) {
    if (other.name == op.name) throw Error("two operations named " + op.name);
  }
  ops_.push_back(std::move(op));
}

Table all_operations() {
  Table t;
  for (const auto family :
       {reductions, movement, indexing, sorting, products, convolution, pooling, elementwise, casts,
        creation, normalisation, losses, attention, recurrent, compositions}) {
    family(t);
  }
  return t;
}

}  // namespace glia::bench
