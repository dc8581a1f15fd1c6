// Tensors over the memory of other arrays, arrays over that of tensors, and tensors of nested
// lists.
#include <nanobind/ndarray.h>

#include "glia/ops.h"
#include "python/bindings/bindings.h"

namespace glia::python {
namespace {

using namespace nb::literals;

constexpr DType kAll[] = {kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64};

// ---- Arrays -----------------------------------------------------------------------------------

struct Layout {
  nb::dlpack::dtype_code code;
  uint8_t bits;
};
constexpr Layout kLayouts[] = {
    {nb::dlpack::dtype_code::Bool, 8},    {nb::dlpack::dtype_code::UInt, 8},
    {nb::dlpack::dtype_code::Int, 8},     {nb::dlpack::dtype_code::Int, 32},
    {nb::dlpack::dtype_code::Int, 64},    {nb::dlpack::dtype_code::Float, 16},
    {nb::dlpack::dtype_code::Bfloat, 16}, {nb::dlpack::dtype_code::Float, 32},
    {nb::dlpack::dtype_code::Float, 64}};

nb::dlpack::dtype layout_of(DType t) {
  const Layout& layout = kLayouts[static_cast<int>(t)];
  return {static_cast<uint8_t>(layout.code), layout.bits, 1};
}

// Over the tensor's own memory, which lives as long as the array; nobody may write to it.
template <class... Framework>
nb::object shared_array(const Tensor& x) {
  const void* data = bytes_of(x);
  size_t sizes[kMaxRank] = {};
  for (int i = 0; i < x.rank(); ++i) sizes[i] = static_cast<size_t>(x.size(i));
  nb::object owner = nb::steal(wrap(Tensor(x)));
  nb::ndarray<nb::ro, Framework...> array(data, static_cast<size_t>(x.rank()), sizes, owner,
                                          nullptr, layout_of(x.dtype()));
  return nb::cast(array);
}

bool find_dtype(nb::dlpack::dtype from, DType* to) {
  for (DType t : kAll)
    if (from == layout_of(t)) {
      *to = t;
      return true;
    }
  return false;
}

// Shares the memory of what is contiguous.
Tensor from_array(const nb::ndarray<nb::ro>& array, DType dtype) {
  if (array.ndim() > kMaxRank)
    throw ShapeError("from_dlpack: an array of " + std::to_string(array.ndim()) +
                     " axes, more than " + std::to_string(kMaxRank));
  std::vector<int64_t> sizes;
  bool contiguous = true;
  for (size_t i = 0; i < array.ndim(); ++i) sizes.push_back(static_cast<int64_t>(array.shape(i)));
  int64_t expected = 1;
  for (size_t i = array.ndim(); i-- > 0; expected *= sizes[i])
    contiguous &= sizes[i] == 1 || array.stride(i) == expected;
  const Shape shape(sizes);
  const bool aligned = reinterpret_cast<uintptr_t>(array.data()) % size_of(dtype) == 0;
  if (shape.numel() == 0) return zeros(shape, dtype);
  if (!contiguous || !aligned) return {};
  auto keeper = new nb::ndarray<nb::ro>(array);
  std::shared_ptr<const void> owner(array.data(), [keeper](const void*) {
    if (!Py_IsInitialized()) return;
    nb::gil_scoped_acquire locked;
    delete keeper;
  });
  return from_external(array.data(), shape, dtype, owner);
}

Tensor from_contiguous(nb::handle from) {
  const auto array = nb::cast<nb::ndarray<nb::ro>>(from, true);
  DType dtype{};
  if (array.device_type() != nb::device::cpu::value)
    throw Error("from_dlpack: the array is not in the memory of the CPU");
  if (!find_dtype(array.dtype(), &dtype)) return {};
  return from_array(array, dtype);
}

bool is_array(nb::handle from) {
  return is_numpy(from) || PyObject_HasAttrString(from.ptr(), "__dlpack__");
}

// NumPy's types that Glia lacks, as the next larger one.
nb::object with_known_dtype(nb::object array) {
  nb::object type = array.attr("dtype");
  const std::string kind = nb::cast<std::string>(type.attr("kind"));
  const int64_t bytes = nb::cast<int64_t>(type.attr("itemsize"));
  const char* to = nullptr;
  if (!nb::cast<bool>(type.attr("isnative"))) to = nullptr;
  if (kind == "i" && bytes == 2) to = "int32";
  if (kind == "u" && bytes == 2) to = "int32";
  if (kind == "u" && bytes >= 4) to = "int64";
  if (kind == "f" && bytes > 8) to = "float64";
  if (to && kind == "u" && bytes == 8 && nb::cast<int64_t>(array.attr("size")) > 0 &&
      nb::cast<double>(array.attr("max")()) >= 9223372036854775808.0)
    throw ValueError("tensor: i64 does not hold all of the array's numbers");
  if (!to && (kind == "c" || kind == "O" || kind == "U" || kind == "S" || kind == "M" ||
              kind == "m" || kind == "V"))
    throw nb::type_error(
        ("tensor: no dtype for NumPy's " + nb::cast<std::string>(nb::str(type))).c_str());
  if (to) return array.attr("astype")(to);
  if (!nb::cast<bool>(type.attr("isnative")))
    return array.attr("astype")(type.attr("newbyteorder")("="));
  return array;
}

// ---- Nested lists -----------------------------------------------------------------------------

class Nested {
 public:
  explicit Nested(nb::handle from) {
    find_shape(from, 0);
    read(from, 0);
  }
  Tensor tensor(std::optional<DType> dtype) const {
    const Shape shape(sizes_);
    const DType natural = any_float_ ? kF32 : any_integer_ ? kI64 : any_bool_ ? kBool : kF32;
    const DType to = dtype.value_or(natural);
    Tensor made;
    if (any_float_ || (natural == kF32 && to == kF32)) {
      made = from_vector(reals_, shape);
    } else {
      made = from_vector(integers_, shape);
    }
    made = cast(Operand(made, {}), to);
    eval(made);
    return made;
  }

