// The settings of a model, as its JSON files have them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "glia/error.h"
#include "glia/io.h"

namespace glia::llm {

class JsonFile {
 public:
  explicit JsonFile(const std::string& path) : path_(path) {
    json_ = nlohmann::json::parse(io::read_file(path), nullptr, false);
    if (!json_.is_object()) fail("is no JSON object");
  }
  [[noreturn]] void fail(const std::string& fault) const { throw IoError(path_ + ": " + fault); }
  // Left as it is where the file does not say.
  template <class T>
  void read(const char* key, T& value) const {
    const auto found = json_.find(key);
    if (found == json_.end() || found->is_null()) return;
    if constexpr (std::is_same_v<T, bool>) {
      if (!found->is_boolean()) fail(std::string(key) + " is neither true nor false");
    } else if constexpr (std::is_integral_v<T>) {
      if (!found->is_number_integer()) fail(std::string(key) + " is no integer");
    } else if constexpr (std::is_arithmetic_v<T>) {
      if (!found->is_number()) fail(std::string(key) + " is no number");
    } else {
      if (!found->is_string()) fail(std::string(key) + " is no text");
    }
    value = found->template get<T>();
  }
  std::string text(const char* key, std::string otherwise) const {
    read(key, otherwise);
    return otherwise;
  }

 private:
  const std::string path_;
  nlohmann::json json_;
};

}  // namespace glia::llm
