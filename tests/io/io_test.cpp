// Readers and writers of files: round trips, and files made by other programs.
#include "glia/io.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "glia/ops.h"
#include "io/elements.h"
#include "io/inflate.h"
#include "io/zip.h"
#include "tests/support/files.h"
#include "tests/support/io_samples.h"

namespace glia::io {
namespace {

constexpr DType kEveryDType[] = {kBool, kU8, kI8, kI32, kI64, kF16, kBF16, kF32, kF64};
const std::vector<Shape> kShapes = {{},     {1},       {0},       {5},
                                    {2, 3}, {2, 0, 3}, {3, 1, 4}, {1, 2, 1, 3, 1, 2, 1, 2}};

void expect_same(const Tensor& got, const Tensor& want) {
  EXPECT_EQ(got.dtype(), want.dtype());
  EXPECT_EQ(got.shape(), want.shape()) << got.shape().str() << " for " << want.shape().str();
  EXPECT_EQ(text_of(raw_bytes(got)), text_of(raw_bytes(want)));
}

void expect_same(const NamedTensors& got, const NamedTensors& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].first, want[i].first);
    expect_same(got[i].second, want[i].second);
  }
}

// ---- Round trips ----------------------------------------------------------------------------

TEST_F(Io, IdxRoundTrips) {
  for (DType dtype : {kU8, kI8, kI32, kF32, kF64}) {
    for (const Shape& shape : kShapes) {
      for (const char* name : {"x.idx", "x.idx.gz"}) {
        const Tensor x = noise(dtype, shape);
        write_idx(file(name), x);
        expect_same(read_idx(file(name)), x);
      }
    }
  }
  EXPECT_TRUE(read_file(file("x.idx.gz")).starts_with("\x1f\x8b"));
  for (DType dtype : {kBool, kI64, kF16, kBF16})
    EXPECT_NE(fault(file("y"), [&] { write_idx(file("y"), zeros({2}, dtype)); }), "");
}

TEST_F(Io, IdxIsBigEndianAndWidensShorts) {
  const std::string head("\0\0\x0b\x01\0\0\0\x03", 8);
  expect_same(read_idx(file("x", head + std::string("\x01\x02\xff\xfe\x80\x00", 6))),
              tensor({258, -2, -32768}));
  write_idx(file("y"), tensor({1}));
  EXPECT_EQ(read_file(file("y")), std::string("\0\0\x0c\x01\0\0\0\x01\0\0\0\x01", 12));
}

TEST_F(Io, IdxReadsGzipFilesOfSeveralMembers) {
  write_idx(file("x"), arange(1000, kI32));
  const std::string whole = read_file(file("x")), half = whole.substr(0, 2000);
  const std::string first = gzip("", {bytes_of(half)}),
                    second = gzip("", {bytes_of(whole).subspan(2000)});
  expect_same(read_idx(file("x.gz", first + second)), arange(1000, kI32));
  EXPECT_EQ(fault(file("x.gz"), [&] { read_idx(file("x.gz", first)); }),
            ": ends after 2,000 of 4,008 bytes");
  EXPECT_EQ(fault(file("x.gz"), [&] { read_idx(file("x.gz", first + second + second)); }),
            ": has more than the 4,008 bytes that its header claims");
  EXPECT_EQ(fault(file("x.gz"), [&] { read_idx(file("x.gz", first + second + "junk")); }),
            ": corrupt compressed data after 4,008 bytes");
  // Zeros pad a file to a whole block.
  const std::string zeros(1000, '\0');
  expect_same(read_idx(file("x.gz", first + second + zeros)), arange(1000, kI32));
  expect_same(read_idx(file("x.gz", first + zeros + second + zeros)), arange(1000, kI32));
  EXPECT_EQ(fault(file("x.gz"), [&] { read_idx(file("x.gz", first + second + zeros + "junk")); }),
            ": corrupt compressed data after 4,008 bytes");
}

