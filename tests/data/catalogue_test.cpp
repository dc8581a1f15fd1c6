// The catalogue's entries, where they are looked for, and their readers on hostile files.
#include "glia/catalogue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "glia/io.h"
#include "glia/ops.h"
#include "io/inflate.h"
#include "tests/support/files.h"

namespace glia::data {
namespace {

namespace fs = std::filesystem;

class Catalogue : public io::Io {
 protected:
  void SetUp() override {
    for (const char* name : {"GLIA_DATA", "XDG_CACHE_HOME", "HOME"}) {
      const char* value = std::getenv(name);
      before_.emplace_back(name, value ? value : "");
    }
  }
  void TearDown() override {
    for (const auto& [name, value] : before_) setenv(name.c_str(), value.c_str(), 1);
  }
  // What reading fails with behind the file's path.
  template <class F>
  std::string fault_of(const std::string& name, F read) const {
    return io::fault(file(name), [&] { read(folder_); });
  }
  std::string message(const std::function<void()>& action) const { return io::fault("", action); }

  std::vector<std::pair<std::string, std::string>> before_;
};

TEST_F(Catalogue, EntriesAreComplete) {
  std::set<std::string> names;
  for (const Entry* set : catalogue()) {
    EXPECT_TRUE(names.insert(set->name).second) << set->name << " is there twice";
    EXPECT_EQ(&entry(set->name), set);
    for (const std::string& field : {set->title, set->home, set->licence, set->task})
      EXPECT_NE(field, "") << set->name;
    EXPECT_FALSE(set->files.empty()) << set->name;
    EXPECT_EQ(set->package.empty(), set->package_folder.empty()) << set->name;
    EXPECT_TRUE(set->labelled || set->text) << set->name << " has no reader";
    EXPECT_TRUE(!set->package.empty() || can_fetch(*set) || !set->by_hand.empty() ||
                !set->files[0].url.empty())
        << set->name << " cannot be got";
    for (const DataFile& file : set->files) {
      EXPECT_EQ(file.name.find('/'), std::string::npos) << file.name;
      EXPECT_NE(file.name.substr(0, 1), ".");
      EXPECT_TRUE(file.url.empty() || file.url.starts_with("https://")) << file.url;
      EXPECT_EQ(file.bytes > 0, !file.sha256.empty()) << file.name;
      if (file.sha256.empty()) continue;
      EXPECT_EQ(file.sha256.size(), 64u) << file.name;
      EXPECT_EQ(file.sha256.find_first_not_of("0123456789abcdef"), std::string::npos);
    }
  }
  for (const char* name : {"cifar10", "digits", "fashion-mnist", "mnist", "tinyshakespeare"})
    EXPECT_EQ(names.count(name), 1u) << name;
  EXPECT_THROW(entry("nothing"), Error);
  {
    const RegisterEntry mine({.name = "mine", .title = "Mine"});
    EXPECT_EQ(entry("mine").title, "Mine");
  }
  EXPECT_THROW(entry("mine"), Error);
}

TEST_F(Catalogue, PlacesInOrder) {
  const Entry set{.name = "set",
                  .title = "Set",
                  .home = "H",
                  .licence = "L",
                  .task = "T",
                  .files = {{"a.gz"}, {"b"}},
                  .package = "set-package",
                  .package_folder = file("package"),
                  .by_hand = "ask"};
  setenv("GLIA_DATA", folder_.c_str(), 1);
  setenv("XDG_CACHE_HOME", file("cache").c_str(), 1);
  const std::vector<std::string> all = {file("set"), file("package"), file("cache/glia/set")};
  EXPECT_EQ(places(set), all);
  EXPECT_EQ(message([&] { find(set); }),
            "Set: its files are not in " + all[0] + ", " + all[1] + " or " + all[2] +
                "; run `apt-get install set-package` or set GLIA_DATA to the folder that holds "
                "set/ (H)");
  EXPECT_FALSE(available(set));
  // The first place that has any of the files must have all.
  for (size_t i = all.size(); i-- > 0;) {
    fs::create_directories(all[i]);
    std::ofstream(all[i] + "/a") << "x";
    EXPECT_EQ(find(set), all[i]);
    EXPECT_FALSE(available(set));
    std::ofstream(all[i] + "/b.gz") << "x";
    EXPECT_TRUE(available(set));
  }
  EXPECT_EQ(file_in(all[0], "a.gz"), all[0] + "/a");
  EXPECT_EQ(file_in(all[0], "b"), all[0] + "/b.gz");
  EXPECT_EQ(message([&] { file_in(all[0], "c.gz"); }), all[0] + "/c.gz: is missing");
  EXPECT_EQ(find(set, all[2]), all[2]);
  EXPECT_THROW(find(set, file("nowhere")), IoError);

  setenv("GLIA_DATA", "", 1);
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", file("home").c_str(), 1);
  EXPECT_EQ(places(set), (std::vector<std::string>{all[1], file("home/.cache/glia/set")}));
  setenv("HOME", "", 1);
  EXPECT_EQ(cache_folder(set), "");
  EXPECT_EQ(places(set), std::vector<std::string>{all[1]});
  setenv("GLIA_DATA", file("nowhere").c_str(), 1);
  EXPECT_EQ(message([&] { find(set); }),
            "GLIA_DATA is \"" + file("nowhere") + "\", which is no folder");
}

TEST_F(Catalogue, ASetMayLieInOtherForms) {
  const auto reads = [](int64_t n) {
    return [n](Split, const std::string&) { return from_tensors(zeros({n, 1}), zeros({n}, kI64)); };
  };
  const Entry set{.name = "set",
                  .title = "Set",
                  .files = {{"a"}, {"b"}},
                  .package_folder = file("package"),
                  .labelled = reads(1)};
  setenv("GLIA_DATA", folder_.c_str(), 1);
  setenv("XDG_CACHE_HOME", file("cache").c_str(), 1);
  fs::create_directories(file("package"));
  std::ofstream(file("package") + "/c") << "x";
  EXPECT_THROW(find_any(set), IoError);
  {
    const RegisterForm form({"set", "smaller", {{"c"}, {"d"}}, reads(2)});
    const RegisterForm other({"other", "larger", {{"c"}}, reads(3)});
    EXPECT_EQ(find_any(set).folder, file("package"));
    EXPECT_EQ(title_of(set), "Set, smaller");
    EXPECT_EQ(read_labelled(set, Train).size(), 2);
    EXPECT_FALSE(available(set)) << "d is missing";
    std::ofstream(file("package") + "/d") << "x";
    EXPECT_TRUE(available(set));
    EXPECT_THROW(find(set), IoError) << "in its own form";
    // The first place counts, in whichever form; in one place the set's own.
    std::ofstream(file("package") + "/a") << "x";
    EXPECT_EQ(read_labelled(set, Train).size(), 1);
    EXPECT_FALSE(available(set)) << "b is missing";
    fs::create_directories(file("set"));
    std::ofstream(file("set") + "/c.gz") << "x";
    EXPECT_EQ(find_any(set).folder, file("set"));
    EXPECT_EQ(find_any(set).form->difference, "smaller");
    EXPECT_THROW(read_labelled(entry("tinyshakespeare"), Train), Error);
  }
  EXPECT_EQ(title_of(set), "Set") << "the form is forgotten";
}

TEST_F(Catalogue, MissingSetsSayHowToGetThem) {
  setenv("GLIA_DATA", folder_.c_str(), 1);
  setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
  EXPECT_NE(
      message([] { cifar10(Train); }).find("cifar-10-binary.tar.gz into " + file("glia/cifar10")),
      std::string::npos);
  const std::string text = message([] { tiny_shakespeare(); });
  EXPECT_NE(text.find(can_fetch(entry("tinyshakespeare")) ? "`glia data fetch tinyshakespeare`"
                                                          : "github.com/karpathy"),
            std::string::npos)
      << text;
  const auto read = [&] { digits(folder_); };
  EXPECT_NE(message(read).find("python3-sklearn"), std::string::npos);
}

TEST_F(Catalogue, ReadsMnist) {
  io::write_idx(file("t10k-images-idx3-ubyte"), full({3, 28, 28}, 7, kU8));
  io::write_idx(file("t10k-labels-idx1-ubyte.gz"), cast(arange(3), kU8));
  auto [images, labels] = *entry("mnist").labelled(data::Test, folder_).batch(8).begin();
  EXPECT_EQ(images.shape(), Shape({3, 28, 28, 1}));
  EXPECT_EQ(labels.to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2}));
  io::write_idx(file("t10k-labels-idx1-ubyte.gz"), full({3}, 10, kU8));
  EXPECT_EQ(fault_of("t10k-labels-idx1-ubyte.gz", [](auto& f) { mnist(data::Test, f); }),
            ": label 10 is not one of 10 classes");
}

