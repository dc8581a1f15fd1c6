#include "aligned.h"

#include "glia/error.h"
#include "unicode.h"

namespace glia::text {
namespace {

bool follows(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

}  // namespace

Aligned Aligned::of(std::string_view original) {
  if (original.size() >= UINT32_MAX / 2) throw ValueError("a text of 2 GB or more");
  Aligned out;
  if (is_valid_utf8(original)) {
    out.bytes = original;
    return out;
  }
  for (size_t at = 0; at < original.size();) {
    uint32_t bad = 0;
    const uint32_t good = valid_bytes(original, at, &bad), size = good ? good : bad;
    const std::string_view put =
        good ? original.substr(at, good) : std::string_view("\xEF\xBF\xBD");
    const Range from{static_cast<uint32_t>(at), static_cast<uint32_t>(at) + size};
    out.bytes += put;
    out.from.insert(out.from.end(), put.size(), from);
    at += size;
  }
  return out;
}

Range Aligned::origin_at(uint32_t i) const {
  if (!is_same()) return from[i];
  uint32_t begin = i, end = i + 1;
  while (begin > 0 && follows(bytes[begin])) --begin;
  while (end < size() && follows(bytes[end])) ++end;
  return {at + begin, at + end};
}

Range Aligned::origin(uint32_t begin, uint32_t end) const {
  if (begin == end) {
    if (bytes.empty()) return {at, at};
    const uint32_t place = begin < size() ? origin_at(begin).begin : origin_at(size() - 1).end;
    return {place, place};
  }
  return {origin_at(begin).begin, origin_at(end - 1).end};
}

Aligned Aligned::part(uint32_t begin, uint32_t end) const {
  Aligned out;
  out.bytes = bytes.substr(begin, end - begin);
  if (is_same())
    out.at = at + begin;
  else
    out.from.assign(from.begin() + begin, from.begin() + end);
  return out;
}

Aligned Rewriter::take() {
  if (out_.bytes.empty()) out_.at = in_.bytes.empty() ? in_.at : in_.origin_at(0).begin;
  return std::move(out_);
}

}  // namespace glia::text
