// What the cases of operations with kernels share.
#pragma once

#include "core/op.h"
#include "tests/support/array_cases.h"

namespace glia::test {

// Records a registered operation as it is, without the function that users call.
template <class A = AttributeWords>
Tensor record_op(const char* op, const std::vector<Tensor>& in, const Shape& shape, DType dtype,
                 const A& attributes = {}) {
  std::vector<Node*> nodes;
  for (const Tensor& t : in) nodes.push_back(t.node());
  return record(*find_op(op), nodes, shape, dtype, attributes, Where::current());
}

// As private operations declare theirs.
struct CheckIndexAttributes {
  int64_t size;
  GLIA_ATTRIBUTES(size)
};
struct ClassesAttributes {
  int64_t classes;
  GLIA_ATTRIBUTES(classes)
};

// A sum being made, with the size of its terms.
struct Sum {
  Real value = 0, magnitude = 0;
  void add(Real x) {
    value += x;
    magnitude += std::abs(x);
  }
};
inline void push(Host* h, const Sum& s) {
  h->values.push_back(s.value);
  h->magnitude.push_back(s.magnitude);
}
inline Tolerance tolerance_of_sums(DType) { return {.ulps = 0.51, .of_magnitude = 4}; }

}  // namespace glia::test