TEST_F(Catalogue, ReadsCifar10) {
  // Record r of a batch: label, then planes of 10r + channel with a mark in row 1, column 2.
  const auto records = [](int first, int count) {
    std::string bytes;
    for (int r = first; r < first + count; ++r) {
      bytes += static_cast<char>(r % 10);
      for (int channel = 0; channel < 3; ++channel) {
        std::string plane(1024, static_cast<char>(10 * r + channel));
        plane[34] = static_cast<char>(200 + channel);
        bytes += plane;
      }
    }
    return bytes;
  };
  for (int batch = 1; batch <= 5; ++batch)
    file("data_batch_" + std::to_string(batch) + ".bin", records(2 * batch, 2));
  file("test_batch.bin", records(1, 1));
  auto train = cifar10(Train, folder_);
  EXPECT_EQ(train.size(), 10);
  auto [images, labels] = *train.batch(10).begin();
  EXPECT_EQ(images.shape(), Shape({10, 32, 32, 3}));
  EXPECT_EQ(labels.to_vector<int64_t>(), (std::vector<int64_t>{2, 3, 4, 5, 6, 7, 8, 9, 0, 1}));
  const auto values = images.to_vector<uint8_t>();
  for (int r = 0; r < 10; ++r)
    for (int p : {0, 33, 34, 35, 1023})
      for (int channel = 0; channel < 3; ++channel)
        EXPECT_EQ(values[(r * 1024 + p) * 3 + channel],
                  p == 34 ? 200 + channel : 10 * (r + 2) + channel);
  EXPECT_EQ(cifar10(data::Test, folder_).size(), 1);

  const auto read = [](auto& f) { cifar10(data::Test, f); };
  file("test_batch.bin", records(1, 1) + "x");
  EXPECT_EQ(fault_of("test_batch.bin", read), ": 3,074 bytes are no records of 3,073");
  file("test_batch.bin", "");
  EXPECT_NE(fault_of("test_batch.bin", read), "");
  file("test_batch.bin", "\x0a" + records(1, 1).substr(1));
  EXPECT_EQ(fault_of("test_batch.bin", read), ": label 10 is not one of 10 classes");
  fs::remove(file("test_batch.bin"));
  EXPECT_EQ(fault_of("test_batch.bin", read), ": is missing");
}

