// TensorBoard's files of events.
#include "glia/io.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "glia/ops.h"
#include "io/elements.h"
#include "io/inflate.h"
#include "tests/support/files.h"
#include "tests/support/io_samples.h"

namespace glia::io {
namespace {

// TensorFlow's records of a scalar and of a text
constexpr std::string_view kScalarRecord =
    "1b000000000000001a0d9e130900001040fc54d94110ac022a0d0a0b0a046c6f737315cdcccc3d84d035c7";
constexpr std::string_view kTextRecord =
    "3a000000000000001295eae20900002040fc54d94110ffffffffffffffffff012a240a220a046e6f7465421008"
    "0712041202080142062a2a68692a2a4a080a060a0474657874b1ed9fdc";

// CRC-32C bit by bit, masked as records want it.
uint32_t masked_crc(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

std::vector<std::string> events_in(const std::string& path) {
  const Content file = load(path);
  Cursor cursor(path, file.bytes);
  std::vector<std::string> events;
  while (cursor.left() > 0) {
    const Bytes length = cursor.take(8);
    EXPECT_EQ(cursor.little(4), masked_crc(text_of(length)));
    events.emplace_back(text_of(cursor.take(Cursor(path, length).little(8))));
    EXPECT_EQ(cursor.little(4), masked_crc(events.back()));
  }
  return events;
}

TEST_F(Io, EventsAreTensorFlowsToTheByte) {
  EventWriter writer(file("logs/run"));
  EXPECT_TRUE(fs::path(writer.path()).filename().string().starts_with("events.out.tfevents."));
  const std::string first = read_file(writer.path());
  ASSERT_EQ(events_in(writer.path()).size(), 1u);
  EXPECT_NE(first.find("brain.Event:2"), std::string::npos);
  writer.scalar("loss", 300, 0.1, 1700000000.25);
  writer.text("note", -1, "**hi**", 1700000000.5);
  EXPECT_EQ(read_file(writer.path()), first);
  writer.flush();
  EXPECT_EQ(read_file(writer.path()), first + from_hex(kScalarRecord) + from_hex(kTextRecord));
}

TEST_F(Io, EventsOfALongRunAndOfImages) {
  const Tensor image = noise(kU8, {4, 5, 3});
  std::string path;
  {
    EventWriter first(folder_), second(folder_);
    EXPECT_NE(first.path(), second.path());
    first = std::move(second);
    path = first.path();
    for (int step = 0; step < 5000; ++step) first.scalar("loss", step, 1.0 / (step + 1));
    EXPECT_GT(fs::file_size(path), 64u << 10);
    first.image("picture", 1, image);
  }
  const std::vector<std::string> events = events_in(path);
  ASSERT_EQ(events.size(), 5002u);
  EXPECT_NE(events.back().find(encode_png(image)), std::string::npos);
}

TEST_F(Io, EventsGoOnAfterAFullDisk) {
  EventWriter writer(folder_);
  {
    FileSizeLimit limit(1000);
    writer.text("note", 1, std::string(3000, 'x'));
    EXPECT_EQ(fault(writer.path(), [&] { writer.flush(); }), ": File too large");
  }
  writer.scalar("loss", 2, 0.5);
  writer.flush();
  EXPECT_EQ(events_in(writer.path()).size(), 3u);
}

}  // namespace
}  // namespace glia::io
