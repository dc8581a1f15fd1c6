// Files of a test: a folder of its own, and what a failure must say.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include "glia/io.h"

namespace glia::io {

namespace fs = std::filesystem;

// The message of the IoError that `action` must throw: one line that begins with the file.
inline std::string fault(const std::string& path, const std::function<void()>& action) {
  try {
    action();
  } catch (const IoError& error) {
    const std::string message = error.what();
    EXPECT_TRUE(message.starts_with(path)) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message.substr(std::min(message.size(), path.size()));
  }
  ADD_FAILURE() << path << ": no IoError";
  return "";
}

class Io : public testing::Test {
 protected:
  Io() {
    std::string name = (fs::temp_directory_path() / "glia-io-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~Io() override { fs::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::string file(const std::string& name, std::string_view bytes) const {
    fs::remove(file(name));  // some file systems wait for the disk when a file is overwritten
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }
  size_t files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  std::string folder_;
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

}  // namespace glia::io
