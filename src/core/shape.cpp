#include "glia/shape.h"

#include <algorithm>

#include "glia/error.h"

namespace glia {

Shape::Shape(std::span<const int64_t> sizes) {
  if (sizes.size() > kMaxRank)
    throw ShapeError("shape: rank " + std::to_string(sizes.size()) + " is above the limit of " +
                     std::to_string(kMaxRank));
  rank_ = static_cast<int32_t>(sizes.size());
  std::copy(sizes.begin(), sizes.end(), sizes_);
}

Shape Shape::filled(int rank, int64_t size) {
  Shape s;
  for (int i = 0; i < rank; ++i) s.push_back(size);
  return s;
}

int64_t Shape::size(int axis) const { return sizes_[normalize_axis(axis, rank_)]; }

int64_t Shape::checked_numel() const {
  int64_t n = 1;
  for (int64_t size : *this) {
    if (size < 0) throw ShapeError("shape " + str() + " has a negative size");
    if (size > 0) n = multiply_sizes(n, size);
  }
  if (n > kMaxElements) throw ShapeError("shape " + str() + " has too many elements");
  return std::find(begin(), end(), 0) != end() ? 0 : n;
}

void Shape::push_back(int64_t size) { insert(rank_, size); }

void Shape::insert(int axis, int64_t size) {
  if (rank_ == kMaxRank)
    throw ShapeError("shape: " + str() + " cannot get another axis: the limit is " +
                     std::to_string(kMaxRank));
  std::copy_backward(sizes_ + axis, sizes_ + rank_, sizes_ + rank_ + 1);
  sizes_[axis] = size;
  ++rank_;
}

void Shape::erase(int axis) {
  std::copy(sizes_ + axis + 1, sizes_ + rank_, sizes_ + axis);
  --rank_;
}

std::string Shape::str() const {
  std::string out = "(";
  for (int i = 0; i < rank_; ++i) {
    if (i) out += ", ";
    out += std::to_string(sizes_[i]);
  }
  return out + (rank_ == 1 ? ",)" : ")");
}

Shape broadcast(const Shape& a, const Shape& b) {
  const Shape& big = a.rank() >= b.rank() ? a : b;
  const Shape& small = a.rank() >= b.rank() ? b : a;
  Shape out = big;
  const int shift = big.rank() - small.rank();
  for (int i = 0; i < small.rank(); ++i) {
    if (out[shift + i] == small[i] || small[i] == 1) continue;
    if (out[shift + i] != 1)
      throw ShapeError("shapes do not broadcast: " + a.str() + " and " + b.str());
    out[shift + i] = small[i];
  }
  return out;
}

int normalize_axis(int64_t axis, int rank) {
  const int64_t i = axis < 0 ? axis + rank : axis;
  if (i < 0 || i >= rank)
    throw ShapeError("axis " + std::to_string(axis) + " is out of range for rank " +
                     std::to_string(rank));
  return static_cast<int>(i);
}

}  // namespace glia
