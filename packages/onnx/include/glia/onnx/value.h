// What flows through an ONNX graph: tensors of more types than Glia computes in, texts, sequences.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/tensor.h"

namespace glia::onnx {

// Types of elements by their numbers in ONNX files (TensorProto.DataType).
enum class ElementType : uint8_t {
  kUndefined,
  kFloat32,
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kInt32,
  kInt64,
  kString,
  kBool,
  kFloat16,
  kFloat64,
  kUint32,
  kUint64,
  kComplex64,
  kComplex128,
  kBFloat16,
  kFloat8E4M3FN,
  kFloat8E4M3FNUZ,
  kFloat8E5M2,
  kFloat8E5M2FNUZ,
  kUint4,
  kInt4,
  kFloat4E2M1,
  kFloat8E8M0,
  kUint2,
  kInt2,
};
inline constexpr int kElementTypes = 27;

// "float32", "uint16", "string", ...
const char* name(ElementType type);
// What Glia keeps numbers of that type in: those that it has no dtype for in the next wider one,
// u64 in i64 (by its bits), floats of 8 bits and less in f32, complex ones as pairs along a last
// axis. Throws Error for texts.
DType stored_as(ElementType type);
ElementType element_type(DType dtype);

// A tensor of texts; row-major.
struct Strings {
  std::vector<std::string> values = {};
  Shape shape = {};
};

// A tensor, a tensor of texts, a sequence of values, or nothing (an empty optional).
struct Value {
  enum class Kind : uint8_t { kNone, kTensor, kStrings, kSequence };

  Value() = default;
  Value(const Tensor& values) : Value(values, element_type(values.dtype())) {}
  // Throws Error if the tensor's dtype is not what numbers of the type are kept in.
  Value(const Tensor& values, ElementType type);
  explicit Value(Strings texts)
      : kind(Kind::kStrings), type(ElementType::kString), strings(std::move(texts)) {}
  explicit Value(std::vector<Value> items) : kind(Kind::kSequence), sequence(std::move(items)) {}

  Kind kind = Kind::kNone;
  ElementType type = ElementType::kUndefined;  // of elements; of a sequence, that of its tensors
  Tensor tensor = {};
  Strings strings = {};
  std::vector<Value> sequence = {};
};

}  // namespace glia::onnx
