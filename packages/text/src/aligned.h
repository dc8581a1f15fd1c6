// A text on its way to tokens: what has become of it, and where in the original each part was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glia::text {

// Bytes [begin, end).
struct Range {
  uint32_t begin = 0, end = 0;
};

struct Aligned {
  std::string bytes;        // valid UTF-8
  std::vector<Range> from;  // the original's bytes that each byte comes from; none: it is the
  uint32_t at = 0;          // original itself, from its byte `at` on

  // Of an original in any encoding; what is no UTF-8 becomes U+FFFD.
  static Aligned of(std::string_view original);

  uint32_t size() const { return static_cast<uint32_t>(bytes.size()); }
  bool is_same() const { return from.empty(); }
  // Where [begin, end) comes from: whole characters of the original.
  Range origin(uint32_t begin, uint32_t end) const;
  // That of the byte.
  Range origin_at(uint32_t i) const;
  Aligned part(uint32_t begin, uint32_t end) const;
};

// Makes an Aligned out of parts of another one and of new characters.
class Rewriter {
 public:
  explicit Rewriter(const Aligned& in) : in_(in) {
    out_.bytes.reserve(in.bytes.size() + 8);
    out_.from.reserve(in.bytes.size() + 8);
  }
  void keep(uint32_t begin, uint32_t end) {
    out_.bytes.append(in_.bytes, begin, end - begin);
    for (uint32_t i = begin; i < end; ++i) out_.from.push_back(in_.origin_at(i));
  }
  void put(std::string_view bytes, Range from) {
    out_.bytes += bytes;
    out_.from.insert(out_.from.end(), bytes.size(), from);
  }
  // In place of the character at `begin`.
  void replace(uint32_t begin, std::string_view bytes) { put(bytes, in_.origin_at(begin)); }
  uint32_t size() const { return out_.size(); }
  const std::string& bytes() const { return out_.bytes; }
  Aligned take();

 private:
  const Aligned& in_;
  Aligned out_;
};

// A part of a text that is one token already, or is still to be cut.
struct Piece {
  uint32_t begin, end;  // of the aligned text
  int32_t token = -1;
};
struct Pieces {
  Aligned text;
  std::vector<Piece> all;
};

}  // namespace glia::text