TEST_F(Catalogue, ReadsDigits) {
  const auto row = [](int value, const std::string& label) {
    std::string out;
    for (int i = 0; i < 64; ++i) out += std::to_string((value + i) % 17) + ",";
    return out + label;
  };
  const std::string good = row(0, "3") + "\r\n" + row(5, "9") + "\n" + row(16, "0");
  file("digits.csv.gz", io::gzip("digits", {io::bytes_of(good)}));
  auto [images, labels] = *digits(folder_).batch(5).begin();
  EXPECT_EQ(images.shape(), Shape({3, 8, 8, 1}));
  EXPECT_EQ(images.to_vector<uint8_t>()[64], 5);
  EXPECT_EQ(labels.to_vector<int64_t>(), (std::vector<int64_t>{3, 9, 0}));
  EXPECT_EQ(entry("digits").labelled(Train, folder_).size(), 1);
  EXPECT_EQ(entry("digits").labelled(data::Test, folder_).size(), 2);

  const auto read = [](auto& f) { digits(f); };
  for (const std::string& bad :
       {row(0, "10"), row(0, "-1"), row(0, ""), row(0, "1,2"), row(0, "1 "), std::string("\n"),
        row(0, "3.5"), row(0, "3").replace(0, 1, "17"), std::string("1,2,3"),
        row(0, "3").replace(0, 1, "99999999999999")}) {
    file("digits.csv.gz", row(0, "1") + "\n" + bad);
    EXPECT_EQ(fault_of("digits.csv.gz", read),
              ": line 2 is not 64 numbers from 0 to 16 and a digit")
        << bad;
  }
  file("digits.csv.gz", "");
  EXPECT_EQ(fault_of("digits.csv.gz", read), ": holds no images");
  // 32 MB in a few bytes.
  const std::string zeros(1 << 25, '0');
  file("digits.csv.gz", io::gzip("digits", {io::bytes_of(zeros)}));
  EXPECT_EQ(fault_of("digits.csv.gz", read), ": is longer than 16,777,216 bytes");
}

TEST_F(Catalogue, ReadsTinyShakespeare) {
  file("input.txt", "To be");
  EXPECT_EQ(tiny_shakespeare(folder_), "To be");
  const std::string packed = io::gzip("input", {io::bytes_of("or not")});
  file("input.txt.gz", packed);
  EXPECT_EQ(entry("tinyshakespeare").text(folder_), "or not");
  const auto read = [](auto& f) { tiny_shakespeare(f); };
  file("input.txt.gz", packed.substr(0, packed.size() - 9));
  EXPECT_NE(fault_of("input.txt.gz", read), "");
  file("input.txt.gz", "");
  EXPECT_EQ(fault_of("input.txt.gz", read), ": is empty");
}

// The sets that happen to be here have the sizes that they are known by.
TEST_F(Catalogue, SetsThatAreHere) {
  const std::pair<const char*, std::pair<int64_t, int64_t>> sizes[] = {
      {"fashion-mnist", {60000, 10000}},
      {"mnist", {60000, 10000}},
      {"cifar10", {50000, 10000}},
      {"digits", {898, 899}}};
  for (const auto& [name, size] : sizes) {
    const Entry& set = entry(name);
    if (!available(set)) continue;
    EXPECT_EQ(set.labelled(Train, "").size(), size.first) << name;
    EXPECT_EQ(set.labelled(data::Test, "").size(), size.second) << name;
  }
  if (!available(entry("tinyshakespeare"))) return;
  EXPECT_EQ(tiny_shakespeare().size(), 1115394u);
}

}  // namespace
}  // namespace glia::data
