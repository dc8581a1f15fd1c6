#include "wire.h"

#include <bit>
#include <cstring>

#include "glia/error.h"

namespace glia::onnx {

void WireReader::fail(const std::string& fault) const { throw IoError(file_ + ": " + fault); }

uint64_t WireReader::take_varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (at_ == bytes_.size()) fail("ends within a number");
    const auto byte = static_cast<uint8_t>(bytes_[at_++]);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number of more than 64 bits");
}

uint64_t WireReader::take_fixed(int size) {
  if (bytes_.size() - at_ < static_cast<size_t>(size)) fail("ends within a number");
  uint64_t value = 0;
  std::memcpy(&value, bytes_.data() + at_, size);
  at_ += size;
  return value;
}

bool WireReader::next() {
  if (at_ == bytes_.size()) return false;
  const uint64_t key = take_varint();
  if (key >> 3 == 0 || key >> 3 > (1u << 29) - 1) fail("is no ONNX file: a field without a number");
  field_ = static_cast<int>(key >> 3);
  wire_ = static_cast<int>(key & 7);
  switch (wire_) {
    case kVarint:
      number_ = take_varint();
      break;
    case kFixed64:
      number_ = take_fixed(8);
      break;
    case kFixed32:
      number_ = take_fixed(4);
      break;
    case kBytes: {
      const uint64_t size = take_varint();
      if (size > bytes_.size() - at_)
        fail("ends after " + std::to_string(bytes_.size() - at_) + " of " + std::to_string(size) +
             " bytes of a field");
      payload_ = bytes_.substr(at_, size);
      at_ += size;
      break;
    }
    default:
      fail("is no ONNX file: a field of kind " + std::to_string(wire_));
  }
  return true;
}

uint64_t WireReader::varint() const {
  if (wire_ != kVarint) fail("field " + std::to_string(field_) + " is no number");
  return number_;
}
uint32_t WireReader::fixed32() const {
  if (wire_ != kFixed32) fail("field " + std::to_string(field_) + " is no number of 32 bits");
  return static_cast<uint32_t>(number_);
}
uint64_t WireReader::fixed64() const {
  if (wire_ != kFixed64) fail("field " + std::to_string(field_) + " is no number of 64 bits");
  return number_;
}
float WireReader::real() const { return std::bit_cast<float>(fixed32()); }
double WireReader::real64() const { return std::bit_cast<double>(fixed64()); }
std::string_view WireReader::bytes() const {
  if (wire_ != kBytes) fail("field " + std::to_string(field_) + " has no bytes");
  return payload_;
}

void WireWriter::put(uint64_t value) {
  for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
  out_.push_back(static_cast<char>(value));
}
void WireWriter::varint(int field, uint64_t value) {
  put(static_cast<uint64_t>(field) << 3);
  put(value);
}
void WireWriter::real(int field, float value) {
  put(static_cast<uint64_t>(field) << 3 | 5);
  const auto bits = std::bit_cast<uint32_t>(value);
  out_.append(reinterpret_cast<const char*>(&bits), 4);
}
void WireWriter::bytes(int field, std::string_view value) {
  put(static_cast<uint64_t>(field) << 3 | 2);
  put(value.size());
  out_ += value;
}

}  // namespace glia::onnx