TEST_F(Io, SafetensorsRoundTrips) {
  NamedTensors all;
  for (DType dtype : kEveryDType)
    for (const Shape& shape : kShapes)
      all.emplace_back(name(dtype) + shape.str(), noise(dtype, shape));
  const Metadata metadata = {{"a", "1"}, {"format", "pt"}, {"\"\n\xc3\xa9", ""}};
  write_safetensors(file("x"), all, metadata);
  Metadata read = {{"stale", ""}};
  expect_same(read_safetensors(file("x"), &read), all);
  EXPECT_EQ(std::set(read.begin(), read.end()), std::set(metadata.begin(), metadata.end()));
  write_safetensors(file("x"), {});
  expect_same(read_safetensors(file("x"), &read), NamedTensors{});
  EXPECT_TRUE(read.empty());
}

TEST_F(Io, SafetensorsShareTheFileAndOutliveIt) {
  const Tensor a = arange(1000, kF32), b = arange(10), c = ones({3}, kBool);
  write_safetensors(file("x"), {{"c", c}, {"a", a}, {"b", b}});
  NamedTensors read = read_safetensors(file("x"));
  const auto address = [&](int i) {
    return reinterpret_cast<uintptr_t>(raw_bytes(read[i].second).data());
  };
  EXPECT_EQ(address(2) % 64, 0u);  // the widest come first
  EXPECT_EQ(address(1), address(2) + 80);
  EXPECT_EQ(address(0), address(1) + 4000);
  write_safetensors(file("x"), {{"a", zeros({1000})}});
  fs::remove(file("x"));
  read.erase(read.begin());
  expect_same(read, {{"a", a}, {"b", b}});
  // The mapping cannot be written: nothing computed from it may reuse its memory.
  Tensor moved = std::move(read[0].second);
  read.clear();
  moved = moved + 1;
  expect_same(moved, 1 + arange(1000, kF32));
}

TEST_F(Io, NpyRoundTrips) {
  for (DType dtype : kEveryDType) {
    for (const Shape& shape : kShapes) {
      const Tensor x = noise(dtype, shape);
      write_npy(file("x"), x);
      expect_same(read_npy(file("x")), dtype == kBF16 ? cast(x, kF32) : x);
      EXPECT_EQ((read_file(file("x")).size() - raw_bytes(read_npy(file("x"))).size()) % 64, 0u);
    }
  }
}

TEST_F(Io, NpzRoundTrips) {
  NamedTensors all;
  for (DType dtype : kEveryDType) {
    if (dtype == kBF16) continue;
    for (const Shape& shape : kShapes)
      all.emplace_back(name(dtype) + shape.str(), noise(dtype, shape));
  }
  write_npz(file("x"), all);
  expect_same(read_npz(file("x")), all);
  write_npz(file("x"), {});
  expect_same(read_npz(file("x")), NamedTensors{});
}

TEST_F(Io, ZipRoundTripsIn64Bits) {
  const std::string a = "some bytes", b = "";
  for (uint64_t from : {0, 1, 10, 60, 1000}) {
    write_zip(file("x"), {{"a", {bytes_of(a), bytes_of(a)}}, {"b", {bytes_of(b)}}, {"c", {}}},
              from);
    const Content archive = load(file("x"));
    const auto members = read_zip(archive);
    ASSERT_EQ(members.size(), 3u);
    EXPECT_EQ(text_of(members[0].content.bytes), a + a);
    EXPECT_EQ(members[1].name, "b");
    EXPECT_EQ(text_of(members[2].content.bytes), "");
  }
}

TEST_F(Io, PngRoundTrips) {
  for (const Shape& shape : {Shape{5, 7}, {5, 7, 1}, {4, 3, 2}, {3, 9, 3}, {8, 8, 4}, {1, 1, 3}}) {
    const Tensor image = noise(kU8, shape);
    write_png(file("x.png"), image);
    EXPECT_EQ(read_file(file("x.png")), encode_png(image));
    const Tensor read = read_png(file("x.png"));
    ASSERT_EQ(read.rank(), 3);
    EXPECT_EQ(read.size(2), shape.rank() == 3 ? shape[2] : 1);
    EXPECT_EQ(text_of(raw_bytes(read)), text_of(raw_bytes(image)));
  }
  for (const Tensor& bad : {zeros({2, 2}), zeros({2}, kU8), zeros({2, 2, 5}, kU8),
                            zeros({0, 2}, kU8), zeros({1, 2, 2, 3}, kU8), zeros({2, 2, 0}, kU8)})
    EXPECT_NE(fault(file("y"), [&] { write_png(file("y"), bad); }), "");
}

