// Samples stacked, filled up or joined.
#include <algorithm>

#include "data/bytes.h"
#include "glia/data/sample.h"

namespace glia::data {
namespace {

using Samples = std::span<const Sample>;

std::string called(const Sample& sample, size_t field) {
  const Names& names = sample.names();
  return names && !(*names)[field].empty() ? (*names)[field] + " " : "";
}

[[noreturn]] void differ(const Sample& first, size_t field, const Value& a, const Value& b) {
  throw ShapeError("batch: samples differ: " + called(first, field) + a.str() + " and " + b.str());
}

void check_alike(Samples samples) {
  const Sample& first = samples[0];
  for (const Sample& s : samples) {
    const bool same_names =
        s.names() == first.names() || (s.names() && first.names() && *s.names() == *first.names());
    if (s.size() != first.size() || !same_names)
      throw ShapeError("batch: samples differ: " + first.str() + " and " + s.str());
  }
}

// The field's tensors, which agree in dtype and rank.
std::vector<Tensor> tensors_of(Samples samples, size_t field) {
  const Value& first = samples[0].value(field);
  std::vector<Tensor> out;
  for (const Sample& s : samples) {
    const Tensor* t = s.value(field).tensor();
    if (!t || !t->defined() || t->dtype() != first.tensor()->dtype() ||
        t->rank() != first.tensor()->rank())
      differ(samples[0], field, first, s.value(field));
    out.push_back(*t);
  }
  return out;
}

Value stacked(Samples samples, size_t field) {
  const std::vector<Tensor> parts = tensors_of(samples, field);
  for (const Tensor& t : parts)
    if (t.shape() != parts[0].shape()) differ(samples[0], field, parts[0], t);
  eval(parts);
  return stack_rows(static_cast<int64_t>(parts.size()), parts[0].shape(), parts[0].dtype(),
                    [&](int64_t i) { return static_cast<const char*>(parts[i].node()->data()); });
}

// Integers and other numbers together are f64.
Value numbers_of(Samples samples, size_t field) {
  std::vector<int64_t> integers;
  std::vector<double> numbers;
  for (const Sample& s : samples) {
    const Value& value = s.value(field);
    if (const int64_t* n = value.integer()) {
      integers.push_back(*n);
      numbers.push_back(static_cast<double>(*n));
    } else if (const double* x = value.number()) {
      numbers.push_back(*x);
    } else {
      differ(samples[0], field, samples[0].value(field), value);
    }
  }
  const auto n = static_cast<int64_t>(samples.size());
  return integers.size() == samples.size() ? from_vector(integers, {n}) : from_vector(numbers, {n});
}

Value texts_of(Samples samples, size_t field) {
  Texts out;
  for (const Sample& s : samples) {
    const std::string* text = s.value(field).text();
    if (!text) differ(samples[0], field, samples[0].value(field), s.value(field));
    out.push_back(*text);
  }
  return out;
}

Value joined(Samples samples, size_t field) {
  const Value& first = samples[0].value(field);
  switch (first.kind()) {
    case Value::Kind::kTensor:
      if (!first.tensor()->defined())
        throw ShapeError("batch: " + called(samples[0], field) + "is an undefined tensor");
      return stacked(samples, field);
    case Value::Kind::kInteger:
    case Value::Kind::kFloat:
      return numbers_of(samples, field);
    case Value::Kind::kText:
      return texts_of(samples, field);
    default:
      throw ShapeError("batch: " + called(samples[0], field) + "holds texts of a batch already");
  }
}

std::vector<Tensor> long_tensors_of(Samples samples, size_t field, const std::string& name) {
  const Tensor* first = samples[0].value(field).tensor();
  if (!first || !first->defined() || first->rank() == 0)
    throw ShapeError("batch: " + name + " has no axis 0: " + samples[0].value(field).str());
  std::vector<Tensor> parts = tensors_of(samples, field);
  eval(parts);
  return parts;
}

// Copies x, of any sizes, to the corner of an array of these sizes.
void copy_into(const char* from, const Shape& sizes, char* to, const Shape& room, int64_t element) {
  const int rank = sizes.rank();
  const int64_t row = sizes[rank - 1] * element, all = sizes.numel();
  if (all == 0) return;
  const int64_t rows = all / sizes[rank - 1];
  for (int64_t r = 0; r < rows; ++r) {
    int64_t left = r, at = 0, stride = room[rank - 1];
    for (int axis = rank - 2; axis >= 0; --axis) {
      at += left % sizes[axis] * stride;
      left /= sizes[axis];
      stride *= room[axis];
    }
    std::memcpy(to + at * element, from + r * row, row);
  }
}

void pad(Samples samples, size_t field, const Pad& how, Sample* batch) {
  if (how.multiple < 1)
    throw ShapeError("batch: " + how.field + ": a multiple of " + std::to_string(how.multiple));
  const auto parts = long_tensors_of(samples, field, how.field);
  const DType dtype = parts[0].dtype();
  Shape room = parts[0].shape();
  std::vector<int64_t> lengths;
  for (const Tensor& t : parts) {
    const Shape& shape = t.shape();
    for (int axis = 0; axis < room.rank(); ++axis) room[axis] = std::max(room[axis], shape[axis]);
    lengths.push_back(shape[0]);
  }
  if (const int64_t rest = room[0] % how.multiple;
      rest != 0 && __builtin_add_overflow(room[0], how.multiple - rest, &room[0]))
    throw ShapeError("batch: " + how.field + ": a multiple of " + std::to_string(how.multiple));
  const auto count = static_cast<int64_t>(parts.size());
  Shape shape = room;
  shape.insert(0, count);
  const int64_t elements = shape.numel(), each = room.numel();
  const auto element = static_cast<int64_t>(size_of(dtype));
  const Tensor filler = host_number("batch", how.value, dtype);
  MemoryRef memory(allocate_memory(static_cast<size_t>(elements * element)));
  auto* out = static_cast<char*>(memory->data);
  const auto* value = reinterpret_cast<const char*>(filler.node()->first_word);
  for (int64_t i = 0; i < count; ++i) {
    char* const to = out + i * each * element;
    const bool full = parts[i].shape() == room;
    for (int64_t k = 0; !full && k < each; ++k) std::memcpy(to + k * element, value, element);
    copy_into(static_cast<const char*>(parts[i].node()->data()), parts[i].shape(), to, room,
              element);
  }
  batch->set(how.field, leaf(std::move(memory), 0, shape, dtype));
  if (!how.lengths.empty()) batch->set(how.lengths, from_vector(lengths, {count}));
  if (how.mask.empty()) return;
  std::vector<bool> mask;
  for (const int64_t length : lengths)
    for (int64_t k = 0; k < room[0]; ++k) mask.push_back(k < length);
  batch->set(how.mask, from_vector(mask, {count, room[0]}));
}

void make_ragged(Samples samples, size_t field, const std::string& name, Sample* batch) {
  const auto parts = long_tensors_of(samples, field, name);
  const Shape row = without_first(parts[0].shape());
  std::vector<int64_t> starts{0};
  for (const Tensor& t : parts) {
    if (without_first(t.shape()) != row) differ(samples[0], field, parts[0], t);
    starts.push_back(starts.back() + t.shape()[0]);
  }
  Shape shape = row;
  shape.insert(0, starts.back());
  const size_t each = static_cast<size_t>(row.numel()) * size_of(parts[0].dtype());
  MemoryRef memory(allocate_memory(static_cast<size_t>(starts.back()) * each));
  for (size_t i = 0; i < parts.size(); ++i)
    std::memcpy(static_cast<char*>(memory->data) + starts[i] * each, parts[i].node()->data(),
                (starts[i + 1] - starts[i]) * each);
  batch->erase(name);
  batch->set(name + ".values", leaf(std::move(memory), 0, shape, parts[0].dtype()));
  batch->set(name + ".starts", from_vector(starts, {static_cast<int64_t>(starts.size())}));
}

}  // namespace

Sample collate(const std::vector<Sample>& samples, const BatchOptions& options) {
  if (samples.empty()) return {};
  check_alike(samples);
  const Sample& first = samples[0];
  const auto apart = [&](const std::string& name) {
    first.value(name);  // or an error
    return std::ranges::find(*first.names(), name) - first.names()->begin();
  };
  std::vector<bool> later(first.size());
  for (const Pad& how : options.pad) later[apart(how.field)] = true;
  for (const std::string& name : options.ragged) {
    if (later[apart(name)]) throw Error("batch: " + name + " is filled up and ragged");
    later[apart(name)] = true;
  }
  std::vector<Value> values;
  for (size_t i = 0; i < first.size(); ++i)
    values.push_back(later[i] ? Value() : joined(samples, i));
  Sample batch(std::move(values), first.names());
  for (const Pad& how : options.pad)
    for (const std::string& added : {how.lengths, how.mask})
      if (!added.empty() && first.has(added)) throw Error("batch: there is a field " + added);
  for (const Pad& how : options.pad) pad(samples, apart(how.field), how, &batch);
  for (const std::string& name : options.ragged) make_ragged(samples, apart(name), name, &batch);
  return batch;
}

}  // namespace glia::data