 private:
  static bool is_list(nb::handle x) { return PyList_Check(x.ptr()) || PyTuple_Check(x.ptr()); }
  void find_shape(nb::handle from, size_t depth) {
    if (!is_list(from)) return;
    if (depth == kMaxRank) throw ShapeError("tensor: lists within more than 8 lists");
    const Py_ssize_t size = PySequence_Fast_GET_SIZE(from.ptr());
    sizes_.push_back(size);
    if (size > 0) find_shape(nb::handle(PySequence_Fast_ITEMS(from.ptr())[0]), depth + 1);
  }
  void read(nb::handle from, size_t depth) {
    if (depth < sizes_.size()) {
      if (!is_list(from) || PySequence_Fast_GET_SIZE(from.ptr()) != sizes_[depth])
        throw ShapeError("tensor: rows of different lengths");
      for (Py_ssize_t i = 0; i < sizes_[depth]; ++i)
        read(nb::handle(PySequence_Fast_ITEMS(from.ptr())[i]), depth + 1);
      return;
    }
    Number number = 0;
    if (is_list(from)) throw ShapeError("tensor: rows of different lengths");
    if (!load_number(from.ptr(), true, &number)) {
      const Tensor* place = nullptr;
      Tensor held;
      if (!load_tensor(from.ptr(), false, &place, &held) || from.is_none())
        throw nb::type_error(
            ("tensor: no number: " + nb::cast<std::string>(nb::repr(from))).c_str());
      const Tensor& x = place ? *place : held;
      if (is_float(x.dtype()))
        number = x.item<double>({});
      else if (x.dtype() == kBool)
        number = x.item<bool>({});
      else
        number = x.item<int64_t>({});
    }
    if (PyLong_Check(from.ptr()) && !number.is_integer())
      throw ValueError("tensor: i64 does not hold " + nb::cast<std::string>(nb::repr(from)));
    any_bool_ |= number.kind() == kBool;
    any_integer_ |= number.kind() == kI64;
    any_float_ |= number.kind() == kF64;
    if (number.is_integer() && !number.is_exact()) throw ValueError("tensor: i64 does not hold it");
    reals_.push_back(number.value());
    integers_.push_back(number.integer());
  }

