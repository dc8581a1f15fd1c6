#include "glia/onnx/value.h"

#include "glia/error.h"

namespace glia::onnx {
namespace {

struct Type {
  const char* name;
  DType kept;
};
constexpr Type kTypes[kElementTypes] = {
    {"undefined", kF32},
    {"float32", kF32},
    {"uint8", kU8},
    {"int8", kI8},
    {"uint16", kI32},
    {"int16", kI32},
    {"int32", kI32},
    {"int64", kI64},
    {"string", kU8},
    {"bool", kBool},
    {"float16", kF16},
    {"float64", kF64},
    {"uint32", kI64},
    {"uint64", kI64},
    {"complex64", kF32},
    {"complex128", kF64},
    {"bfloat16", kBF16},
    {"float8e4m3fn", kF32},
    {"float8e4m3fnuz", kF32},
    {"float8e5m2", kF32},
    {"float8e5m2fnuz", kF32},
    {"uint4", kU8},
    {"int4", kI8},
    {"float4e2m1", kF32},
    {"float8e8m0", kF32},
    {"uint2", kU8},
    {"int2", kI8},
};

}  // namespace

const char* name(ElementType type) {
  return static_cast<int>(type) < kElementTypes ? kTypes[static_cast<int>(type)].name : "unknown";
}

DType stored_as(ElementType type) {
  if (type == ElementType::kUndefined || type == ElementType::kString ||
      static_cast<int>(type) >= kElementTypes)
    throw Error(std::string("numbers of type ") + name(type) + " cannot be kept");
  return kTypes[static_cast<int>(type)].kept;
}

ElementType element_type(DType dtype) {
  constexpr ElementType types[] = {
      ElementType::kBool,     ElementType::kUint8,   ElementType::kInt8,
      ElementType::kInt32,    ElementType::kInt64,   ElementType::kFloat16,
      ElementType::kBFloat16, ElementType::kFloat32, ElementType::kFloat64};
  return types[static_cast<int>(dtype)];
}

Value::Value(const Tensor& values, ElementType its_type)
    : kind(Kind::kTensor), type(its_type), tensor(values) {
  if (stored_as(type) != values.dtype())
    throw Error(std::string("numbers of type ") + onnx::name(type) + " are kept in " +
                glia::name(stored_as(type)) + ", not " + glia::name(values.dtype()));
}

}  // namespace glia::onnx
