// Members of JSON from files that nobody has checked; a ValueError names what is wrong.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "glia/error.h"

namespace glia::text {

inline const nlohmann::json& member(const nlohmann::json& in, const char* name) {
  if (!in.is_object() || !in.contains(name))
    throw ValueError("there is no \"" + std::string(name) + "\"");
  return in.at(name);
}
inline const nlohmann::json& null_json() {
  static const nlohmann::json none;
  return none;
}
inline const nlohmann::json& member_or_null(const nlohmann::json& in, const char* name) {
  return in.is_object() && in.contains(name) ? in.at(name) : null_json();
}
inline std::string as_text(const nlohmann::json& value, const char* name) {
  if (!value.is_string()) throw ValueError("\"" + std::string(name) + "\" is no text");
  return value.get<std::string>();
}
inline std::string text_of(const nlohmann::json& in, const char* name) {
  return as_text(member(in, name), name);
}
inline std::string text_of(const nlohmann::json& in, const char* name, const char* otherwise) {
  const nlohmann::json& value = member_or_null(in, name);
  return value.is_null() ? otherwise : as_text(value, name);
}
inline bool flag_of(const nlohmann::json& in, const char* name, bool otherwise) {
  const nlohmann::json& value = member_or_null(in, name);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean())
    throw ValueError("\"" + std::string(name) + "\" is neither true nor false");
  return value.get<bool>();
}
inline int64_t integer_of(const nlohmann::json& in, const char* name, int64_t otherwise,
                          int64_t most = int64_t{1} << 40) {
  const nlohmann::json& value = member_or_null(in, name);
  if (value.is_null()) return otherwise;
  if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() > most)
    throw ValueError("\"" + std::string(name) + "\" is no integer up to " + std::to_string(most));
  return value.get<int64_t>();
}
inline double number_of(const nlohmann::json& value, const char* name) {
  if (!value.is_number()) throw ValueError("\"" + std::string(name) + "\" is no number");
  return value.get<double>();
}

}  // namespace glia::text
