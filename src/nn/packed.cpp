// Packing and padding: rows of one array at positions that the lengths say.
#include "glia/nn/packed.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "glia/ops.h"

namespace glia::nn {
namespace {

using Numbers = std::vector<int64_t>;

void require(bool holds, const char* function, const std::string& what, const Where& where) {
  if (!holds) throw ShapeError(fmt::format("{}: {}", function, what), where);
}

Tensor row(const Numbers& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}

// x (A, B, ...) -> (A B, ...).
Tensor as_rows(const Tensor& x, const Where& where) {
  Shape shape = x.shape();
  shape[1] = multiply_sizes(shape[0], shape[1]);
  shape.erase(0);
  return reshape(x, shape, where);
}
Tensor from_rows(const Tensor& rows, int64_t a, int64_t b, const Where& where) {
  Shape shape = rows.shape();
  shape[0] = b;
  shape.insert(0, a);
  return reshape(rows, shape, where);
}

Numbers checked_lengths(const char* function, const Tensor& lengths, int64_t count, int64_t least,
                        int64_t most, const Where& where) {
  require(lengths.defined() && is_integer(lengths.dtype()), function, "lengths are no integers",
          where);
  require(lengths.shape() == Shape{count}, function,
          fmt::format("lengths have shape {}, not ({},)", lengths.shape().str(), count), where);
  const Numbers all = lengths.to_vector<int64_t>();
  for (const int64_t length : all)
    require(length >= least && length <= most, function,
            fmt::format("a length of {} is not from {} to {}", length, least, most), where);
  return all;
}

Numbers inverse(const Numbers& order) {
  Numbers out(order.size());
  for (size_t i = 0; i < order.size(); ++i) out[order[i]] = static_cast<int64_t>(i);
  return out;
}

// Of what a user may have put together: sizes that fall, and as many rows as they say.
Numbers checked_sizes(const PackedSequence& p, const Where& where) {
  constexpr const char* kName = "PackedSequence";
  require(p.data.defined() && p.data.rank() > 0, kName, "has no data", where);
  require(p.batch_sizes.defined() && p.batch_sizes.rank() == 1 && p.batch_sizes.numel() > 0 &&
              is_integer(p.batch_sizes.dtype()),
          kName, "batch_sizes are no integers (T)", where);
  const Numbers sizes = p.batch_sizes.to_vector<int64_t>();
  int64_t rows = 0, before = sizes[0];
  for (const int64_t size : sizes) {
    require(size > 0 && size <= before, kName, "batch_sizes rise or are not positive", where);
    rows = add_sizes(rows, before = size);
  }
  require(rows == p.data.size(0), kName,
          fmt::format("batch_sizes are of {} rows, the data have {}", rows, p.data.size(0)), where);
  return sizes;
}
// The packed sequence that each one of the batch is.
Numbers checked_order(const PackedSequence& p, int64_t count, const Where& where) {
  Numbers order(count);
  std::iota(order.begin(), order.end(), 0);
  if (!p.unsorted_indices.defined()) return order;
  const Numbers given =
      checked_lengths("PackedSequence", p.unsorted_indices, count, 0, count - 1, where);
  Numbers sorted = given;
  std::ranges::sort(sorted);
  require(sorted == order, "PackedSequence", "unsorted_indices are no permutation", where);
  return given;
}

Numbers lengths_of(const Numbers& sizes) {
  Numbers out(sizes[0]);
  for (const int64_t size : sizes)
    for (int64_t i = 0; i < size; ++i) ++out[i];
  return out;
}

}  // namespace

Tensor PackedSequence::lengths() const {
  const Where where = Where::current();
  const Numbers sorted = lengths_of(checked_sizes(*this, where));
  Numbers out;
  for (const int64_t i : checked_order(*this, static_cast<int64_t>(sorted.size()), where))
    out.push_back(sorted[i]);
  return row(out);
}

PackedSequence pack_padded_sequence(const Tensor& x, const Tensor& lengths, bool batch_first,
                                    bool enforce_sorted, Where where) {
  constexpr const char* kName = "pack_padded_sequence";
  require(x.defined() && x.rank() >= 2, kName, "x has no steps and sequences", where);
  const int64_t steps = x.size(batch_first ? 1 : 0), count = x.size(batch_first ? 0 : 1);
  require(count > 0, kName, "there is no sequence", where);
  const Numbers all = checked_lengths(kName, lengths, count, 1, steps, where);
  Numbers order(count);
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](int64_t i) { return all[i]; });
  if (enforce_sorted)
    require(std::ranges::is_sorted(all, std::greater()), kName,
            "the lengths rise, which enforce_sorted refuses", where);
  Numbers rows, sizes;
  for (int64_t t = 0; t < all[order[0]]; ++t) {
    const size_t before = rows.size();
    for (const int64_t n : order) {
      if (all[n] <= t) break;
      rows.push_back(batch_first ? n * steps + t : t * count + n);
    }
    sizes.push_back(static_cast<int64_t>(rows.size() - before));
  }
  PackedSequence out{take(as_rows(x, where), row(rows), 0, where), row(sizes)};
  if (enforce_sorted) return out;
  out.sorted_indices = row(order);
  out.unsorted_indices = row(inverse(order));
  return out;
}