TEST(Base64, IsThatOfTheStandard) {  // RFC 4648, section 10
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xfb\xff\xbf"), "+/+/");
}

// ---- Files of other programs ----------------------------------------------------------------

// safetensors.numpy.save_file({"w": [[1.5, -2]] in f32, "n": 7}, metadata {"who": "python"})
constexpr std::string_view kPythonSafetensors =
    "90000000000000007b225f5f6d657461646174615f5f223a7b2277686f223a22707974686f6e227d2c226e223a"
    "7b226474797065223a22493634222c227368617065223a5b5d2c22646174615f6f666673657473223a5b302c38"
    "5d7d2c2277223a7b226474797065223a22463332222c227368617065223a5b312c325d2c22646174615f6f6666"
    "73657473223a5b382c31365d7d7d20202007000000000000000000c03f000000c0";

TEST_F(Io, ReadsWhatNumpyWrites) {
  const Tensor a = from_vector<float>({0, 1, 2, 3, 4, 5}, {2, 3});
  expect_same(read_npz(file("x", from_hex(kNumpyNpz))), {{"a", a}, {"b", tensor({true, false})}});
  expect_same(read_npy(file("y", from_hex(kNumpyFortran))), cast(a, kI32));
}

TEST_F(Io, ReadsWhatPythonsSafetensorsWrites) {
  Metadata metadata;
  expect_same(read_safetensors(file("x", from_hex(kPythonSafetensors)), &metadata),
              {{"n", tensor(int64_t{7})}, {"w", tensor({{1.5f, -2.f}})}});
  EXPECT_EQ(metadata, (Metadata{{"who", "python"}}));
}

TEST_F(Io, ReadsFashionMnist) {
  const std::string folder = "/usr/share/datasets/fashion-mnist/t10k-";
  if (!fs::exists(folder + "labels-idx1-ubyte.gz")) GTEST_SKIP() << "the data set is not there";
  const Tensor images = read_idx(folder + "images-idx3-ubyte.gz"),
               labels = read_idx(folder + "labels-idx1-ubyte.gz");
  EXPECT_EQ(images.shape(), (Shape{10000, 28, 28}));
  EXPECT_EQ(images.dtype(), kU8);
  ASSERT_EQ(labels.shape(), (Shape{10000}));
  int64_t count[256] = {};
  for (uint8_t label : labels.data<uint8_t>()) ++count[label];
  for (int i = 0; i < 10; ++i) EXPECT_EQ(count[i], 1000);
}

// ---- npy in detail --------------------------------------------------------------------------

std::string npy(std::string_view header, std::string_view values, int version = 1) {
  std::string out = "\x93NUMPY";
  put_little(out, version, 2);
  put_little(out, header.size(), version == 1 ? 2 : 4);
  return out.append(header).append(values);
}

TEST_F(Io, NpyHeadersVary) {
  const Tensor want = tensor({258});
  const std::string_view values("\2\1\0\0", 4);
  for (std::string_view header : {
           "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }\n",
           "{\"shape\":(1,),\"fortran_order\":True,\"descr\":\"=i4\"}",
           " { 'fortran_order' : False , 'shape' : ( 1L , ) , 'descr' : '<i4' } ",
       }) {
    for (int version : {1, 2, 3})
      expect_same(read_npy(file("x", npy(header, values, version))), want);
  }
  for (std::string_view header : {
           "",
           "{",
           "{}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (1,)",
           "{'descr': '<i4', 'fortran_order': False}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), 'shape': (1,)}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), 'more': (1,)}",
           "{'descr': '<i4', 'fortran_order': 0, 'shape': (1,)}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': 1}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (1,)} x",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (999999999999999999,)}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (0,999999999999999999,99)}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (0,)}",
           "{'descr': '<i4', 'fortran_order': False, 'shape': (2,)}",
           "{'descr': '<i3', 'fortran_order': False, 'shape': (1,)}",
           "{'descr': '<u8', 'fortran_order': False, 'shape': (0,)}",
           "{'descr': '<c8', 'fortran_order': False, 'shape': (0,)}",
           "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
           "{'descr': '<U12', 'fortran_order': False, 'shape': (1,)}",
           "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}",
       })
    EXPECT_NE(fault(file("x"), [&] { read_npy(file("x", npy(header, values))); }), "") << header;
  const std::string good = npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1,)}", values);
  EXPECT_EQ(fault(file("x"), [&] { read_npy(file("x", good + "x")); }),
            ": 1 bytes follow its values");
  EXPECT_NE(fault(file("x"), [&] { read_npy(file("x", npy("{}", "", 4))); }), "");
}

