// Files of torch.save: what PyTorch wrote, and pickles that ask for what they must not get.
#include <map>

#include "glia/io.h"
#include "glia/ops.h"
#include "io/zip.h"
#include "tests/support/files.h"
#include "tests/support/io_samples.h"

namespace glia::io {
namespace {

// A file with the zip's layout, one pickle and storages "0", "1", ...
class Torch : public Io {
 protected:
  std::string save(const std::string& pickle, const std::vector<std::string>& storages,
                   const std::string& byteorder = "little") {
    std::vector<ZipParts> parts{{"a/data.pkl", {bytes_of(pickle)}},
                                {"a/byteorder", {bytes_of(byteorder)}}};
    for (size_t i = 0; i < storages.size(); ++i)
      parts.push_back({"a/data/" + std::to_string(i), {bytes_of(storages[i])}});
    write_zip(file("x.pt"), parts);
    return file("x.pt");
  }
  std::string refused(const std::string& pickle, const std::vector<std::string>& storages = {}) {
    return fault(save(pickle, storages), [&] { read_torch(file("x.pt")); });
  }
};

// The text of a pickle of protocol 0, for numbers and names; tuples need no mark up to three.
std::string text(const std::string& s) { return "V" + s + "\n"; }
std::string number(int64_t n) { return "I" + std::to_string(n) + "\n"; }
std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const std::string& item : items) out += item;
  return out + "t";
}
std::string numbers(const std::vector<int64_t>& all) {
  std::vector<std::string> items;
  for (int64_t n : all) items.push_back(number(n));
  return tuple(items);
}
std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
std::string storage(const std::string& type, int64_t size, const std::string& key = "0") {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), number(size)}) +
         "Q";
}
std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& sizes,
                   const std::vector<int64_t>& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple({storage, number(offset), numbers(sizes), numbers(strides), "I00\n", "N"}) + "R";
}
std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * 4};
}

TEST_F(Torch, WhatPyTorchWroteIsRead) {
  for (const std::string_view hex : {kTorchLegacy, kTorchZip}) {
    Metadata metadata;
    const NamedTensors all = read_torch(file("x.pt", from_hex(hex)), &metadata);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].first, "w");
    EXPECT_EQ(all[0].second.shape(), Shape({3, 2}));
    EXPECT_EQ(all[0].second.to_vector<float>(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
    EXPECT_EQ(all[1].second.dtype(), kBF16);
    EXPECT_EQ(cast(all[1].second, kF32).to_vector<float>(), (std::vector<float>{1.5, -2}));
    EXPECT_EQ(all[2].first, "e");
    EXPECT_EQ(all[2].second.to_vector<double>(), std::vector<double>{7});
    EXPECT_EQ(metadata, (Metadata{{"n.lr", "0.5"}, {"n.k", "3"}}));
  }
}

TEST_F(Torch, StridesOffsetsAndSharedStorages) {
  const std::string six = floats({0, 1, 2, 3, 4, 5});
  const std::string f = storage("FloatStorage", 6);
  const std::string list = "(" + tensor(f, 1, {2, 2}, {3, 1}) + tensor(f, 2, {3, 2}, {0, 1}) +
                           tensor(f, 5, {}, {}) + tensor(f, 0, {0, 4}, {4, 1}) + "l.";
  const NamedTensors all = read_torch(save(list, {six}));
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[0].first, "0");
  EXPECT_EQ(all[0].second.to_vector<float>(), (std::vector<float>{1, 2, 4, 5}));
  EXPECT_EQ(all[1].second.to_vector<float>(), (std::vector<float>{2, 3, 2, 3, 2, 3}));
  EXPECT_EQ(all[2].second.item(), 5);
  EXPECT_EQ(all[3].second.shape(), Shape({0, 4}));
  const std::string big("\x3f\x80\0\0\xc0\0\0\0", 8);
  const NamedTensors turned =
      read_torch(save(tensor(storage("FloatStorage", 2), 0, {2}, {1}) + ".", {big}, "big"));
  EXPECT_EQ(turned[0].first, "");
  EXPECT_EQ(turned[0].second.to_vector<float>(), (std::vector<float>{1, -2}));
}

TEST_F(Torch, NothingIsRunAndNothingOutsideAStorageIsRead) {
  const std::string six = floats({0, 1, 2, 3, 4, 5}), f = storage("FloatStorage", 6);
  EXPECT_EQ(refused(global("os", "system") + tuple({text("true")}) + "R."),
            ": asks for os.system, which is not run; save a state_dict() of tensors instead");
  EXPECT_EQ(refused("(" + text("net") + global("my.nets", "Net") + "(t\x81" + "}bd."),
            ": asks for my.nets.Net, which is not run; save a state_dict() of tensors instead");
  EXPECT_EQ(refused(tensor(f, 1, {6}, {1}) + ".", {six}),
            ": a tensor of shape (6,) passes the end of storage 0");
  EXPECT_EQ(refused(tensor(f, -1, {2}, {1}) + ".", {six}),
            ": a tensor of shape (2,) passes the end of storage 0");
  EXPECT_EQ(refused(tensor(f, 0, {2, 2}, {INT64_MAX, 1}) + ".", {six}),
            ": a tensor of shape (2, 2) passes the end of storage 0");
  EXPECT_EQ(refused(tensor(f, 3, {2}, {-1}) + ".", {six}), ": a tensor has a negative stride");
  EXPECT_EQ(refused(tensor(f, 0, {5, 2}, {1, 1}) + ".", {six}),
            ": a tensor of shape (5, 2) overlaps itself");
  EXPECT_EQ(refused(tensor(f, 0, {-2}, {1}) + ".", {six}), ": shape (-2,) is impossible");
  EXPECT_EQ(refused(tensor(storage("FloatStorage", 6, "7"), 0, {2}, {1}) + ".", {six}),
            ": storage 7 is missing");
  EXPECT_EQ(refused(tensor(storage("ComplexFloatStorage", 6), 0, {2}, {1}) + ".", {six}),
            ": holds elements of type ComplexFloatStorage, which have no dtype here");
  EXPECT_EQ(refused(f + ".", {six}), ": \"\" is a storage and no tensor");
}

TEST_F(Torch, PicklesThatNestOrReferToThemselves) {
  EXPECT_EQ(refused("]q\x01h\x01"
                    "a."),
            ": nests deeper than 64");
  std::string bomb = "]q" + std::string(1, '\0') +
                     "K\x01"
                     "a";  // [1], then lists of ten of it
  for (char i = 1; i < 12; ++i) {
    bomb += std::string("](");
    for (int k = 0; k < 10; ++k) bomb += std::string("h") + static_cast<char>(i - 1);
    bomb += std::string("eq") + i;
  }
  EXPECT_EQ(refused(bomb + "."), ": has more than a million entries");
  EXPECT_EQ(refused("h\x05."), ": corrupt pickle: a memo that was never written");
  EXPECT_EQ(refused("t."), ": corrupt pickle: no mark");
  EXPECT_EQ(refused("R."), ": corrupt pickle: the stack is empty");
  EXPECT_EQ(refused("\xff."), ": corrupt pickle: no operation 0xff");
  EXPECT_EQ(fault(file("y"), [&] { read_torch(file("y", "PK nothing")); }).empty(), false);
  EXPECT_EQ(fault(file("y"), [&] { read_torch(file("y", "text")); }), ": is no file of torch.save");
}

}  // namespace
}  // namespace glia::io