PaddedSequence pad_packed_sequence(const PackedSequence& packed, bool batch_first,
                                   const Number& padding_value, std::optional<int64_t> total_length,
                                   Where where) {
  const Numbers sizes = checked_sizes(packed, where);
  const auto longest = static_cast<int64_t>(sizes.size());
  const int64_t steps = total_length.value_or(longest), count = sizes[0];
  require(steps >= longest, "pad_packed_sequence",
          fmt::format("total_length {} is below the longest length {}", steps, longest), where);
  const Numbers order = checked_order(packed, count, where), sorted = lengths_of(sizes);
  Shape one = packed.data.shape();
  const int64_t padding = one[0];
  one[0] = 1;
  Numbers rows(Shape({steps, count}).numel(), padding), lengths;
  for (int64_t t = 0, first = 0; t < longest; first += sizes[t++])
    for (int64_t n = 0; n < count; ++n) {
      if (order[n] >= sizes[t]) continue;
      rows[batch_first ? n * steps + t : t * count + n] = first + order[n];
    }
  for (const int64_t i : order) lengths.push_back(sorted[i]);
  const Tensor all = concat({packed.data, full(one, padding_value, packed.data.dtype())}, 0, where);
  const Tensor out = take(all, row(rows), 0, where);
  return {batch_first ? from_rows(out, count, steps, where) : from_rows(out, steps, count, where),
          row(lengths)};
}

Tensor pad_sequence(const std::vector<Tensor>& sequences, bool batch_first,
                    const Number& padding_value, PaddingSide padding_side, Where where) {
  constexpr const char* kName = "pad_sequence";
  require(!sequences.empty(), kName, "there is no sequence", where);
  int64_t longest = 0;
  for (const Tensor& s : sequences) {
    require(s.defined() && s.rank() > 0, kName, "a sequence has no steps", where);
    longest = std::max(longest, s.size(0));
  }
  std::vector<Tensor> padded;
  for (const Tensor& s : sequences) {
    std::vector<std::pair<int64_t, int64_t>> pads(s.rank());
    (padding_side == PaddingSide::kRight ? pads[0].second : pads[0].first) = longest - s.size(0);
    padded.push_back(pad(s, pads, padding_value, where));
  }
  return stack(padded, batch_first ? 0 : 1, where);
}

std::vector<Tensor> unpad_sequence(const Tensor& padded, const Tensor& lengths, bool batch_first,
                                   Where where) {
  constexpr const char* kName = "unpad_sequence";
  require(padded.defined() && padded.rank() >= 2, kName, "there are no steps and sequences", where);
  const Tensor x = batch_first ? padded : transpose(padded, 0, 1, where);
  std::vector<Tensor> out;
  for (const int64_t length : checked_lengths(kName, lengths, x.size(0), 0, x.size(1), where))
    out.push_back(
        slice(index(x, {static_cast<int64_t>(out.size())}, where), 0, {0, length}, where));
  return out;
}

PackedSequence pack_sequence(const std::vector<Tensor>& sequences, bool enforce_sorted,
                             Where where) {
  Numbers lengths;
  const Tensor padded = pad_sequence(sequences, false, 0, PaddingSide::kRight, where);
  for (const Tensor& s : sequences) lengths.push_back(s.size(0));
  return pack_padded_sequence(padded, row(lengths), false, enforce_sorted, where);
}

Tensor reverse_sequences(const Tensor& x, const Tensor& lengths, Where where) {
  constexpr const char* kName = "reverse_sequences";
  require(x.defined() && x.rank() >= 2, kName, "x has no steps and sequences", where);
  const int64_t steps = x.size(0), count = x.size(1);
  require(lengths.defined() && lengths.shape() == Shape{count} && is_integer(lengths.dtype()),
          kName, fmt::format("lengths are no integers ({},)", count), where);
  const Tensor place = unsqueeze(arange(steps), 1), length = cast(lengths, kI64);
  const Tensor from = glia::where(place < length, length - 1 - place, place);  // (T, N)
  const Tensor rows = reshape(from * count + arange(count), {steps * count}, where);
  return from_rows(take(as_rows(x, where), rows, 0, where), steps, count, where);
}

}  // namespace glia::nn
