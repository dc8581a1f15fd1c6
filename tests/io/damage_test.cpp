// Files that are cut, changed or no files at all: read, or refused with an error that names them.
#include "glia/io.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>

#include "glia/ops.h"
#include "io/elements.h"
#include "io/zip.h"
#include "tests/support/files.h"
#include "tests/support/io_samples.h"

namespace glia::io {
namespace {

struct Sample {
  std::string name, bytes;
  std::function<void(const std::string&)> read;  // reads the file and looks at every value
};

class Damage : public Io {
 protected:
  Damage() {
    const auto one = [](Tensor (*read)(const std::string&)) {
      return [read](const std::string& path) { touch(read(path)); };
    };
    const auto many = [](const NamedTensors& tensors) {
      for (const auto& [name, t] : tensors) touch(t);
    };
    const auto safetensors = [=](const std::string& path) {
      Metadata metadata;
      many(read_safetensors(path, &metadata));
    };
    const auto npz = [=](const std::string& path) { many(read_npz(path)); };
    const Tensor x = noise(kF32, {3, 4}), b = ones({3}, kBool);
    const auto add = [&](const std::string& name, auto read, const auto& write) {
      write(file(name));
      samples_.push_back({name, read_file(file(name)), read});
    };
    add("idx", one(read_idx), [&](const std::string& f) { write_idx(f, x); });
    add("idx.gz", one(read_idx), [&](const std::string& f) { write_idx(f, x); });
    add("png", one(read_png), [&](const std::string& f) { write_png(f, noise(kU8, {5, 4, 3})); });
    add("palette.png", one(read_png), [&](const std::string& f) {
      write_file_atomic(f, png(2, 2, 1, 3, std::string("\0\1\0\2\0\3\4", 7), "123456", "1", 1));
    });
    add("safetensors", safetensors, [&](const std::string& f) {
      write_safetensors(f, {{"w", x}, {"b", b}}, {{"epoch", "3"}});
    });
    add("npy", one(read_npy), [&](const std::string& f) { write_npy(f, x); });
    add("fortran.npy", one(read_npy),
        [](const std::string& f) { write_file_atomic(f, from_hex(kNumpyFortran)); });
    add("npz", npz, [&](const std::string& f) { write_npz(f, {{"w", x}, {"b", b}}); });
    add("deflated.npz", npz,
        [](const std::string& f) { write_file_atomic(f, from_hex(kNumpyNpz)); });
    const auto torch = [=](const std::string& path) { many(read_torch(path)); };
    add("legacy.pt", torch,
        [](const std::string& f) { write_file_atomic(f, from_hex(kTorchLegacy)); });
    add("zip.pt", torch, [](const std::string& f) { write_file_atomic(f, from_hex(kTorchZip)); });
    const std::string member = read_file(file("npy"));
    add("zip64.npz", npz, [&](const std::string& f) {
      write_zip(f, {{"w.npy", {bytes_of(member)}}}, 0);
    });
  }

  static void touch(const Tensor& t) {
    const Bytes bytes = raw_bytes(t);
    sum_ = std::accumulate(bytes.begin(), bytes.end(), sum_);
  }

  std::vector<Sample> samples_;
  static inline volatile int64_t sum_ = 0;
};

TEST_F(Damage, EveryTruncationIsAnError) {
  for (const Sample& sample : samples_) {
    ASSERT_NO_THROW(sample.read(file(sample.name))) << sample.name;
    for (size_t size = 0; size < sample.bytes.size(); ++size) {
      const std::string path = file("cut-" + sample.name, sample.bytes.substr(0, size));
      fault(path, [&] { sample.read(path); });
      if (HasFailure()) FAIL() << sample.name << " cut to " << size << " bytes";
    }
  }
}

TEST_F(Damage, RandomChangesAreReadOrRefused) {
  // No claim in a header may ask for memory that the file cannot fill.
  struct rlimit old, tight;
  ASSERT_EQ(::getrlimit(RLIMIT_DATA, &old), 0);
  tight = old;
  tight.rlim_cur = size_t{2} << 30;
#ifndef __SANITIZE_ADDRESS__
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &tight), 0);
#endif
  std::mt19937 random(20240229);
  int refused = 0, read = 0;
  for (int round = 0; round < 600; ++round) {
    for (const Sample& sample : samples_) {
      std::string bytes = sample.bytes;
      for (uint32_t flips = 1 + random() % 4; flips > 0; --flips) {
        // Mostly in the header, where the structure is.
        const size_t range = random() % 2 ? bytes.size() : std::min<size_t>(bytes.size(), 64);
        char& byte = bytes[random() % range];
        byte = random() % 2 ? byte ^ (1 << random() % 8) : "\0\x7f\xff\x80"[random() % 4];
      }
      const std::string path = file("bad-" + sample.name, bytes);
      try {
        sample.read(path);
        ++read;
      } catch (const IoError& error) {
        ASSERT_TRUE(std::string(error.what()).starts_with(path)) << error.what();
        ++refused;
      } catch (const std::exception& error) {
        FAIL() << sample.name << " in round " << round << ": " << error.what();
      }
    }
  }
  ::setrlimit(RLIMIT_DATA, &old);
  EXPECT_GT(refused, 1000);
  EXPECT_GT(read, 100);
}

TEST_F(Damage, ClaimsAreCheckedAgainstTheFile) {
  using namespace std::string_view_literals;
  const std::string claim("\0\0\x08\x03\x7f\xff\xff\xff\0\0\x7f\xff\0\0\0\xff", 16);
  EXPECT_EQ(fault(file("x"), [&] { read_idx(file("x", claim)); }),
            ": ends after 16 of 17,943,482,148,618,511 bytes");
  write_idx(file("y.gz"), zeros({20}, kU8));
  EXPECT_NE(fault(file("x"), [&] { read_idx(file("x", "\0\0\x08\xff"sv)); }), "");
  const std::string overflow = std::string("\0\0\x0e\x08", 4) + std::string(32, '\xff');
  EXPECT_NE(fault(file("x"), [&] { read_idx(file("x", overflow)); }).find("impossible"),
            std::string::npos);
}

TEST_F(Damage, MissingFilesFoldersPipesAndDevices) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  for (const Sample& sample : samples_) {
    EXPECT_EQ(fault(file("none"), [&] { sample.read(file("none")); }),
              ": No such file or directory");
    EXPECT_EQ(fault(folder_, [&] { sample.read(folder_); }), ": is a folder");
    for (const std::string& path : {file("pipe"), std::string("/dev/null"),
                                    std::string("/dev/zero"), std::string("/dev/full")})
      EXPECT_EQ(fault(path, [&] { sample.read(path); }), ": is not a regular file");
  }
}

}  // namespace
}  // namespace glia::io
