// Samples with fields of any kind, and how several become a batch.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "glia/sparse.h"
#include "glia/tensor.h"

namespace glia::data {

using Texts = std::vector<std::string>;

// What a field holds: a tensor, a text, a number, or, in a batch, the texts of its samples.
class Value {
 public:
  enum class Kind { kTensor, kInteger, kFloat, kText, kTexts };

  Value() = default;  // an undefined tensor
  Value(Tensor tensor) : held_(std::move(tensor)) {}
  Value(std::string text) : held_(std::move(text)) {}
  Value(const char* text) : held_(std::string(text)) {}
  Value(Texts texts) : held_(std::move(texts)) {}
  // Integers are i64, all other numbers f64.
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Value(T number) {
    if constexpr (std::is_floating_point_v<T>)
      held_ = static_cast<double>(number);
    else
      held_ = checked(number);
  }

  Kind kind() const { return static_cast<Kind>(held_.index()); }
  // "i64 (3, 4)", "text": for messages.
  std::string str() const;
  // Null if the field is of another kind.
  const Tensor* tensor() const { return std::get_if<Tensor>(&held_); }
  const std::string* text() const { return std::get_if<std::string>(&held_); }
  const Texts* texts() const { return std::get_if<Texts>(&held_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&held_); }
  const double* number() const { return std::get_if<double>(&held_); }

 private:
  static int64_t checked(const Number& number);  // throws ValueError if i64 does not hold it

  std::variant<Tensor, int64_t, double, std::string, Texts> held_;
};

// A field by name.
struct Field {
  std::string name;
  Value value;
};

// Of a sample's fields, in order; shared by the samples of a source.
using Names = std::shared_ptr<const std::vector<std::string>>;

// The fields of one sample, or of one batch: in order, with names or without. Whatever asks for a
// field that there is not, or for one as what it is not, throws an Error that lists them all.
class Sample {
 public:
  Sample() = default;
  Sample(std::initializer_list<Tensor> tensors);  // without names
  Sample(std::initializer_list<Field> fields);
  // One name for each value, empty for none; null: no names. No name may repeat.
  explicit Sample(std::vector<Value> values, Names names = nullptr);

  size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }

  // The field's tensor; a number gives one of rank 0.
  Tensor operator[](size_t i) const { return at(i); }
  Tensor operator[](std::string_view name) const { return at(name); }
  Tensor at(size_t i) const { return tensor_of(i, value(i)); }
  Tensor at(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  const Texts& texts(std::string_view name) const;
  int64_t integer(std::string_view name) const;  // of a number that is one
  double number(std::string_view name) const;
  // Of a batch: the field that BatchOptions::ragged made.
  Ragged ragged(std::string_view name) const;

  const Value& value(size_t i) const;
  const Value& value(std::string_view name) const { return values_[place(name)]; }
  bool has(std::string_view name) const;
  const Names& names() const { return names_; }  // null if no field has one
  // "source: text, length: integer": for messages.
  std::string str() const;

  // Adds the field behind the others, or replaces the one of that name.
  void set(std::string_view name, Value value);
  void push_back(Value value);  // without a name
  void erase(std::string_view name);
  // The fields of both; throws Error for a name that both have.
  void append(const Sample& other);

 private:
  size_t place(std::string_view name) const;
  Tensor tensor_of(size_t i, const Value& value) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::vector<Value> values_;
  Names names_;
};

// ---- Batches ----------------------------------------------------------------------------------

// A field whose tensors differ in their sizes: each axis is filled up at its end.
struct Pad {
  std::string field;
  Number value = 0;
  int64_t multiple = 1;      // the longest of a batch is rounded up to a multiple of this
  std::string lengths = {};  // a field to add: sizes of axis 0 before that, (N) i64
  std::string mask = {};     // another: bool (N, L), true where axis 0 is not filled up
};

struct BatchOptions {
  bool drop_last = false;  // no smaller batch at the end
  std::vector<Pad> pad = {};
  // Fields whose tensors are joined along axis 0, and where each begins: FIELD.values (K, ...) and
  // FIELD.starts (N + 1) i64, as Ragged has them.
  std::vector<std::string> ragged = {};
};

// One batch of these samples, which have the same fields: tensors are stacked along a new first
// axis, numbers become a tensor (N), texts are kept as they are. Throws ShapeError.
Sample collate(const std::vector<Sample>& samples, const BatchOptions& options = {});

}  // namespace glia::data
