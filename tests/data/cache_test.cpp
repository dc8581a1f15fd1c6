// Samples kept on disk: right, atomic, and made anew where they must be.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "glia/data.h"
#include "glia/io.h"
#include "glia/ops.h"

namespace glia::data {
namespace {

namespace fs = std::filesystem;

class Cache : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  // Counts what is computed.
  Samples expensive(int64_t n = 20, double factor = 2) {
    return from_tensors(arange(n), full({n}, factor)).named({"n", "f"}).map([this](Sample s) {
      ++made_;
      s.set("x", cast(s["n"], kF32) * s["f"] + zeros({3}));
      s.set("text", "sample " + std::to_string(s["n"].item<int64_t>()));
      s.set("integer", -7);
      s.set("number", 0.1);
      s.set("texts", Texts{"a", ""});
      s.set("nothing", Tensor());
      return s;
    });
  }
  // Whether all of them are right.
  bool right(Samples s) {
    int64_t i = 0;
    for (const Sample& one : s) {
      if (one.text("text") != "sample " + std::to_string(i) || one.integer("integer") != -7 ||
          one.number("number") != 0.1 || one.texts("texts") != Texts{"a", ""} ||
          one["nothing"].defined() || one["x"].shape() != Shape({3}) ||
          one["x"].to_vector<double>()[2] != 2.0 * static_cast<double>(i) || one.size() != 8)
        return false;
      ++i;
    }
    return i == 20;
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(folder_)) all.push_back(entry.path());
    std::ranges::sort(all);
    return all;
  }
  int made(Samples s, bool twice = false) {
    made_ = 0;
    EXPECT_TRUE(right(s));
    if (twice) {
      EXPECT_TRUE(right(s));
    }
    return made_;
  }

  const std::string folder_ =
      fs::temp_directory_path() / ("glia-cache-" + std::to_string(getpid()));
  std::atomic<int> made_ = 0;
};

TEST_F(Cache, ComputesOnce) {
  EXPECT_EQ(made(expensive().cache(folder_, "v1"), true), 20);
  EXPECT_EQ(made(expensive().cache(folder_, "v1")), 0) << "another process' too";
  EXPECT_EQ(made(expensive().cache(folder_, "v1").prefetch(4, 3)), 0);
  EXPECT_EQ(files().size(), 1u);
  // In any order, by several workers.
  fs::remove_all(folder_);
  made_ = 0;
  const Samples cached = expensive().cache(folder_, "v1");
  for (const Sample& s : cached.shuffle(1).prefetch(5, 4)) EXPECT_EQ(s.size(), 8u);
  EXPECT_EQ(made_, 20);
  EXPECT_EQ(made(cached), 0);
}

TEST_F(Cache, OtherDataAreMadeAnewAndOldOnesRemoved) {
  made(expensive().cache(folder_, "v1"));
  EXPECT_EQ(made(expensive().cache(folder_, "v2")), 20) << "another version";
  EXPECT_EQ(files().size(), 2u) << "another name is another cache";
  for (const Sample& s : expensive(20, 3).cache(folder_, "v1")) EXPECT_EQ(s.size(), 8u);
  EXPECT_EQ(files().size(), 2u) << "the older of one name is gone";
  EXPECT_EQ(made(expensive().cache(folder_, "v2")), 0);
  EXPECT_EQ(made(expensive().cache(folder_, "v1")), 20);
}

TEST_F(Cache, DamageIsNoticed) {
  made(expensive().cache(folder_, "v1"));
  const std::string good = io::read_file(files()[0]);
  for (size_t at = 0; at < good.size(); at += 29) {
    std::string bad = good;
    bad[at] ^= 0x40;
    io::write_file_atomic(files()[0], bad);
    const int again = made(expensive().cache(folder_, "v1"), true);
    EXPECT_GE(again, 1) << "byte " << at;
    EXPECT_LE(again, 20) << "byte " << at;
    EXPECT_EQ(made(expensive().cache(folder_, "v1")), 0) << "byte " << at << " is mended";
  }
  // Cut anywhere, as by a kill: what was whole is kept.
  for (size_t size = 0; size < good.size(); size += 101) {
    io::write_file_atomic(files()[0], good.substr(0, size));
    const int again = made(expensive().cache(folder_, "v1"));
    EXPECT_LE(again, 21 - static_cast<int>(20 * size / good.size())) << size;
    EXPECT_EQ(made(expensive().cache(folder_, "v1")), 0);
  }
  // While it is open.
  Samples open = expensive().cache(folder_, "v1");
  std::string bad = good;
  bad[bad.size() - 5] ^= 1;
  std::ofstream(files()[0], std::ios::in | std::ios::binary).write(bad.data(), bad.size());
  EXPECT_EQ(made(open, true), 1);
}

TEST_F(Cache, AKilledProcessLosesNothing) {
  const pid_t child = fork();
  if (child == 0) {
    int taken = 0;
    for (const Sample& s : expensive().cache(folder_, "v1"))
      if (s.size() == 8 && ++taken == 12) kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(made(expensive().cache(folder_, "v1")), 8);
}

TEST_F(Cache, SeveralProcessesAtOnce) {
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      bool good = true;
      for (int k = 0; k < 5; ++k) good &= right(expensive().cache(folder_, "v1").prefetch(3, 2));
      _exit(good ? 0 : 1);
    }
    children.push_back(child);
  }
  EXPECT_TRUE(right(expensive().cache(folder_, "v1")));
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(made(expensive().cache(folder_, "v1")), 0);
  // A child that inherits the open cache reads it, and writes nothing into its parent's file.
  Samples open = expensive(20).cache(folder_, "v3");
  const pid_t child = fork();
  if (child == 0) _exit(right(open) ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(made(open), 20);
  EXPECT_EQ(made(expensive().cache(folder_, "v3")), 0);
}

TEST_F(Cache, RefusesWhatCannotBeKept) {
  EXPECT_THROW(expensive().shuffle(1).cache(folder_, "v1"), Error);
  EXPECT_THROW(expensive().augment(1, [](Random&, Sample s) { return s; }).cache(folder_, "v"),
               Error);
  for (const char* bad : {"", ".", "..", "a/b", "../a", "a b", "\n"})
    EXPECT_THROW(expensive().cache(folder_, bad), Error) << bad;
  io::write_file_atomic(folder_ + "/file", "x");
  EXPECT_THROW(expensive().cache(folder_ + "/file", "v1"), IoError);
  EXPECT_THROW(expensive().cache("/proc/none", "v1"), IoError);
}

}  // namespace
}  // namespace glia::data
