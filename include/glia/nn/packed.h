// Sequences of different lengths in one batch, with PyTorch's functions of torch.nn.utils.rnn.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "glia/tensor.h"

namespace glia::nn {

// Steps of all sequences one behind the other, longest sequence first: of every one its first step,
// of those that have one their second, ...
struct PackedSequence {
  Tensor data;         // (sum of lengths, ...)
  Tensor batch_sizes;  // (T) i64: how many sequences have each step
  // (N) i64, of batches that were not sorted: where each packed sequence was, and back.
  Tensor sorted_indices = {}, unsorted_indices = {};

  // (N) i64, in the order of the batch. Throws ShapeError where sizes and data do not fit.
  Tensor lengths() const;
};

// x (T, N, ...), or (N, T, ...) if batch_first, with lengths (N), i32 or i64, from 1 to T. If
// enforce_sorted, the lengths must not rise. Throws ShapeError.
PackedSequence pack_padded_sequence(const Tensor& x, const Tensor& lengths,
                                    bool batch_first = false, bool enforce_sorted = true,
                                    Where where = Where::current());
struct PaddedSequence {
  Tensor out;      // (T, N, ...) or (N, T, ...)
  Tensor lengths;  // (N) i64
};
// Back to one array in the order of the batch, filled up with `padding_value` to the longest
// sequence or to `total_length`.
PaddedSequence pad_packed_sequence(const PackedSequence& packed, bool batch_first = false,
                                   const Number& padding_value = 0,
                                   std::optional<int64_t> total_length = {},
                                   Where where = Where::current());

enum class PaddingSide { kRight, kLeft };
// Sequences (L_i, ...) as one array (T, N, ...) or (N, T, ...), filled up with `padding_value`.
Tensor pad_sequence(const std::vector<Tensor>& sequences, bool batch_first = false,
                    const Number& padding_value = 0, PaddingSide padding_side = PaddingSide::kRight,
                    Where where = Where::current());
std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths,
                                   bool batch_first = false, Where where = Where::current());
PackedSequence pack_sequence(const std::vector<Tensor>& sequences, bool enforce_sorted = true,
                             Where where = Where::current());

// Each sequence of x (T, N, ...) backwards within its length (N) i64; what fills it up stays.
Tensor reverse_sequences(const Tensor& x, const Tensor& lengths, Where where = Where::current());

}  // namespace glia::nn
