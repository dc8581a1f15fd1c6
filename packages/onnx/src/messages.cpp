#include "messages.h"

#include <bit>
#include <cstring>
#include <filesystem>
#include <optional>

#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "small_floats.h"
#include "wire.h"

namespace glia::onnx {
namespace {

constexpr int kMaxNesting = 64;

[[noreturn]] void fail(const std::string& file, const std::string& fault) {
  throw IoError(file + ": " + fault);
}

// ---- Tensors ----

int bits_of(ElementType type) {
  switch (type) {
    case ElementType::kUint2:
    case ElementType::kInt2:
      return 2;
    case ElementType::kUint4:
    case ElementType::kInt4:
    case ElementType::kFloat4E2M1:
      return 4;
    case ElementType::kUint16:
    case ElementType::kInt16:
    case ElementType::kFloat16:
    case ElementType::kBFloat16:
      return 16;
    case ElementType::kFloat32:
    case ElementType::kInt32:
    case ElementType::kUint32:
      return 32;
    case ElementType::kFloat64:
    case ElementType::kInt64:
    case ElementType::kUint64:
    case ElementType::kComplex64:
      return 64;
    case ElementType::kComplex128:
      return 128;
    default:
      return 8;
  }
}

// Numbers that Glia keeps in a wider dtype, one code each.
template <class To, class F>
Tensor widened(const Shape& shape, F&& code) {
  std::vector<To> out(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<To>(code(i));
  return from_vector(out, shape);
}

Tensor from_raw(std::string_view raw, ElementType type, const Shape& shape) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(raw[i]); };
  const auto wide = [&]<class T>(T) {
    return [raw](size_t i) {
      T value;
      std::memcpy(&value, raw.data() + i * sizeof(T), sizeof(T));
      return value;
    };
  };
  const int bits = bits_of(type);
  const auto packed = [&](size_t i) {  // the first lies in the low bits
    const size_t per = 8 / bits;
    return byte(i / per) >> (i % per * bits) & ((1 << bits) - 1);
  };
  const auto signed_packed = [&](size_t i) {
    const int value = packed(i);
    return value >> (bits - 1) ? value - (1 << bits) : value;
  };
  switch (type) {
    case ElementType::kUint16:
      return widened<int32_t>(shape, wide(uint16_t{}));
    case ElementType::kInt16:
      return widened<int32_t>(shape, wide(int16_t{}));
    case ElementType::kUint32:
      return widened<int64_t>(shape, wide(uint32_t{}));
    case ElementType::kUint2:
    case ElementType::kUint4:
      return widened<uint8_t>(shape, packed);
    case ElementType::kInt2:
    case ElementType::kInt4:
      return widened<int8_t>(shape, signed_packed);
    case ElementType::kFloat4E2M1:
      return widened<float>(shape, [&](size_t i) { return from_code(type, packed(i)); });
    case ElementType::kBool:
      return widened<uint8_t>(shape, [&](size_t i) { return byte(i) != 0; }) != 0;
    case ElementType::kComplex64:
    case ElementType::kComplex128: {
      Shape pairs = shape;
      pairs.push_back(2);
      return from_bytes(raw.data(), pairs, stored_as(type));
    }
    default:
      if (is_small_float(type))
        return widened<float>(shape, [&](size_t i) { return from_code(type, byte(i)); });
      return from_bytes(raw.data(), shape, stored_as(type));
  }
}

// The bytes of what a file keeps beside itself.
std::string external_data(const std::vector<std::pair<std::string, std::string>>& says,
                          const std::string& file, const std::string& folder,
                          const std::string& tensor) {
  namespace fs = std::filesystem;
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  const auto number = [&](const std::string& text) {
    if (text.empty() || text.size() > 18 || text.find_first_not_of("0123456789") != text.npos)
      fail(file, "external data of \"" + tensor + "\" begin or end at \"" + text + "\"");
    return std::stoull(text);
  };
  for (const auto& [key, value] : says) {
    if (key == "location") location = value;
    if (key == "offset") offset = number(value);
    if (key == "length") length = number(value);
  }
  if (folder.empty())
    fail(file, "keeps \"" + tensor + "\" in \"" + location + "\", but has no folder");
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  const fs::path path = fs::canonical(root / location, error);
  if (error || location.empty())
    fail(file, "keeps \"" + tensor + "\" in \"" + location + "\", which is not there");
  const fs::path inside = path.lexically_relative(root);
  if (inside.empty() || *inside.begin() == ".." || !fs::is_regular_file(path))
    fail(file, "keeps \"" + tensor + "\" in \"" + location + "\", outside its folder");
  const std::string all = io::read_file(path.string());
  if (offset > all.size() || (length && *length > all.size() - offset))
    fail(file, "\"" + location + "\" has " + std::to_string(all.size()) + " bytes, but \"" +
                   tensor + "\" is to end behind them");
  return all.substr(offset, length.value_or(std::string::npos));
}

struct Origin {
  const std::string& folder;
};

Value tensor_of(WireReader in, const Origin& from, std::string* its_name = nullptr) {
  std::vector<int64_t> dims;
  uint64_t type_number = 0;
  std::string tensor_name, external;
  std::string_view raw;
  bool has_raw = false, is_external = false;
  std::vector<std::pair<std::string, std::string>> external_says;
  std::string packed;  // what stands in typed fields, as raw data would have it
  std::vector<std::string> texts;
  const auto put = [&](const auto value) {
    packed.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  std::vector<uint64_t> ints;
  while (in.next()) {
    switch (in.field()) {
      case 1:
        in.each_varint([&](uint64_t d) { dims.push_back(static_cast<int64_t>(d)); });
        break;
      case 2:
        type_number = in.varint();
        break;
      case 4:
        in.each_fixed32([&](uint32_t bits) { put(bits); });
        break;
      case 5:
      case 7:
      case 11:
        in.each_varint([&](uint64_t n) { ints.push_back(n); });
        break;
      case 6:
        texts.push_back(in.text());
        break;
      case 8:
        tensor_name = in.text();
        break;
      case 9:
        raw = in.bytes();
        has_raw = true;
        break;
      case 10:
        in.each_fixed64([&](uint64_t bits) { put(bits); });
        break;
      case 13: {
        std::pair<std::string, std::string> entry;
        for (WireReader e = in.message(); e.next();) {
          if (e.field() == 1) entry.first = e.text();
          if (e.field() == 2) entry.second = e.text();
        }
        external_says.push_back(std::move(entry));
        break;
      }
      case 14:
        is_external = in.varint() == 1;
        break;
      default:
        break;
    }
  }
  const std::string& file = in.file();
  const std::string called = "tensor \"" + tensor_name + "\"";
  if (its_name) *its_name = tensor_name;
  if (type_number == 0 || type_number >= kElementTypes)
    fail(file, called + " has elements of the unknown type " + std::to_string(type_number));
  const auto type = static_cast<ElementType>(type_number);
  const bool is_complex = type == ElementType::kComplex64 || type == ElementType::kComplex128;
  if (dims.size() + is_complex > static_cast<size_t>(kMaxRank))
    fail(file, called + " has " + std::to_string(dims.size()) + " axes");
  const Shape shape(dims);
  int64_t count = 0;
  try {
    count = shape.numel();
  } catch (const Error&) {
    fail(file, called + " has the impossible shape " + shape.str());
  }
  if (type == ElementType::kString) {
    if (static_cast<int64_t>(texts.size()) != count)
      fail(file,
           called + " has " + std::to_string(texts.size()) + " texts for the shape " + shape.str());
    return Value(Strings{std::move(texts), shape});
  }
  if (is_external) {
    external = external_data(external_says, file, from.folder, tensor_name);
    raw = external;
  } else if (!has_raw) {
    const int bits = bits_of(type);
    for (uint64_t n : ints) {
      if (bits <= 8)
        put(static_cast<uint8_t>(n));
      else if (bits == 16)
        put(static_cast<uint16_t>(n));
      else if (bits == 32)
        put(static_cast<uint32_t>(n));
      else
        put(n);
    }
    raw = packed;
  }
  const uint64_t bits = static_cast<uint64_t>(bits_of(type));
  // count is below 2^59, so that a product with 128 may overflow: compare by whole bytes.
  const uint64_t want = bits >= 8 ? multiply_sizes(count, static_cast<int64_t>(bits / 8))
                                  : (static_cast<uint64_t>(count) * bits + 7) / 8;
  if (raw.size() != want)
    fail(file, called + " of shape " + shape.str() + " and type " + name(type) + " has " +
                   std::to_string(raw.size()) + " bytes, not " + std::to_string(want));
  return {from_raw(raw, type, shape), type};
}

// What a sparse tensor (values, their places, a shape) is when it is written out.
Value dense(WireReader in, const Origin& from, std::string* its_name) {
  Value values, places;
  std::vector<int64_t> dims;
  while (in.next()) {
    if (in.field() == 1) values = tensor_of(in.message(), from, its_name);
    if (in.field() == 2) places = tensor_of(in.message(), from);
    if (in.field() == 3)
      in.each_varint([&](uint64_t d) { dims.push_back(static_cast<int64_t>(d)); });
  }
  const std::string& file = in.file();
  if (values.kind != Value::Kind::kTensor || places.kind != Value::Kind::kTensor ||
      places.tensor.dtype() != kI64 || dims.size() > kMaxRank || values.tensor.rank() != 1)
    fail(file, "a sparse tensor without values or places");
  const Shape shape(dims);
  try {
    if (shape.numel() > int64_t{1} << 31) fail(file, "a sparse tensor of shape " + shape.str());
  } catch (const ShapeError&) {
    fail(file, "a sparse tensor of shape " + shape.str());
  }
  const int64_t count = values.tensor.size(0);
  const bool flat = places.tensor.shape() == Shape{count};
  if (!flat && places.tensor.shape() != Shape{count, shape.rank()})
    fail(file, "a sparse tensor has places of shape " + places.tensor.shape().str());
  const std::vector<int64_t> at = places.tensor.to_vector<int64_t>();
  const size_t size = size_of(values.tensor.dtype());
  const Tensor compact = reshape(values.tensor, {count});
  eval(compact);
  std::string bytes(static_cast<size_t>(shape.numel()) * size, '\0');
  const auto copy = [&]<class T>(T) {
    const auto data = compact.data<T>();
    for (int64_t i = 0; i < count; ++i) {
      int64_t place = flat ? at[i] : 0;
      for (int a = 0; !flat && a < shape.rank(); ++a) {
        const int64_t index = at[i * shape.rank() + a];
        if (index < 0 || index >= shape[a]) fail(file, "a sparse tensor has a number outside");
        place = place * shape[a] + index;
      }
      if (place < 0 || place >= shape.numel()) fail(file, "a sparse tensor has a number outside");
      std::memcpy(bytes.data() + static_cast<size_t>(place) * size, &data[i], size);
    }
  };
  switch (values.tensor.dtype()) {
    case kF32:
      copy(float{});
      break;
    case kF64:
      copy(double{});
      break;
    case kI64:
      copy(int64_t{});
      break;
    case kI32:
      copy(int32_t{});
      break;
    default:
      fail(file, std::string("a sparse tensor of type ") + name(values.type));
  }
  return {from_bytes(bytes.data(), shape, values.tensor.dtype()), values.type};
}

Value sequence_of(WireReader in, const Origin& from, int depth);
Value optional_of(WireReader in, const Origin& from, int depth) {
  if (depth > kMaxNesting) fail(in.file(), "values are nested too deep");
  Value out;
  while (in.next()) {
    if (in.field() == 3) out = tensor_of(in.message(), from);
    if (in.field() == 5) out = sequence_of(in.message(), from, depth + 1);
    if (in.field() == 7) out = optional_of(in.message(), from, depth + 1);
  }
  return out;
}
Value sequence_of(WireReader in, const Origin& from, int depth) {
  if (depth > kMaxNesting) fail(in.file(), "values are nested too deep");
  std::vector<Value> items;
  while (in.next()) {
    if (in.field() == 3) items.push_back(tensor_of(in.message(), from));
    if (in.field() == 5) items.push_back(sequence_of(in.message(), from, depth + 1));
    if (in.field() == 7) items.push_back(optional_of(in.message(), from, depth + 1));
  }
  return Value(std::move(items));
}

// ---- Graphs ----

void read_type(WireReader in, ValueInfo* info, int depth = 0) {
  if (depth > kMaxNesting) fail(in.file(), "types are nested too deep");
  while (in.next()) {
    WireReader type = in.field() == 1 || in.field() == 4 || in.field() == 9 || in.field() == 8
                          ? in.message()
                          : WireReader("", in.file());
    if (in.field() == 1 || in.field() == 8) {
      while (type.next()) {
        if (type.field() == 1) {
          const uint64_t n = type.varint();
          info->type = n < kElementTypes ? name(static_cast<ElementType>(n)) : "unknown";
        }
        if (type.field() != 2) continue;
        info->has_shape = true;
        for (WireReader shape = type.message(); shape.next();) {
          if (shape.field() != 1) continue;
          std::string size = "?";
          for (WireReader dim = shape.message(); dim.next();) {
            if (dim.field() == 1) size = std::to_string(dim.integer());
            if (dim.field() == 2 && !dim.bytes().empty()) size = dim.text();
          }
          info->shape.push_back(size);
        }
      }
    } else if (in.field() == 4 || in.field() == 9) {
      while (type.next()) {
        if (type.field() == 1) read_type(type.message(), info, depth + 1);
      }
      info->type = (in.field() == 4 ? "sequence(" : "optional(") + info->type + ")";
    }
  }
}

ValueInfo info_of(WireReader in) {
  ValueInfo info;
  while (in.next()) {
    if (in.field() == 1) info.name = in.text();
    if (in.field() == 2) read_type(in.message(), &info);
  }
  return info;
}

GraphMessage graph_of(WireReader in, const Origin& from, int depth);

Attribute attribute_of(WireReader in, const Origin& from, int depth) {
  using Kind = Attribute::Kind;
  Attribute a;
  uint64_t stated = 0;
  bool any = false;
  const auto is = [&](Kind kind) {
    a.kind = kind;
    any = true;
  };
  while (in.next()) {
    switch (in.field()) {
      case 1:
        a.name = in.text();
        break;
      case 2:
        a.real = in.real();
        is(Kind::kReal);
        break;
      case 3:
        a.integer = in.integer();
        is(Kind::kInteger);
        break;
      case 4:
        a.text = in.text();
        is(Kind::kText);
        break;
      case 5:
        a.value = tensor_of(in.message(), from);
        is(Kind::kValue);
        break;
      case 6:
        a.graph = std::make_shared<GraphMessage>(graph_of(in.message(), from, depth + 1));
        is(Kind::kGraph);
        break;
      case 7:
        in.each_fixed32([&](uint32_t bits) { a.reals.push_back(std::bit_cast<float>(bits)); });
        is(Kind::kReals);
        break;
      case 8:
        in.each_varint([&](uint64_t n) { a.integers.push_back(static_cast<int64_t>(n)); });
        is(Kind::kIntegers);
        break;
      case 9:
        a.texts.push_back(in.text());
        is(Kind::kTexts);
        break;
      case 20:
        stated = in.varint();
        break;
      case 21:
        a.reference = in.text();
        break;
      case 22: {
        a.value = dense(in.message(), from, nullptr);
        is(Kind::kValue);
        break;
      }
      default:
        break;
    }
  }
  // Empty lists and zeros are not written; writers differ in whether defaults are.
  constexpr Kind kinds[] = {Kind::kNone,  Kind::kReal,  Kind::kInteger,  Kind::kText, Kind::kValue,
                            Kind::kGraph, Kind::kReals, Kind::kIntegers, Kind::kTexts};
  if (stated > 0 && stated < std::size(kinds) && (!any || stated <= 3)) a.kind = kinds[stated];
  return a;
}

NodeMessage node_of(WireReader in, const Origin& from, int depth) {
  NodeMessage node;
  while (in.next()) {
    if (in.field() == 1) node.inputs.push_back(in.text());
    if (in.field() == 2) node.outputs.push_back(in.text());
    if (in.field() == 3) node.name = in.text();
    if (in.field() == 4) node.op = in.text();
    if (in.field() == 5) node.attributes.push_back(attribute_of(in.message(), from, depth));
    if (in.field() == 7) node.domain = in.text();
  }
  if (node.domain == "ai.onnx") node.domain.clear();
  return node;
}

GraphMessage graph_of(WireReader in, const Origin& from, int depth) {
  if (depth > kMaxNesting) fail(in.file(), "graphs are nested too deep");
  GraphMessage graph;
  std::string name;
  while (in.next()) {
    switch (in.field()) {
      case 1:
        graph.nodes.push_back(node_of(in.message(), from, depth));
        break;
      case 2:
        graph.name = in.text();
        break;
      case 5: {
        Value value = tensor_of(in.message(), from, &name);
        graph.initializers.emplace_back(name, std::move(value));
        break;
      }
      case 11:
        graph.inputs.push_back(info_of(in.message()));
        break;
      case 12:
        graph.outputs.push_back(info_of(in.message()));
        break;
      case 15: {
        Value value = dense(in.message(), from, &name);
        graph.initializers.emplace_back(name, std::move(value));
        break;
      }
      default:
        break;
    }
  }
  return graph;
}

std::pair<std::string, int> opset_of(WireReader in) {
  std::pair<std::string, int> opset;
  while (in.next()) {
    if (in.field() == 1) opset.first = in.text();
    if (in.field() == 2) opset.second = static_cast<int>(std::min<uint64_t>(in.varint(), 1 << 20));
  }
  if (opset.first == "ai.onnx") opset.first.clear();
  return opset;
}

FunctionMessage function_of(WireReader in, const Origin& from) {
  FunctionMessage f;
  while (in.next()) {
    if (in.field() == 1) f.name = in.text();
    if (in.field() == 4) f.inputs.push_back(in.text());
    if (in.field() == 5) f.outputs.push_back(in.text());
    if (in.field() == 7) f.nodes.push_back(node_of(in.message(), from, 0));
    if (in.field() == 9) f.opsets.push_back(opset_of(in.message()));
    if (in.field() == 10) f.domain = in.text();
    if (in.field() == 11) f.defaults.push_back(attribute_of(in.message(), from, 0));
  }
  return f;
}

Value whole(const std::string& path, Value (*read)(WireReader, const Origin&)) {
  const std::string bytes = io::read_file(path);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return read(WireReader(bytes, path), {folder.empty() ? "." : folder});
}

}  // namespace

ModelMessage read_model(std::string_view bytes, const std::string& file,
                        const std::string& folder) {
  ModelMessage model;
  bool has_graph = false;
  const Origin from{folder};
  for (WireReader in(bytes, file); in.next();) {
    if (in.field() == 7) {
      model.graph = graph_of(in.message(), from, 0);
      has_graph = true;
    }
    if (in.field() == 8) model.opsets.push_back(opset_of(in.message()));
    if (in.field() == 25) model.functions.push_back(function_of(in.message(), from));
  }
  if (!has_graph) fail(file, "is no ONNX model: it has no graph");
  return model;
}

Value read_value(const std::string& path) {
  return whole(path, [](WireReader in, const Origin& from) { return tensor_of(in, from); });
}
Value read_sequence(const std::string& path) {
  return whole(path, [](WireReader in, const Origin& from) { return sequence_of(in, from, 0); });
}
Value read_optional(const std::string& path) {
  return whole(path, [](WireReader in, const Origin& from) { return optional_of(in, from, 0); });
}

}  // namespace glia::onnx
