// Fields of models, from numbers and to numbers.
#pragma once

#include <vector>

#include "glia/tensor.h"

namespace glia::recommend {

// The shape may be another one than before.
inline void assign(Buffer& field, const Tensor& value) {
  if (field.defined())
    field.replace(value);
  else
    field = value;
}
template <class T>
void assign(Buffer& field, const std::vector<T>& values, const Shape& shape) {
  assign(field, from_vector(values, shape));
}

// A field that is read often: its numbers, which stay while this lives.
template <class T>
class Read {
 public:
  explicit Read(const Variable& field) : tensor_(field.tensor()), at_(tensor_.data<T>().data()) {}
  explicit Read(const Tensor& tensor) : tensor_(tensor), at_(tensor_.data<T>().data()) {}
  T operator[](int64_t i) const { return at_[i]; }
  const T* row(int64_t i, int64_t width) const { return at_ + i * width; }

 private:
  Tensor tensor_;
  const T* at_;
};

}  // namespace glia::recommend