TEST_F(Io, NpyElements) {
  const auto read = [&](const std::string& descr, std::string_view values, int count) {
    return read_npy(file("x", npy("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (" +
                                      std::to_string(count) + ",)}",
                                  values)));
  };
  using namespace std::string_view_literals;
  expect_same(read("<u2", "\xff\xff\1\0"sv, 2), tensor({65535, 1}));
  expect_same(read(">u2", "\xff\xff\0\1"sv, 2), tensor({65535, 1}));
  expect_same(read("<u4", "\xff\xff\xff\xff"sv, 1), tensor({int64_t{4294967295}}));
  expect_same(read(">i4", "\xff\xff\xff\xfe"sv, 1), tensor({-2}));
  expect_same(read(">i8", "\0\0\0\0\0\0\1\0"sv, 1), tensor({int64_t{256}}));
  expect_same(read(">f8", "\x3f\xf8\0\0\0\0\0\0"sv, 1), tensor({1.5}));
  expect_same(read("|i1", "\xff"sv, 1), tensor({int8_t{-1}}));
  EXPECT_NE(fault(file("x"), [&] { read("|b1", "\2"sv, 1); }).find("bool"), std::string::npos);
}

TEST_F(Io, NpyFortranOrder) {
  const Tensor want = noise(kI64, {2, 3, 4});
  const Tensor turned = permute(want, {2, 1, 0});
  const std::string header = "{'descr': '<i8', 'fortran_order': True, 'shape': (2, 3, 4)}";
  expect_same(read_npy(file("x", npy(header, text_of(raw_bytes(turned))))), want);
}

// ---- PNG in detail --------------------------------------------------------------------------

TEST_F(Io, PngOfEveryKindBecomesBytes) {
  using namespace std::string_view_literals;
  const auto read = [&](const std::string& bytes) { return read_png(file("x", bytes)); };
  const auto image = [](std::initializer_list<uint8_t> values, const Shape& shape) {
    return from_vector(std::vector<uint8_t>(values), shape);
  };
  // Grey of 1, 2, 4 and 16 bits.
  expect_same(read(png(3, 1, 1, 0, "\0\xa0"sv)), image({255, 0, 255}, {1, 3, 1}));
  expect_same(read(png(4, 1, 2, 0, "\0\x1b"sv)), image({0, 85, 170, 255}, {1, 4, 1}));
  expect_same(read(png(2, 1, 4, 0, "\0\x1f"sv)), image({17, 255}, {1, 2, 1}));
  expect_same(read(png(2, 1, 16, 0, "\0\x80\x00\x01\xff"sv)), image({128, 2}, {1, 2, 1}));
  // Palettes, without and with transparency.
  expect_same(read(png(2, 1, 1, 3, "\0\x40"sv, "\1\2\3\4\5\6")),
              image({1, 2, 3, 4, 5, 6}, {1, 2, 3}));
  expect_same(read(png(2, 1, 8, 3, "\0\1\0"sv, "\1\2\3\4\5\6", "\x09")),
              image({4, 5, 6, 255, 1, 2, 3, 9}, {1, 2, 4}));
  // 16 bits with alpha; two interlaced rows.
  expect_same(read(png(1, 1, 16, 4, "\0\xff\xff\0\0"sv)), image({255, 0}, {1, 1, 2}));
  expect_same(read(png(2, 2, 8, 0, "\0\1\0\2\0\3\4"sv, "", "", 1)), image({1, 2, 3, 4}, {2, 2, 1}));
}

