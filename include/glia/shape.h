// Sizes of a tensor's axes.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace glia {

inline constexpr int kMaxRank = 8;

// Up to eight sizes held in place. A negative axis counts from the end wherever one is taken.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  Shape(const std::vector<int64_t>& sizes) : Shape(std::span(sizes)) {}
  explicit Shape(std::span<const int64_t> sizes);
  static Shape filled(int rank, int64_t size);
  Shape(const Shape& other) { *this = other; }
  // Sizes are copied by halves: the second is rarely in use.
  Shape& operator=(const Shape& other) {
    rank_ = other.rank_;
    std::memcpy(sizes_, other.sizes_, sizeof(sizes_) / 2);
    if (rank_ > kMaxRank / 2)
      std::memcpy(sizes_ + kMaxRank / 2, other.sizes_ + kMaxRank / 2, sizeof(sizes_) / 2);
    return *this;
  }

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return sizes_[i]; }
  int64_t& operator[](int i) { return sizes_[i]; }
  // The size of an axis, negative ones from the end; throws ShapeError when there is none.
  int64_t size(int axis) const;
  // The product of all sizes; 1 for rank 0. Throws ShapeError when a size is negative or when the
  // product of those above 0 is too large, so that no arithmetic on positions overflows.
  int64_t numel() const {
    int64_t n = 1, signs = 0;
    bool overflow = false;
    for (int64_t size : *this) {
      overflow |= __builtin_mul_overflow(n, size, &n);
      signs |= size;
    }
    const bool usual = static_cast<uint64_t>(n) - 1 < static_cast<uint64_t>(kMaxElements);
    return usual && !overflow && signs >= 0 ? n : checked_numel();
  }
  void push_back(int64_t size);
  void insert(int axis, int64_t size);
  void erase(int axis);

  const int64_t* begin() const { return sizes_; }
  const int64_t* end() const { return sizes_ + rank_; }
  int64_t* begin() { return sizes_; }
  int64_t* end() { return sizes_ + rank_; }
  std::span<const int64_t> span() const { return {sizes_, static_cast<size_t>(rank_)}; }
  bool operator==(const Shape& other) const {
    bool same = rank_ == other.rank_;
    for (int i = 0; same && i < rank_; ++i) same = sizes_[i] == other.sizes_[i];
    return same;
  }

  std::string str() const;  // "(2, 3)", "(5,)", "()"

 private:
  static constexpr int64_t kMaxElements = int64_t{1} << 59;  // bytes fit 63 bits whatever the dtype
  int64_t checked_numel() const;

  int32_t rank_ = 0;
  int64_t sizes_[kMaxRank];
};

// Arithmetic on sizes that stays at the largest number instead of overflowing: far too many for any
// shape, which numel() then says. Neither operand is negative.
inline int64_t add_sizes(int64_t a, int64_t b) {
  return __builtin_add_overflow(a, b, &a) ? INT64_MAX : a;
}
inline int64_t multiply_sizes(int64_t a, int64_t b) {
  return __builtin_mul_overflow(a, b, &a) ? INT64_MAX : a;
}

// NumPy's rule: aligned at the last axis, sizes equal or 1. Throws ShapeError naming both.
Shape broadcast(const Shape& a, const Shape& b);
// `axis` made non-negative for a tensor of that rank; throws ShapeError out of range.
int normalize_axis(int64_t axis, int rank);

}  // namespace glia
