// The text of a file: mapped, or unpacked if it is gzipped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace glia::tables {

class FileText {
 public:
  // Throws IoError.
  explicit FileText(const std::string& path);
  ~FileText();
  FileText(const FileText&) = delete;
  FileText& operator=(const FileText&) = delete;

  std::string_view text() const { return text_; }

 private:
  void* map_ = nullptr;
  size_t mapped_ = 0;
  std::string plain_;
  std::string_view text_;
};

// Without a byte order mark.
std::string_view without_mark(std::string_view text);
// Throws IoError, "NAME: line N, column M: FAULT", for what begins at `at` of the text; columns
// count from 1, in bytes.
[[noreturn]] void fault_at(const std::string& name, std::string_view text, const char* at,
                           const std::string& fault);

}  // namespace glia::tables
