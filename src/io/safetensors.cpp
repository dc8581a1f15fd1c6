// safetensors: the length of a header in 64 bits, the header in JSON, then the tensors' bytes,
// one right after the other (https://github.com/huggingface/safetensors).
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "glia/io.h"
#include "io/elements.h"

namespace glia::io {
namespace {

using nlohmann::json;

constexpr uint64_t kMostHeader = 100'000'000;  // the limit of the format's own library
constexpr size_t kAlignment = 64;
constexpr const char* kMetadataKey = "__metadata__";
constexpr const char* kNames[kDTypeCount] = {"BOOL", "U8",   "I8",  "I32", "I64",
                                             "F16",  "BF16", "F32", "F64"};  // by DType

// In one line, whatever is in it.
std::string in_quotes(const std::string& name) {
  return json(name).dump(-1, ' ', false, json::error_handler_t::replace);
}

struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin, end;
};

Entry parse_entry(const std::string& path, const std::string& name, const json& entry) {
  const auto is_list = [&](const char* key) {
    const auto list = entry.find(key);
    return list != entry.end() && list->is_array() &&
           std::all_of(list->begin(), list->end(), [](const json& n) {
             return n.is_number_unsigned() && n.get<uint64_t>() <= INT64_MAX;
           });
  };
  const std::string label = "tensor " + in_quotes(name);
  if (entry.size() != 3 || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !is_list("shape") || !is_list("data_offsets") || entry["data_offsets"].size() != 2)
    fail(path, label + " needs a dtype, a shape and two data_offsets");
  const std::string dtype = entry["dtype"];
  const auto found = std::find(std::begin(kNames), std::end(kNames), dtype);
  if (found == std::end(kNames)) fail(path, label + " is " + dtype + ", which has no dtype here");
  const int element = static_cast<int>(size_of(static_cast<DType>(found - kNames)));
  Entry out{name, static_cast<DType>(found - kNames),
            checked_shape(path, entry["shape"].get<std::vector<int64_t>>()),
            entry["data_offsets"][0], entry["data_offsets"][1]};
  if (out.begin > out.end || out.end - out.begin != uint64_t(out.shape.numel()) * element)
    fail(path, label + " has bytes " + grouped(out.begin) + " to " + grouped(out.end) + " for " +
                   dtype + " " + out.shape.str());
  return out;
}

struct Header {
  std::vector<Entry> entries;
  Metadata metadata;
};

// Takes each of the outer object's values out as soon as it is complete, so that the order is
// kept and no more than one value is held.
Header parse_header(const std::string& path, Bytes text) {
  Header header;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  std::string name;                         // of the outer object's value
  const auto on_event = [&](int depth, json::parse_event_t event, json& value) {
    using Event = json::parse_event_t;
    if (depth == 1 && (event == Event::value || event == Event::array_start))
      fail(path, "header has " + in_quotes(name) + " that is no JSON object");
    if (depth > 3) fail(path, "header is nested too deep");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key) {
      const std::string key = value;
      if (!keys.back().insert(key).second) fail(path, "header has " + in_quotes(key) + " twice");
      if (depth == 1) name = key;
    }
    if (depth != 1 || event != Event::object_end) return true;
    if (name != kMetadataKey) {
      header.entries.push_back(parse_entry(path, name, value));
    } else {
      for (const auto& [key, text] : value.items()) {
        if (!text.is_string()) fail(path, "metadata " + in_quotes(key) + " is no text");
        header.metadata.emplace_back(key, text);
      }
    }
    return false;
  };
  try {
    if (!json::parse(text.begin(), text.end(), on_event).is_object())
      fail(path, "header is no JSON object");
  } catch (const json::exception&) {
    fail(path, "header is no valid JSON");
  }
  return header;
}

}  // namespace

NamedTensors read_safetensors(const std::string& path, Metadata* metadata) {
  const Content file = map(path);
  Cursor cursor(path, file.bytes);
  const uint64_t header_size = cursor.little(8);
  if (header_size > kMostHeader)
    fail(path, "claims a header of " + grouped(header_size) + " bytes");
  Header header = parse_header(path, cursor.take(header_size));
  const std::vector<Entry>& entries = header.entries;
  const Bytes data = cursor.take(cursor.left());

  // The tensors must cover the data without holes or overlaps.
  std::vector<const Entry*> by_place;
  for (const Entry& entry : entries) by_place.push_back(&entry);
  std::sort(by_place.begin(), by_place.end(), [](const Entry* a, const Entry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  uint64_t at = 0;
  for (const Entry* entry : by_place) {
    if (entry->begin != at)
      fail(path, "tensor " + in_quotes(entry->name) + " starts at byte " + grouped(entry->begin) +
                     " of the data instead of " + grouped(at));
    at = entry->end;
  }
  const uint64_t start = file.bytes.size() - data.size();
  if (at > data.size()) fail_short(path, file.bytes.size(), start + at);
  if (at < data.size()) fail(path, grouped(data.size() - at) + " bytes follow its tensors");

  if (metadata) *metadata = std::move(header.metadata);
  NamedTensors tensors;
  for (const Entry& entry : entries) {
    const Content content{path, data.subspan(entry.begin, entry.end - entry.begin), file.owner};
    tensors.emplace_back(entry.name, decode(content, entry.shape, entry.dtype));
  }
  return tensors;
}

void write_safetensors(const std::string& path, const NamedTensors& tensors,
                       const Metadata& metadata) {
  // Wider elements first, so that each tensor is aligned with no holes between them.
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return size_of(tensors[a].second.dtype()) > size_of(tensors[b].second.dtype());
  });
  std::vector<Bytes> data;
  std::vector<uint64_t> begins(tensors.size());
  uint64_t at = 0;
  for (size_t i : order) {
    begins[i] = at;
    data.push_back(raw_bytes(tensors[i].second));
    at += data.back().size();
  }

  std::string text = "{";
  std::set<std::string> names = {kMetadataKey};
  const auto put = [&](const std::string& name, const json& value) {
    text += (text.size() > 1 ? "," : "") + json(name).dump() + ":" + value.dump();
  };
  try {
    const std::map<std::string, std::string> texts(metadata.begin(), metadata.end());
    if (texts.size() < metadata.size()) fail(path, "two metadata texts have the same key");
    if (!texts.empty()) put(kMetadataKey, texts);
    for (size_t i = 0; i < tensors.size(); ++i) {
      const auto& [name, tensor] = tensors[i];
      if (!names.insert(name).second)
        fail(path, "the name " + in_quotes(name) + " is given twice or reserved");
      const Shape& shape = tensor.shape();
      const uint64_t bytes = shape.numel() * size_of(tensor.dtype());
      put(name, {{"dtype", kNames[static_cast<int>(tensor.dtype())]},
                 {"shape", std::vector<int64_t>(shape.begin(), shape.end())},
                 {"data_offsets", {begins[i], begins[i] + bytes}}});
    }
  } catch (const json::exception&) {
    fail(path, "a name or the metadata is no UTF-8 text");
  }
  text += "}";
  text.resize((8 + text.size() + kAlignment - 1) / kAlignment * kAlignment - 8, ' ');
  if (text.size() > kMostHeader)
    fail(path, "its header of " + grouped(text.size()) + " bytes is above the format's limit");

  std::string length;
  put_little(length, text.size(), 8);
  AtomicFile file(path);
  file.write(length);
  file.write(text);
  for (Bytes bytes : data) file.write(bytes);
  file.commit();
}

}  // namespace glia::io
