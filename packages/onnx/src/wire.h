// Protocol Buffers as they lie in a file: fields with numbers, read without copying and written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace glia::onnx {

// Goes over the fields of one message. Whatever a length claims is held against the bytes there
// are.
class WireReader {
 public:
  WireReader(std::string_view bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  bool next();  // to the next field; false at the end
  int field() const { return field_; }
  // The value of the field, whichever way the wire has it; fails if it is of another kind.
  uint64_t varint() const;
  int64_t integer() const { return static_cast<int64_t>(varint()); }
  float real() const;
  double real64() const;
  std::string_view bytes() const;
  std::string text() const { return std::string(bytes()); }
  WireReader message() const { return {bytes(), file_}; }
  const std::string& file() const { return file_; }

  // A repeated number, packed or one at a time: calls f(value) for each.
  template <class F>
  void each_varint(F&& f) const {
    if (wire_ != kBytes) return f(varint());
    for (WireReader packed(payload_, file_); packed.at_ < packed.bytes_.size();)
      f(packed.take_varint());
  }
  template <class F>
  void each_fixed32(F&& f) const {
    if (wire_ != kBytes) return f(fixed32());
    for (WireReader packed(payload_, file_); packed.at_ < packed.bytes_.size();)
      f(static_cast<uint32_t>(packed.take_fixed(4)));
  }
  template <class F>
  void each_fixed64(F&& f) const {
    if (wire_ != kBytes) return f(fixed64());
    for (WireReader packed(payload_, file_); packed.at_ < packed.bytes_.size();)
      f(packed.take_fixed(8));
  }

 private:
  enum Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  [[noreturn]] void fail(const std::string& fault) const;
  uint64_t take_varint();
  uint64_t take_fixed(int size);
  uint32_t fixed32() const;
  uint64_t fixed64() const;

  std::string_view bytes_, payload_;
  const std::string& file_;
  size_t at_ = 0;
  int field_ = 0, wire_ = 0;
  uint64_t number_ = 0;
};

// Appends fields to a message.
class WireWriter {
 public:
  void varint(int field, uint64_t value);
  void integer(int field, int64_t value) { varint(field, static_cast<uint64_t>(value)); }
  void real(int field, float value);
  void bytes(int field, std::string_view value);
  void message(int field, const WireWriter& value) { bytes(field, value.out_); }
  const std::string& str() const { return out_; }

 private:
  void put(uint64_t value);
  std::string out_;
};

}  // namespace glia::onnx
