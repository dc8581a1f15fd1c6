// Tests of files: what Scratch has, a limit of their size, and PNG files of any kind.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <zlib.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>

#include "glia/io.h"
#include "io/file.h"
#include "tests/support/scratch.h"

namespace glia::io {

namespace fs = std::filesystem;

using test::fault;

class Io : public test::Scratch {
 protected:
  size_t files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
};

// Lets files grow to `bytes` and no further while it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(size_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_;
  void (*handler_)(int);
};

// A PNG made without libpng: one chunk of compressed rows, each with its filter byte.
inline std::string png(uint32_t width, uint32_t height, int depth, int color, std::string_view rows,
                       std::string_view palette = "", std::string_view alpha = "",
                       int interlace = 0) {
  std::string out = "\x89PNG\r\n\x1a\n";
  const auto chunk = [&](std::string_view type, std::string_view data) {
    put_big(out, data.size(), 4);
    const std::string body = std::string(type).append(data);
    out += body;
    put_big(out, crc32_z(0, bytes_of(body).data(), body.size()), 4);
  };
  std::string header;
  put_big(header, width, 4);
  put_big(header, height, 4);
  for (int byte : {depth, color, 0, 0, interlace}) header += static_cast<char>(byte);
  chunk("IHDR", header);
  if (!palette.empty()) chunk("PLTE", palette);
  if (!alpha.empty()) chunk("tRNS", alpha);
  uLongf size = compressBound(rows.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, bytes_of(rows).data(), rows.size());
  chunk("IDAT", packed.substr(0, size));
  chunk("IEND", "");
  return out;
}

}  // namespace glia::io
