// TensorBoard's event files: records of TensorFlow's TFRecord format, each an Event message of
// tensorflow/core/util/event.proto, written in protocol buffers' wire format by hand.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "glia/io.h"
#include "io/file.h"

namespace glia::io {
namespace {

constexpr size_t kMostBuffered = 64 << 10;

// CRC-32C (Castagnoli), bit-reversed polynomial.
constexpr auto kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    table[i] = crc;
  }
  return table;
}();

// Masked as TFRecord wants, so that a checksum of data with checksums in it stays one.
uint32_t masked_crc(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (uint8_t byte : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ byte) & 0xff];
  return std::rotr(~crc, 15) + 0xa282ead8;
}

std::string record(std::string_view event) {
  std::string out;
  put_little(out, event.size(), 8);
  put_little(out, masked_crc(out), 4);
  out += event;
  put_little(out, masked_crc(event), 4);
  return out;
}

// A protocol buffers message, field by field.
class Message {
 public:
  Message& integer(int field, int64_t value) {
    key(field, 0);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& f64(int field, double value) {
    key(field, 1);
    put_little(bytes_, std::bit_cast<uint64_t>(value), 8);
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.bytes_); }
  Message& f32(int field, float value) {
    key(field, 5);
    put_little(bytes_, std::bit_cast<uint32_t>(value), 4);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void key(int field, int wire_type) { varint(field << 3 | wire_type); }
  void varint(uint64_t n) {
    for (; n >= 0x80; n >>= 7) bytes_ += static_cast<char>(n | 0x80);
    bytes_ += static_cast<char>(n);
  }
  std::string bytes_;
};

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// A file that did not exist before, opened.
std::pair<std::string, int> create(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(folder, error.message());
  char host[256] = "";
  if (::gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  const std::string base = folder + "/events.out.tfevents." +
                           std::to_string(static_cast<int64_t>(now())) + '.' + host + '.' +
                           std::to_string(::getpid()) + '.';
  for (int count = 0;; ++count) {
    const std::string path = base + std::to_string(count);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0 || errno != EEXIST) return {path, fd};
  }
}

}  // namespace

struct EventWriter::File {
  explicit File(std::pair<std::string, int> created)
      : path(std::move(created.first)), descriptor(path, created.second) {}

  void flush() {
    Bytes left = bytes_of(buffer);
    const auto written = [&] { return buffer.size() - left.size(); };
    try {
      descriptor.write(left);
    } catch (const IoError&) {
      buffer.erase(0, written());  // the next flush goes on inside the record
      throw;
    }
    buffer.clear();
  }
  void add(const Message& event) {
    buffer += record(event.bytes());
    if (buffer.size() >= kMostBuffered) flush();
  }
  void add(int64_t step, const Message& value, std::optional<double> wall_time) {
    add(Message()
            .f64(1, wall_time.value_or(now()))
            .integer(2, step)
            .message(5, Message().message(1, value)));
  }

  std::string path;
  Descriptor descriptor;
  std::string buffer;
};

EventWriter::EventWriter(const std::string& folder)
    : file_(std::make_unique<File>(create(folder))) {
  file_->add(Message().f64(1, now()).bytes(3, "brain.Event:2"));
  flush();
}

EventWriter::~EventWriter() {
  if (!file_) return;
  try {
    flush();
  } catch (const IoError&) {
    // Nobody is left to be told; who must know calls flush().
  }
}

EventWriter::EventWriter(EventWriter&& other) noexcept = default;

EventWriter& EventWriter::operator=(EventWriter&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

void EventWriter::scalar(std::string_view tag, int64_t step, double value,
                         std::optional<double> wall_time) {
  file_->add(step, Message().bytes(1, tag).f32(2, static_cast<float>(value)), wall_time);
}

void EventWriter::text(std::string_view tag, int64_t step, std::string_view value,
                       std::optional<double> wall_time) {
  constexpr int kString = 7;                                          // DT_STRING
  const Message one = Message().message(2, Message().integer(1, 1));  // shape (1,)
  const Message tensor = Message().integer(1, kString).message(2, one).bytes(8, value);
  const Message metadata = Message().message(1, Message().bytes(1, "text"));
  file_->add(step, Message().bytes(1, tag).message(8, tensor).message(9, metadata), wall_time);
}

void EventWriter::image(std::string_view tag, int64_t step, const Tensor& image,
                        std::optional<double> wall_time) {
  const std::string png = encode_png(image);
  const Message picture = Message()
                              .integer(1, image.size(0))
                              .integer(2, image.size(1))
                              .integer(3, image.rank() == 3 ? image.size(2) : 1)
                              .bytes(4, png);
  file_->add(step, Message().bytes(1, tag).message(4, picture), wall_time);
}

void EventWriter::flush() { file_->flush(); }

const std::string& EventWriter::path() const { return file_->path; }

}  // namespace glia::io
