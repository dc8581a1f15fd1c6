// Operations at positions given by tensors that users have no use for, and what their kernels
// share.
#pragma once

#include "core/node.h"
#include "ops/elementwise.h"
#include "ops/private.h"

namespace glia {

// The indices as i64, negative ones counted from the end of an axis of that size; throws ValueError
// when it is computed where one is out of range.
Tensor check_index(const Tensor& indices, int64_t size, const Where& where);

// x with the slices at the indices along the axis replaced: of several at one index the last stays.
Tensor index_put(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                 const Where& where);
// The flat positions of what is true, computed now: (count), i32 where that holds them all.
Tensor true_positions(const Tensor& mask);
// `count` axes from `from` on brought to begin at `to`, the others in their order.
Tensor move_axes(const Tensor& x, int from, int count, int to);
// The shape of slices of x at indices of that shape.
Shape taken_shape(const Shape& x, int axis, const Shape& indices);

// What of x and the source scatter operations are about, whose indices may be smaller than both:
// the axis (checked), x cut to the indices' size along the others, the source cut to it, and the
// indices. Numbers are arrays of one.
struct ScatterParts {
  int axis;
  Tensor part, source, indices;
};
ScatterParts scatter_parts(const char* op, const Tensor& x, const Tensor& indices,
                           const Tensor& source, int axis, const Where& where);
// x with the part replaced that was cut from it.
Tensor with_part(const Tensor& x, const Tensor& part, const Where& where);
// x with `source` multiplied, or compared, into the places of the indices; f32, f64 or integers.
Tensor reduce_at(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                 ReduceCode how, const Where& where);

// ---- Kernels ----------------------------------------------------------------------------------

[[noreturn]] void index_out_of_range(const char* op, int64_t index, int64_t size);

// The position that an index names, negative ones counted from the end.
inline int64_t index_position(const char* op, int64_t index, int64_t size) {
  const int64_t i = index < 0 ? index + size : index;
  if (static_cast<uint64_t>(i) >= static_cast<uint64_t>(size)) [[unlikely]]
    index_out_of_range(op, index, size);
  return i;
}

// The elements of an array in row-major order, copied if they lie otherwise.
template <class T>
class Contiguous {
 public:
  explicit Contiguous(const Array& a) : data_(a.as<const T>()) {
    if (a.layout.is_contiguous()) return;
    room_ = MemoryRef(allocate_memory(static_cast<size_t>(a.numel()) * sizeof(T)));
    copy_elements(a, room_->data, Layout::contiguous(a.layout.shape));
    data_ = static_cast<const T*>(room_->data);
  }
  const T& operator[](int64_t i) const { return data_[i]; }
  const T* data() const { return data_; }

 private:
  MemoryRef room_;
  const T* data_;
};

}  // namespace glia
