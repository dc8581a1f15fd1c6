// A file's bytes, mapped.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace glia::llm {

struct Mapped {
  std::span<const uint8_t> bytes;
  std::shared_ptr<const void> owner;
};
// Throws IoError, "FILE: fault".
Mapped map_file(const std::string& path);

}  // namespace glia::llm