TEST_F(Io, PngThatClaimsTooMuch) {
  EXPECT_NE(fault(file("x"), [&] { read_png(file("x", png(1000000, 1000000, 8, 6, "\0"))); }), "");
  EXPECT_NE(fault(file("x"), [&] { read_png(file("x", png(0, 1, 8, 6, "\0"))); }), "");
  EXPECT_NE(fault(file("x"), [&] { read_png(file("x", png(9, 1, 8, 3, "\0\1\2"))); }), "");
  EXPECT_EQ(fault(file("x"), [&] { read_png(file("x", "GIF89a and more")); }), ": is no PNG file");
}

TEST_F(Io, PngOfMorePixelsThanAreWanted) {
  write_png(file("x"), zeros({20, 30}, kU8));
  EXPECT_EQ(read_png(file("x"), 600).shape(), Shape({20, 30, 1}));
  EXPECT_EQ(fault(file("x"), [&] { read_png(file("x"), 599); }),
            ": 30 x 20 pixels are more than the 599 that are read");
  // Seen before memory is asked for, whatever the file holds.
  EXPECT_EQ(fault(file("x"), [&] { read_png(file("x", png(40000, 40000, 1, 0, "\0"))); }),
            ": 40000 x 40000 pixels are more than the 268,435,456 that are read");
}

// ---- safetensors in detail ------------------------------------------------------------------

std::string safetensors(std::string_view header, std::string_view data) {
  std::string out;
  put_little(out, header.size(), 8);
  return out.append(header).append(data);
}

TEST_F(Io, SafetensorsOfOddAlignmentAreCopied) {
  const std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("w":{"dtype":"I32","shape":[2],"data_offsets":[1,9]}})";
  using namespace std::string_view_literals;
  for (size_t pad = 0; pad < 8; ++pad) {
    const std::string padded = header + std::string(pad, ' ');
    expect_same(read_safetensors(file("x", safetensors(padded, "\7\1\0\0\0\xff\xff\xff\xff"sv))),
                {{"b", tensor({uint8_t{7}})}, {"w", tensor({1, -1})}});
  }
}

TEST_F(Io, SafetensorsHeadersAreChecked) {
  const auto entry = [](const std::string& shape, int begin, int end,
                        const std::string& dtype = "U8") {
    return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[)" +
           std::to_string(begin) + "," + std::to_string(end) + "]}";
  };
  const auto object = [](std::initializer_list<std::string> members) {
    std::string out;
    for (const std::string& member : members) out += (out.empty() ? "{" : ",") + member;
    return out + "}";
  };
  const auto refused = [&](const std::string& header, const std::string& why) {
    const std::string message =
        fault(file("x"), [&] { read_safetensors(file("x", safetensors(header, "12345678"))); });
    EXPECT_NE(message.find(why), std::string::npos) << header.substr(0, 200) << message;
  };
  expect_same(read_safetensors(
                  file("x", safetensors(object({R"("a":)" + entry("[8]", 0, 8)}), "12345678"))),
              {{"a", from_bytes("12345678", {8}, kU8)}});
  refused("", "JSON");
  refused("[]", "no JSON object");
  refused("5", "no JSON object");
  refused("null", "no JSON object");
  refused("{", "JSON");
  refused("{}", "8 bytes follow");
  refused("{}{}", "JSON");
  refused("{\"\xff\":1}", "JSON");
  refused(R"({"a":{"b":)" + std::string(100000, '['), "nested too deep");
  refused(R"({"a":{"b":{"c":{"d":{}}}}})", "nested too deep");
  refused(R"({"a":5})", "no JSON object");
  refused(R"({"a":[1]})", "no JSON object");
  refused(R"({"a":{}})", "needs a dtype");
  refused(R"({"a":{"dtype":5,"shape":[8],"data_offsets":[0,8]}})", "needs a dtype");
  refused(R"({"a":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]}})", "needs a dtype");
  refused(R"({"a":{"dtype":"U8","shape":[8.0],"data_offsets":[0,8]}})", "needs a dtype");
  refused(R"({"a":{"dtype":"U8","shape":8,"data_offsets":[0,8]}})", "needs a dtype");
  refused(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,4,8]}})", "needs a dtype");
  refused(R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1}})", "needs a dtype");
  refused(R"({"a":{"dtype":"U8","shape":[8],"shape":[8],"data_offsets":[0,8]}})", "twice");
  refused(object({R"("a":)" + entry("[4]", 0, 4), R"("a":)" + entry("[4]", 4, 8)}), "twice");
  refused(object({R"("a":)" + entry("[4]", 0, 4), R"("b":)" + entry("[6]", 2, 8)}), "starts at");
  refused(object({R"("a":)" + entry("[4]", 0, 4), R"("b":)" + entry("[3]", 5, 8)}), "starts at");
  refused(object({R"("a":)" + entry("[8]", 0, 8), R"("b":)" + entry("[8]", 0, 8)}), "starts at");
  refused(object({R"("a":)" + entry("[4]", 0, 4)}), "4 bytes follow");
  refused(object({R"("a":)" + entry("[9]", 0, 9)}), "ends after");
  refused(object({R"("a":)" + entry("[7]", 0, 8)}), "has bytes 0 to 8");
  refused(object({R"("a":)" + entry("[8]", 8, 0)}), "has bytes 8 to 0");
  refused(object({R"("a":)" + entry("[1,1,1,1,1,1,1,1,8]", 0, 8)}), "rank 9");
  refused(object({R"("a":)" + entry("[4294967296,4294967296]", 0, 8)}), "impossible");
  refused(object({R"("a":)" + entry("[9223372036854775807]", 0, 8, "F64")}), "impossible");
  refused(object({R"("a":)" + entry("[18446744073709551615]", 0, 8)}), "needs a dtype");
  for (const char* dtype : {"I16", "U16", "U32", "U64", "F8_E4M3", "F8_E5M2", "f32", ""})
    refused(object({R"("a":)" + entry("[4]", 0, 8, dtype)}), "has no dtype");
  refused(object({R"("a":)" + entry("[8]", 0, 8, "BOOL")}), "bool");
  refused(R"({"__metadata__":{"a":1}})", "is no text");
  refused(R"({"__metadata__":"a"})", "no JSON object");
}

