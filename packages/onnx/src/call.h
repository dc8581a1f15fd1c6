// What an operator sees when it runs: its inputs and attributes, and where its results go.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "glia/error.h"
#include "glia/ops.h"
#include "program.h"

namespace glia::onnx {

class Call {
 public:
  Call(Frame& frame, const Node& node, int index) : frame_(frame), node_(node), index_(index) {}

  int opset() const { return node_.opset; }
  const Node& node() const { return node_; }
  [[noreturn]] void fail(const std::string& fault) const { throw Error(fault); }

  // ---- Inputs ----
  int inputs() const { return static_cast<int>(node_.inputs.size()); }
  bool has(int i) const;
  // Fails if it is not given.
  const Held& in(int i) const;
  ElementType type(int i) const { return in(i).type; }
  Shape shape(int i) const { return in(i).shape(); }
  // In ONNX's order of axes.
  Tensor tensor(int i) const;
  Tensor tensor_or(int i, const Tensor& otherwise) const { return has(i) ? tensor(i) : otherwise; }
  // (N, ..., C) for ONNX's (N, C, ...).
  Tensor spatial(int i) const;
  const Strings& strings(int i) const;
  const std::vector<Held>& sequence(int i) const;
  // All inputs, or those from `first` to before `end`, in one order of axes, which put() knows. Of
  // elementwise operators.
  std::vector<Tensor> aligned(int first = 0, int end = -1);
  // Values that say what is to be done. Shapes then depend on values unless these are constants.
  std::vector<int64_t> integers(int i);
  std::vector<double> numbers(int i);
  int64_t integer(int i);
  double number(int i);
  std::vector<int64_t> integers_or(int i, const std::vector<int64_t>& otherwise) {
    return has(i) ? integers(i) : otherwise;
  }

  // ---- Attributes ----
  const Attribute* attribute(const char* name) const;
  bool has_attribute(const char* name) const { return attribute(name) != nullptr; }
  int64_t integer_of(const char* name, int64_t otherwise) const;
  double real_of(const char* name, double otherwise) const;
  std::string text_of(const char* name, const std::string& otherwise = "") const;
  std::vector<int64_t> integers_of(const char* name,
                                   const std::vector<int64_t>& otherwise = {}) const;
  std::vector<double> reals_of(const char* name) const;
  std::vector<std::string> texts_of(const char* name) const;

  // An axis counted from the front; and several.
  int axis(int64_t axis, int rank) const;
  std::vector<int64_t> axes(std::vector<int64_t> axes, int rank) const;

  // ---- Results ----
  int outputs() const { return static_cast<int>(node_.outputs.size()); }
  bool wants(int o) const { return o < outputs() && node_.outputs[o] >= 0; }
  // Of the type of input 0 if numbers of that are kept so, else of the dtype.
  void set(int o, const Tensor& value);
  void set(int o, const Tensor& value, ElementType type);
  void set(int o, Held value);
  // (N, ..., C).
  void set_spatial(int o, const Tensor& value);
  // Output 0, in the order of axes of aligned().
  void put(const Tensor& value);
  void put(const Tensor& value, ElementType type);
  // Follows from shapes alone.
  void set_of_shape(int o, const Tensor& value);
  // The results' shapes depend on values.
  void depends_on_values() { reads_values_ = true; }

  // ---- Graphs ----
  // Runs the graph that is an attribute.
  std::vector<Held> run(const char* name, std::vector<Held> inputs);
  const Graph& graph(const char* name) const;

  // Private to execute(): gives the frame its results.
  void finish();

 private:
  Tensor raw(int i, bool channels_last) const;

  Frame& frame_;
  const Node& node_;
  const int index_;
  bool reads_values_ = false, aligned_last_ = false;
  std::vector<Held> results_ = std::vector<Held>(node_.outputs.size());
  std::vector<bool> of_shape_ = std::vector<bool>(node_.outputs.size());
};

// Integers that Glia keeps in a wider dtype, cut to their own bits as arithmetic on them does.
Tensor wrapped(const Tensor& x, ElementType type);
// To another type of numbers, as Cast does.
Tensor converted(const Tensor& x, ElementType from, ElementType to, bool saturate = true);

}  // namespace glia::onnx
