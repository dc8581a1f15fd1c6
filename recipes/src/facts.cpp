#include "facts.h"

#include <algorithm>

#include "json.h"

namespace glia::recipes {
namespace {

constexpr const char* kBytes = "latin1";  // marks texts that are no UTF-8

// Bytes as the characters of these numbers, and such characters as bytes.
std::string widened(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) out += static_cast<char>(0xC0 | byte >> 6);
    out += static_cast<char>(byte >= 0x80 ? 0x80 | (byte & 0x3F) : byte);
  }
  return out;
}
std::string narrowed(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool two = byte >= 0xC0 && i + 1 < text.size();
    out += static_cast<char>(two ? (byte & 0x03) << 6 | (text[i + 1] & 0x3F) : byte);
    i += two;
  }
  return out;
}

}  // namespace

bool is_utf8(const std::string& text) {
  try {
    return !Json(text).dump().empty();
  } catch (const Json::exception&) {
    return false;
  }
}

std::string to_text(const Fact& fact) {
  try {
    return std::visit([](const auto& v) { return Json(v).dump(); }, fact);
  } catch (const Json::exception&) {
  }
  Json bytes;
  if (const auto* one = std::get_if<std::string>(&fact))
    bytes = widened(*one);
  else
    for (const std::string& text : std::get<std::vector<std::string>>(fact))
      bytes.push_back(widened(text));
  return Json{{kBytes, bytes}}.dump();
}

std::optional<Fact> fact_of(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  const bool bytes = json.is_object() && json.contains(kBytes);
  if (bytes) json = Json(json[kBytes]);
  const auto own = [&](const std::string& t) { return bytes ? narrowed(t) : t; };
  if (json.is_string()) return own(json.get<std::string>());
  if (!json.is_array()) return {};
  if (!json.empty() && std::ranges::all_of(json, [](const Json& j) { return j.is_number(); }))
    return json.get<std::vector<double>>();
  if (!std::ranges::all_of(json, [](const Json& j) { return j.is_string(); })) return {};
  auto texts = json.get<std::vector<std::string>>();
  std::ranges::transform(texts, texts.begin(), own);
  return texts;
}

}  // namespace glia::recipes
