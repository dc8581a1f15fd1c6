// A folder of a test's own, and what a failure with a file must say.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include "glia/error.h"

namespace glia::test {

// The message of the IoError that `action` must throw, behind the file's path: one line.
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

class Scratch : public testing::Test {
 protected:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "glia-test-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~Scratch() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::string file(const std::string& name, std::string_view bytes) const {
    // Some file systems wait for the disk when a file is overwritten.
    std::filesystem::remove(file(name));
    std::ofstream(file(name), std::ios::binary) << bytes;
    return file(name);
  }

  std::string folder_;
};

// The same as the working folder.
class ScratchWorkingFolder : public Scratch {
 protected:
  ScratchWorkingFolder() { std::filesystem::current_path(folder_); }
  ~ScratchWorkingFolder() override { std::filesystem::current_path("/"); }
};

}  // namespace glia::test
