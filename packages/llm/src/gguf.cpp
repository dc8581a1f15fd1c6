#include "glia/llm/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "glia/error.h"
#include "glia/io.h"
#include "mapped.h"

namespace glia::llm {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint32_t kVersion = 3;
constexpr int64_t kAlignment = 32, kMostAlignment = 1 << 20;
constexpr uint32_t kMostAxes = 4;
constexpr uint64_t kLongestName = 1 << 16;
constexpr const char* kAlignmentKey = "general.alignment";

// Bytes of a value, at least.
int64_t size_of_type(GgufType type) {
  constexpr int64_t kSizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
  return kSizes[static_cast<int>(type)];
}
bool is_integer(GgufType t) {
  return t != GgufType::kFloat32 && t != GgufType::kFloat64 && t != GgufType::kString &&
         t != GgufType::kArray;
}

// In one line, whatever is in it.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 80)) out += c < ' ' || c == '\x7f' ? '?' : c;
  return out + (text.size() > 80 ? "...'" : "'");
}

// ---- Reading ----------------------------------------------------------------------------------

class Reader {
 public:
  Reader(const std::string& path, std::span<const uint8_t> bytes) : path_(path), bytes_(bytes) {}

  [[noreturn]] void fail(const std::string& fault) const { throw IoError(path_ + ": " + fault); }
  uint64_t at() const { return at_; }
  uint64_t left() const { return bytes_.size() - at_; }
  std::span<const uint8_t> take(uint64_t count) {
    if (count > left())
      fail(fmt::format("ends after {} bytes, in the middle of its header", bytes_.size()));
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text(uint64_t most, const char* what) {
    const auto size = number<uint64_t>();
    if (size > most || size > left())
      fail(fmt::format("claims a {} of {} bytes at byte {}", what, size, at_ - 8));
    const auto bytes = take(size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  GgufType type() {
    const auto code = number<uint32_t>();
    if (code > static_cast<uint32_t>(GgufType::kFloat64))
      fail(fmt::format("has a setting of unknown type {} at byte {}", code, at_ - 4));
    return static_cast<GgufType>(code);
  }

 private:
  const std::string& path_;
  std::span<const uint8_t> bytes_;
  uint64_t at_ = 0;
};

void read_value(Reader& in, GgufValue* value) {
  switch (value->type) {
    case GgufType::kUint8:
      value->integers.push_back(in.number<uint8_t>());
      break;
    case GgufType::kInt8:
      value->integers.push_back(in.number<int8_t>());
      break;
    case GgufType::kUint16:
      value->integers.push_back(in.number<uint16_t>());
      break;
    case GgufType::kInt16:
      value->integers.push_back(in.number<int16_t>());
      break;
    case GgufType::kUint32:
      value->integers.push_back(in.number<uint32_t>());
      break;
    case GgufType::kInt32:
      value->integers.push_back(in.number<int32_t>());
      break;
    case GgufType::kUint64:
    case GgufType::kInt64:
      value->integers.push_back(in.number<int64_t>());
      break;
    case GgufType::kBool:
      value->integers.push_back(in.number<uint8_t>() != 0);
      break;
    case GgufType::kFloat32:
      value->numbers.push_back(in.number<float>());
      break;
    case GgufType::kFloat64:
      value->numbers.push_back(in.number<double>());
      break;
    case GgufType::kString:
      value->texts.push_back(in.text(UINT64_MAX, "text"));
      break;
    case GgufType::kArray:
      in.fail("has a list of lists, which is not known here");
  }
}

GgufValue read_setting(Reader& in) {
  GgufValue value{in.type()};
  uint64_t count = 1;
  if (value.type == GgufType::kArray) {
    value.is_array = true;
    value.type = in.type();
    count = in.number<uint64_t>();
    if (count > in.left() / size_of_type(value.type))
      in.fail(fmt::format("claims a list of {} values at byte {}", count, in.at() - 8));
  }
  for (uint64_t i = 0; i < count; ++i) read_value(in, &value);
  return value;
}

struct Place {
  std::string name;
  Quant type;
  Shape shape;
  uint64_t begin, bytes;
};

Place read_place(Reader& in) {
  Place place{.name = in.text(kLongestName, "tensor's name")};
  const std::string label = "tensor " + in_quotes(place.name);
  const auto axes = in.number<uint32_t>();
  if (axes < 1 || axes > kMostAxes)
    in.fail(fmt::format("{} claims {} axes, not 1 to {}", label, axes, kMostAxes));
  std::vector<int64_t> sizes(axes);  // the last axis first
  uint64_t count = 1;
  for (uint32_t i = axes; i-- > 0;) {
    const auto size = in.number<uint64_t>();
    // An element takes at least 2 bits.
    if (size > uint64_t{1} << 48 || (size > 0 && count > (uint64_t{1} << 48) / size))
      in.fail(label + " claims more weights than there can be");
    sizes[i] = static_cast<int64_t>(size);
    count *= size;
  }
  place.shape = Shape(sizes);
  const auto code = in.number<uint32_t>();
  place.type = static_cast<Quant>(code);
  std::pair<int64_t, int64_t> block;
  try {
    block = block_of(place.type);
  } catch (const ValueError&) {
    in.fail(fmt::format("{} has weights of kind {}, which is not known here", label, code));
  }
  if (sizes.back() % block.first != 0)
    in.fail(fmt::format("{} has rows of {}, no multiple of the block of {}, {}", label,
                        sizes.back(), quant_name(place.type), block.first));
  place.begin = in.number<uint64_t>();
  place.bytes = count / block.first * block.second;
  return place;
}

// Weights must lie within the data, at multiples of the alignment, none over another.
void check_places(const Reader& in, const std::vector<Place>& places, uint64_t room,
                  uint64_t alignment) {
  std::vector<const Place*> order;
  for (const Place& place : places) order.push_back(&place);
  std::ranges::sort(order, {}, [](const Place* p) { return std::pair(p->begin, p->bytes); });
  uint64_t end = 0;
  for (const Place* place : order) {
    const std::string label = "tensor " + in_quotes(place->name);
    if (place->begin % alignment != 0)
      in.fail(fmt::format("{} begins at byte {} of the weights, no multiple of {}", label,
                          place->begin, alignment));
    if (place->begin > room || place->bytes > room - place->begin)
      in.fail(fmt::format("{} of {} bytes at byte {} does not lie in {} bytes of weights", label,
                          place->bytes, place->begin, room));
    if (place->begin < end) in.fail(label + " lies over another");
    end = place->begin + place->bytes;
  }
}

// ---- Writing ----------------------------------------------------------------------------------

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}
void put_text(std::string& out, const std::string& text) {
  put<uint64_t>(out, text.size());
  out += text;
}
void put_code(std::string& out, auto code) { put(out, static_cast<uint32_t>(code)); }
void put_value(std::string& out, const GgufValue& v, size_t i) {
  switch (v.type) {
    case GgufType::kFloat32:
      return put(out, static_cast<float>(v.numbers[i]));
    case GgufType::kFloat64:
      return put(out, v.numbers[i]);
    case GgufType::kString:
      return put_text(out, v.texts[i]);
    default: {
      const int64_t whole = v.integers[i];  // its first bytes
      out.append(reinterpret_cast<const char*>(&whole), size_of_type(v.type));
    }
  }
}
size_t count_of(const GgufValue& v) {
  if (v.type == GgufType::kString) return v.texts.size();
  return is_integer(v.type) ? v.integers.size() : v.numbers.size();
}

uint64_t aligned(uint64_t at, uint64_t alignment) {
  return (at + alignment - 1) / alignment * alignment;
}

static_assert(std::endian::native == std::endian::little);

}  // namespace

// ---- Content ----------------------------------------------------------------------------------

const GgufValue* Gguf::find(const std::string& key) const {
  for (const auto& [name, value] : metadata)
    if (name == key) return &value;
  return nullptr;
}
const GgufValue& Gguf::value(const std::string& key) const {
  if (const GgufValue* found = find(key)) return *found;
  throw Error("the GGUF file has no setting '" + key + "'");
}
bool Gguf::has(const std::string& key) const { return find(key) != nullptr; }

namespace {

template <class T>
const std::vector<T>& checked(const std::string& key, const GgufValue& v, const std::vector<T>& in,
                              bool fits, bool list, const char* what) {
  if (!fits || v.is_array != list || (!list && in.size() != 1))
    throw Error("the GGUF file's setting '" + key + "' is no " + what);
  return in;
}

}  // namespace

std::string Gguf::text(const std::string& key) const {
  const GgufValue& v = value(key);
  return checked(key, v, v.texts, v.type == GgufType::kString, false, "text")[0];
}
int64_t Gguf::integer(const std::string& key) const {
  const GgufValue& v = value(key);
  return checked(key, v, v.integers, is_integer(v.type), false, "integer")[0];
}
double Gguf::number(const std::string& key) const {
  const GgufValue& v = value(key);
  if (is_integer(v.type)) return static_cast<double>(integer(key));
  return checked(key, v, v.numbers, v.type != GgufType::kString, false, "number")[0];
}
std::string Gguf::text(const std::string& key, const std::string& otherwise) const {
  return has(key) ? text(key) : otherwise;
}
int64_t Gguf::integer(const std::string& key, int64_t otherwise) const {
  return has(key) ? integer(key) : otherwise;
}
double Gguf::number(const std::string& key, double otherwise) const {
  return has(key) ? number(key) : otherwise;
}
std::vector<std::string> Gguf::texts(const std::string& key) const {
  const GgufValue& v = value(key);
  return checked(key, v, v.texts, v.type == GgufType::kString, true, "list of texts");
}
std::vector<int64_t> Gguf::integers(const std::string& key) const {
  const GgufValue& v = value(key);
  return checked(key, v, v.integers, is_integer(v.type), true, "list of integers");
}
std::vector<double> Gguf::numbers(const std::string& key) const {
  const GgufValue& v = value(key);
  const bool fits = !is_integer(v.type) && v.type != GgufType::kString;
  return checked(key, v, v.numbers, fits, true, "list of numbers");
}
bool Gguf::has_tensor(const std::string& name) const {
  return std::ranges::any_of(tensors, [&](const auto& t) { return t.first == name; });
}
const QuantizedTensor& Gguf::tensor(const std::string& name) const {
  for (const auto& [its, tensor] : tensors)
    if (its == name) return tensor;
  throw Error("the GGUF file has no tensor '" + name + "'");
}

void Gguf::set(const std::string& key, GgufValue value) {
  for (auto& [name, old] : metadata)
    if (name == key) {
      old = std::move(value);
      return;
    }
  metadata.emplace_back(key, std::move(value));
}
void Gguf::set_text(const std::string& key, const std::string& value) {
  set(key, {GgufType::kString, false, {}, {}, {value}});
}
void Gguf::set_integer(const std::string& key, int64_t value) {
  const bool small = value >= 0 && value <= UINT32_MAX;
  set(key, {small ? GgufType::kUint32 : GgufType::kInt64, false, {value}});
}
void Gguf::set_number(const std::string& key, double value) {
  set(key, {GgufType::kFloat32, false, {}, {value}});
}
void Gguf::set_flag(const std::string& key, bool value) {
  set(key, {GgufType::kBool, false, {value}});
}

// ---- Files ------------------------------------------------------------------------------------

Gguf read_gguf(const std::string& path) {
  const Mapped file = map_file(path);
  Reader in(path, file.bytes);
  const auto magic = in.take(std::min<uint64_t>(4, in.left()));
  if (std::string_view(reinterpret_cast<const char*>(magic.data()), magic.size()) != kMagic)
    in.fail("is no GGUF file");
  const auto version = in.number<uint32_t>();
  if (version < 2 || version > kVersion)
    in.fail(version << 24 == version ? "is big-endian GGUF, which is not known here"
                                     : fmt::format("is GGUF of version {}, not 2 or 3", version));
  const auto tensors = in.number<uint64_t>(), settings = in.number<uint64_t>();
  constexpr uint64_t kLeastSetting = 8 + 4 + 1, kLeastTensor = 8 + 4 + 8 + 4 + 8;
  if (settings > in.left() / kLeastSetting) in.fail(fmt::format("claims {} settings", settings));
  Gguf out;
  std::set<std::string> names;
  for (uint64_t i = 0; i < settings; ++i) {
    std::string key = in.text(kLongestName, "setting's name");
    if (!names.insert(key).second) in.fail("has the setting " + in_quotes(key) + " twice");
    out.metadata.emplace_back(std::move(key), read_setting(in));
  }
  if (tensors > in.left() / kLeastTensor) in.fail(fmt::format("claims {} tensors", tensors));
  std::vector<Place> places;
  names.clear();
  for (uint64_t i = 0; i < tensors; ++i) {
    places.push_back(read_place(in));
    if (!names.insert(places.back().name).second)
      in.fail("has the tensor " + in_quotes(places.back().name) + " twice");
  }
  int64_t alignment = kAlignment;
  if (out.has(kAlignmentKey)) {
    try {
      alignment = out.integer(kAlignmentKey);
    } catch (const Error&) {
      alignment = 0;
    }
    if (alignment < 1 || alignment > kMostAlignment || !std::has_single_bit(uint64_t(alignment)))
      in.fail("has an alignment that is no power of 2");
  }
  const uint64_t start = aligned(in.at(), alignment);
  const uint64_t room = start < file.bytes.size() ? file.bytes.size() - start : 0;
  check_places(in, places, room, alignment);
  for (const Place& place : places) {
    const auto size = static_cast<int64_t>(place.bytes);
    const uint8_t* const at = size > 0 ? file.bytes.data() + start + place.begin : nullptr;
    out.tensors.emplace_back(
        place.name,
        QuantizedTensor{place.type, place.shape,
                        size > 0 ? from_external(at, {size}, kU8, file.owner) : zeros({0}, kU8)});
  }
  return out;
}

void write_gguf(const std::string& path, const Gguf& content) {
  const auto fail = [&](const std::string& fault) { throw IoError(path + ": " + fault); };
  const int64_t alignment = content.integer(kAlignmentKey, kAlignment);
  if (alignment < 1 || alignment > kMostAlignment || !std::has_single_bit(uint64_t(alignment)))
    fail("its alignment is no power of 2");
  std::string out(kMagic);
  put(out, kVersion);
  put<uint64_t>(out, content.tensors.size());
  put<uint64_t>(out, content.metadata.size());
  std::set<std::string> names;
  for (const auto& [key, value] : content.metadata) {
    const size_t count = count_of(value);
    if (!names.insert(key).second) fail("the setting " + in_quotes(key) + " is given twice");
    if (value.type == GgufType::kArray || (!value.is_array && count != 1))
      fail("the setting " + in_quotes(key) + " has " + std::to_string(count) + " values");
    put_text(out, key);
    if (value.is_array) put_code(out, GgufType::kArray);
    put_code(out, value.type);
    if (value.is_array) put<uint64_t>(out, count);
    for (size_t i = 0; i < count; ++i) put_value(out, value, i);
  }
  names.clear();
  uint64_t at = 0;
  for (const auto& [name, tensor] : content.tensors) {
    const auto [block, bytes] = block_of(tensor.type);
    const Shape& shape = tensor.shape;
    const std::string label = "the tensor " + in_quotes(name);
    if (!names.insert(name).second) fail(label + " is given twice");
    if (shape.rank() < 1 || shape.rank() > static_cast<int>(kMostAxes) ||
        shape[shape.rank() - 1] % block != 0 || !tensor.bytes.defined() ||
        tensor.bytes.numel() != shape.numel() / block * bytes)
      fail(label + " has not the bytes of " + quant_name(tensor.type) + " " + shape.str());
    put_text(out, name);
    put_code(out, shape.rank());
    for (int i = shape.rank(); i-- > 0;) put<uint64_t>(out, shape[i]);
    put_code(out, tensor.type);
    put<uint64_t>(out, at);
    at = aligned(at + tensor.bytes.numel(), alignment);
  }
  out.resize(aligned(out.size(), alignment));
  const uint64_t start = out.size();
  out.reserve(start + at);
  for (const auto& [name, tensor] : content.tensors) {
    const auto bytes = tensor.bytes.data<uint8_t>();
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    out.resize(start + aligned(out.size() - start, alignment));
  }
  io::write_file_atomic(path, out);
}

}  // namespace glia::llm