  std::vector<int64_t> sizes_;
  std::vector<double> reals_;
  std::vector<int64_t> integers_;
  bool any_bool_ = false, any_integer_ = false, any_float_ = false;
};

// Whether stacking what is in the list is meant.
bool holds_arrays(nb::handle from) {
  while (PyList_Check(from.ptr()) || PyTuple_Check(from.ptr())) {
    if (PySequence_Fast_GET_SIZE(from.ptr()) == 0) return false;
    from = nb::handle(PySequence_Fast_ITEMS(from.ptr())[0]);
  }
  return is_numpy(from) && nb::cast<int64_t>(from.attr("ndim")) > 0;
}

}  // namespace

const void* bytes_of(const Tensor& x) {
  Unlocked free;
  switch (x.dtype()) {
    case kBool:
      return x.data<bool>({}).data();
    case kU8:
      return x.data<uint8_t>({}).data();
    case kI8:
      return x.data<int8_t>({}).data();
    case kI32:
      return x.data<int32_t>({}).data();
    case kI64:
      return x.data<int64_t>({}).data();
    case kF16:
      return x.data<float16>({}).data();
    case kBF16:
      return x.data<bfloat16>({}).data();
    case kF32:
      return x.data<float>({}).data();
    case kF64:
      return x.data<double>({}).data();
  }
  return nullptr;
}

nb::object numpy_array(const Tensor& x) {
  if (!x.defined()) throw Error("numpy: the tensor is undefined");
  // NumPy has no bf16.
  return shared_array<nb::numpy>(x.dtype() == kBF16 ? cast(Operand(x, {}), kF32) : x);
}

nb::object dlpack_of(const Tensor& x, const nb::kwargs& options) {
  return shared_array<nb::array_api>(x).attr("__dlpack__")(**options);
}

bool is_numpy(nb::handle from) { return PyObject_HasAttrString(from.ptr(), "__array_interface__"); }

Tensor any_array(nb::object from) {
  if (is_numpy(from)) {
    from = with_known_dtype(from);
    Tensor shared = from_contiguous(from);
    if (shared.defined()) return shared;
    from = nb::module_::import_("numpy").attr("array")(from, "order"_a = "C");
    return from_contiguous(from);
  }
  Tensor shared = from_contiguous(from);
  if (shared.defined()) return shared;
  if (PyObject_HasAttrString(from.ptr(), "contiguous")) from = from.attr("contiguous")();
  shared = from_contiguous(from);
  if (!shared.defined())
    throw nb::type_error(
        "from_dlpack: the array is not contiguous, or of a dtype that is not here");
  return shared;
}

bool load_array(PyObject* from, Tensor* tensor) {
  if (PyObject_TypeCheck(from, tensor_type) || !is_array(from)) return false;
  *tensor = any_array(nb::borrow(from));
  return true;
}

Tensor as_tensor(nb::object from, std::optional<DType> dtype, bool copy) {
  const Tensor* place = nullptr;
  Tensor made;
  if (from.is_none()) throw nb::type_error("tensor: None is no tensor");
  if (load_tensor(from.ptr(), false, &place, &made)) {
    if (place) made = *place;
  } else if (is_array(from)) {
    made = any_array(from);
    if (copy) made = from_bytes(bytes_of(made), made.shape(), made.dtype());
  } else if (holds_arrays(from)) {
    made = any_array(nb::module_::import_("numpy").attr("array")(from));
  } else {
    return Nested(from).tensor(dtype);
  }
  return dtype && *dtype != made.dtype() ? cast(Operand(made, {}), *dtype) : made;
}

}  // namespace glia::python