TEST_F(Io, SafetensorsHeaderLengthIsChecked) {
  for (uint64_t size : {uint64_t{3}, uint64_t{99'999'999}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::string bytes;
    put_little(bytes, size, 8);
    EXPECT_NE(fault(file("x"), [&] { read_safetensors(file("x", bytes + "{}")); }), "");
  }
}

TEST_F(Io, SafetensorsNamesAreChecked) {
  const Tensor x = zeros({1});
  const auto refused = [&](const NamedTensors& tensors, const Metadata& metadata = {}) {
    EXPECT_NE(fault(file("x"), [&] { write_safetensors(file("x"), tensors, metadata); }), "");
  };
  refused({{"a", x}, {"a", x}});
  refused({{"__metadata__", x}});
  refused({{"\xff", x}});
  refused({}, {{"a", "\xff"}});
  refused({}, {{"a", "1"}, {"a", "2"}});
  EXPECT_EQ(files(), 0u);
}

// ---- zip in detail --------------------------------------------------------------------------

TEST_F(Io, NpzMembersAreChecked) {
  const Tensor x = arange(100, kI64);
  EXPECT_NE(fault(file("x"), [&] { write_npz(file("x"), {{"a", x}, {"a", x}}); }), "");
  EXPECT_EQ(files(), 0u);
  write_zip(file("x"), {{"notes.txt", {}}});
  EXPECT_EQ(fault(file("x"), [&] { read_npz(file("x")); }), ": notes.txt: is no npy member");
  write_npz(file("x"), {{"a", x}});
  const std::string good = read_file(file("x"));
  const auto refused = [&](size_t at, std::string_view bytes, const std::string& why) {
    std::string bad = good;
    bad.replace(at, bytes.size(), bytes);
    const std::string message = fault(file("x"), [&] { read_npz(file("x", bad)); });
    EXPECT_NE(message.find(why), std::string::npos) << message;
  };
  const size_t central = good.rfind("PK\1\2");
  using namespace std::string_view_literals;
  refused(500, "x", "checksum");
  refused(central + 8, "\1", "encrypted");
  refused(central + 10, "\x0e", "method 14");
  refused(central + 20, "\xff\xff\xff\x7f"sv, "corrupt");
  refused(central + 42, "\xff\xff\xff\x7f"sv, "corrupt");
  refused(good.size() - 12, "\xff\xff\xff\x7f"sv, "directory");
}

}  // namespace
}  // namespace glia::io
