// Where an array is not zero.
#include <cstring>

#include "core/node.h"
#include "ops/gather.h"
#include "ops/private.h"

namespace glia {
namespace {

constexpr int64_t kPiece = 1 << 16;  // elements that are counted, and written, together
constexpr int64_t kBlock = 1 << 10;  // of these, whose positions are noted at a time
constexpr uint64_t kOnes = 0x0101010101010101u;

// Eight bytes as eight zeros and ones.
uint64_t eight_of(const char* x) {
  uint64_t word;
  std::memcpy(&word, x, 8);
  word |= word >> 4 & 0x0f0f0f0f0f0f0f0fu;
  word |= word >> 2 & 0x3f3f3f3f3f3f3f3fu;
  return (word | word >> 1) & kOnes;
}

int64_t count_true(const char* x, int64_t n) {
  constexpr int64_t kMost = 8 * 255;  // before a byte of the sums is full
  int64_t count = 0, i = 0;
  while (i + 8 <= n) {
    uint64_t sums = 0;
    for (const int64_t end = std::min(n - 7, i + kMost); i < end; i += 8) sums += eight_of(x + i);
    constexpr uint64_t kEven = 0x00ff00ff00ff00ffu;
    count +=
        static_cast<int64_t>(((sums & kEven) + (sums >> 8 & kEven)) * 0x0001000100010001u >> 48);
  }
  for (; i < n; ++i) count += x[i] != 0;
  return count;
}

// The positions of what is true of n <= kBlock bytes; returns how many. `to` has room for n + 8.
int64_t note_true(const char* x, int64_t n, uint16_t* to) {
  int64_t count = 0, i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t eight = eight_of(x + i);
    if (eight == 0) continue;
    for (int k = 0; k < 8; ++k, eight >>= 8) {
      to[count] = static_cast<uint16_t>(i + k);
      count += static_cast<int64_t>(eight & 1);
    }
  }
  for (; i < n; ++i) {
    to[count] = static_cast<uint16_t>(i);
    count += x[i] != 0;
  }
  return count;
}

// Writes flat positions.
template <class I>
struct FlatWriter {
  I* out;
  FlatWriter(void* to, int64_t at, const Shape&, int64_t) : out(static_cast<I*>(to) + at) {}
  void operator()(int64_t first, const uint16_t* offsets, int64_t count) {
    for (int64_t j = 0; j < count; ++j) out[j] = static_cast<I>(first + offsets[j]);
    out += count;
  }
};

// Writes positions along each axis, for elements that only go forward.
class PlaceWriter {
 public:
  PlaceWriter(void* to, int64_t at, const Shape& shape, int64_t first)
      : out_(static_cast<int64_t*>(to) + at * shape.rank()),
        shape_(shape),
        last_(shape.rank() - 1) {
    for (int a = last_; a >= 0; first /= shape[a--]) {
      place_[a] = first % shape[a];
      if (a == last_) row_ = first - place_[a];
    }
  }
  void operator()(int64_t first, const uint16_t* offsets, int64_t count) {
    if (last_ < 0) return;  // rank 0 has no axis
    for (int64_t j = 0; j < count; ++j) {
      const int64_t i = first + offsets[j];
      while (i - row_ >= shape_[last_]) next_row();
      for (int a = 0; a < last_; ++a) out_[a] = place_[a];
      out_[last_] = i - row_;
      out_ += last_ + 1;
    }
  }

 private:
  void next_row() {
    row_ += shape_[last_];
    for (int a = last_ - 1; a >= 0; --a) {
      if (++place_[a] < shape_[a]) return;
      place_[a] = 0;
    }
  }

  int64_t* out_;
  const Shape& shape_;
  const int last_;
  int64_t row_ = 0;  // the first element of the row
  int64_t place_[kMaxRank] = {};
};

// What a Writer makes of all elements that are true, `width` numbers for each.
template <class Writer>
Tensor written(const Tensor& truth, int64_t width, DType dtype, bool flat) {
  const int64_t n = truth.numel();
  const char* const x = reinterpret_cast<const char*>(truth.data<bool>().data());
  std::vector<int64_t> starts((n + kPiece - 1) / kPiece + 1);
  parallel_pieces(n, kPiece, [&](int64_t begin, int64_t end) {
    starts[begin / kPiece + 1] = count_true(x + begin, end - begin);
  });
  for (size_t p = 1; p < starts.size(); ++p) starts[p] += starts[p - 1];
  const int64_t count = starts.back();
  MemoryRef memory(
      allocate_memory(static_cast<size_t>(count * width) * static_cast<size_t>(size_of(dtype))));
  parallel_pieces(n, kPiece, [&](int64_t begin, int64_t end) {
    if (starts[begin / kPiece] == starts[begin / kPiece + 1]) return;
    Writer write(memory->data, starts[begin / kPiece], truth.shape(), begin);
    uint16_t offsets[kBlock + 8];
    for (int64_t first = begin; first < end; first += kBlock)
      write(first, offsets, note_true(x + first, std::min(kBlock, end - first), offsets));
  });
  return leaf(std::move(memory), 0, flat ? Shape{count} : Shape{count, width}, dtype);
}

}  // namespace

Tensor true_positions(const Tensor& mask) {
  if (mask.numel() <= INT32_MAX) return written<FlatWriter<int32_t>>(mask, 1, kI32, true);
  return written<FlatWriter<int64_t>>(mask, 1, kI64, true);
}

Tensor nonzero(const Tensor& x, Where where) {
  require_defined("nonzero", x, where);
  const Tensor truth = cast(x, kBool);
  if (x.rank() == 1) return written<FlatWriter<int64_t>>(truth, 1, kI64, false);
  return written<PlaceWriter>(truth, x.rank(), kI64, false);
}

}  // namespace glia
