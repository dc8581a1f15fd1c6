// A test of the `glia` program: a folder of its own with a small Fashion-MNIST, in which it runs.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "glia/io.h"
#include "glia/tensor.h"
#include "tests/support/scratch.h"

namespace glia {

namespace fs = std::filesystem;

struct Output {
  int status = 0;  // exit status, or 1000 + the signal that ended it
  std::string out, err;
};

class Cli : public test::ScratchWorkingFolder {
 protected:
  void SetUp() override {
    const std::string data = folder_ + "/data/fashion-mnist";
    fs::create_directories(data);
    write_set(data + "/train", 400, false);
    write_set(data + "/t10k", 100, true);
    setenv("GLIA_DATA", (folder_ + "/data").c_str(), 1);
  }

  // Images that can be learnt: class k has its bright bar in rows 2k + 4 and 2k + 5. One label of
  // the test set is wrong, so that there is a mistake to report.
  static void write_set(const std::string& prefix, int64_t n, bool mistake) {
    std::vector<uint8_t> images(n * 784), labels(n);
    uint32_t noise = 1;
    for (int64_t i = 0; i < n; ++i) {
      labels[i] = i % 10;
      for (int64_t p = 0; p < 784; ++p) {
        noise = noise * 1664525 + 1013904223;
        const int64_t row = p / 28 - 4;
        images[i * 784 + p] = (row >= 0 && row / 2 == labels[i] ? 180 : 0) + (noise >> 26);
      }
    }
    if (mistake) labels[0] = 5;
    io::write_idx(prefix + "-images-idx3-ubyte.gz", from_vector(images, {n, 28, 28}));
    io::write_idx(prefix + "-labels-idx1-ubyte.gz", from_vector(labels, {n}));
  }

  // Starts the program; its output goes to files.
  pid_t start(const std::string& arguments, const std::string& before = "") const {
    const pid_t pid = fork();
    if (pid == 0) {
      const std::string command = before + " exec " GLIA_CLI " " + arguments + " >" + folder_ +
                                  "/out 2>" + folder_ + "/err";
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    return pid;
  }
  Output finish(pid_t pid) const {
    int status = 0;
    waitpid(pid, &status, 0);
    return {WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status),
            io::read_file(folder_ + "/out"), io::read_file(folder_ + "/err")};
  }
  Output glia(const std::string& arguments, const std::string& before = "") const {
    return finish(start(arguments, before));
  }
  // Expects status 2, nothing else than one line of error, and this text in it.
  void expect_error(const std::string& arguments, const std::string& text,
                    const std::string& before = "") const {
    const Output o = glia(arguments, before);
    EXPECT_EQ(o.status, 2) << arguments << "\n" << o.out << o.err;
    EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << arguments << "\n" << o.err;
    EXPECT_TRUE(o.err.starts_with("glia: ")) << o.err;
    EXPECT_NE(o.err.find(text), std::string::npos) << arguments << "\n" << o.err;
  }

  const std::string kTrain = "train fashion-mnist --model mlp --batch 50 ";
  const std::string kQuick = kTrain + "--epochs 2 ";
};

}  // namespace glia
