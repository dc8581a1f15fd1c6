#include "normalizers.h"

#include <cstring>
#include <optional>

#include "bytes.h"
#include "json.h"
#include "patterns.h"
#include "unicode.h"

namespace glia::text {
namespace {

using Json = nlohmann::json;

// Rewrites character by character: body(c, begin, end, out).
template <class F>
void each_character(Aligned* text, F&& body) {
  Rewriter out(*text);
  for (uint32_t i = 0; i < text->size();) {
    const auto [c, bytes] = decode_at(text->bytes, i);
    body(c, i, i + bytes, out);
    i += bytes;
  }
  *text = out.take();
}

bool is_ascii(std::string_view text) {
  for (const char c : text)
    if (static_cast<uint8_t>(c) >= 0x80) return false;
  return true;
}

// "nfc" and its kind, in parts that do not change each other. Each character of what becomes of a
// part stands for the part's first character, as composition has it, or for the one in its place.
class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(std::string form) : form_(std::move(form)) {}
  void apply(Aligned* text) const override {
    if (is_ascii(text->bytes)) return;
    Rewriter out(*text);
    uint32_t begin = 0;
    for (uint32_t i = 0; i <= text->size();) {
      const bool last = i == text->size();
      const auto [c, bytes] = last ? Decoded{0, 1} : decode_at(text->bytes, i);
      if (i > begin && (last || begins_normalization(form_, c))) {
        put(*text, begin, i, &out);
        begin = i;
      }
      i += bytes;
    }
    *text = out.take();
  }

 private:
  void put(const Aligned& text, uint32_t begin, uint32_t end, Rewriter* out) const {
    const std::string_view part = std::string_view(text.bytes).substr(begin, end - begin);
    if (part.size() == 1) return out->keep(begin, end);
    const std::string made = normalized_utf8(form_, part);
    if (made == part) return out->keep(begin, end);
    const bool one = decode_at(part, 0).bytes == part.size();
    uint32_t at = begin;
    for (size_t i = 0; i < made.size();) {
      const uint32_t bytes = decode_at(made, i).bytes;
      out->put(std::string_view(made).substr(i, bytes), text.origin_at(one ? begin : at));
      const uint32_t next = at + decode_at(text.bytes, at).bytes;
      if (next < end) at = next;
      i += bytes;
    }
  }
  std::string form_;
};

class Lowercase : public Normalizer {
 public:
  void apply(Aligned* text) const override {
    if (is_ascii(text->bytes)) {
      for (char& c : text->bytes)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      return;
    }
    each_character(text, [&](char32_t c, uint32_t begin, uint32_t, Rewriter& out) {
      out.replace(begin, lower_of(c));
    });
  }
};

class StripAccents : public Normalizer {
 public:
  void apply(Aligned* text) const override {
    if (is_ascii(text->bytes)) return;
    each_character(text, [&](char32_t c, uint32_t begin, uint32_t end, Rewriter& out) {
      if (!(classes_of(c) & kNonspacing)) out.keep(begin, end);
    });
  }
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(Aligned* text) const override {
    const std::string& bytes = text->bytes;
    uint32_t begin = 0, end = text->size();
    const auto white = [&](size_t at) {
      return (classes_of(decode_at(bytes, at).character) & kWhite) != 0;
    };
    while (left_ && begin < end && white(begin)) begin += decode_at(bytes, begin).bytes;
    while (right_ && end > begin && white(before(bytes, end)))
      end = static_cast<uint32_t>(before(bytes, end));
    if (begin > 0 || end < text->size()) *text = text->part(begin, end);
  }

 private:
  bool left_, right_;
};

// BERT's, all four parts in one pass (Devlin et al. 2019).
class Bert : public Normalizer {
 public:
  explicit Bert(const Json& json)
      : clean_(flag_of(json, "clean_text", true)),
        chinese_(flag_of(json, "handle_chinese_chars", true)),
        lower_(flag_of(json, "lowercase", true)),
        accents_(flag_of(json, "strip_accents", lower_)) {}
  void apply(Aligned* text) const override {
    if (in_place(text)) return;
    each_character(text, [&](char32_t c, uint32_t begin, uint32_t end, Rewriter& out) {
      if (c < 0x80) {
        if (c >= 32 && c < 127) {
          const char low = static_cast<char>(lower_ && c >= 'A' && c <= 'Z' ? c + 32 : c);
          return out.replace(begin, {&low, 1});
        }
        if (!clean_) return out.keep(begin, end);
        if (c == '\t' || c == '\n' || c == '\r') out.replace(begin, " ");
        return;
      }
      const uint16_t classes = classes_of(c);
      if (clean_) {
        if (c == 0xFFFD || (classes & kInvisible)) return;
        if (classes & kWhite) return out.replace(begin, " ");
      }
      const bool apart = chinese_ && (classes & kChinese);
      if (apart) out.replace(begin, " ");
      if (!accents_ && !lower_) {
        out.keep(begin, end);
      } else {
        std::string parts = std::string(std::string_view(text->bytes).substr(begin, end - begin));
        if (accents_) parts = decomposed(c);
        for (size_t i = 0; i < parts.size();) {
          const auto [d, bytes] = decode_at(parts, i);
          if (!accents_ || !(classes_of(d) & kNonspacing))
            out.replace(begin, lower_ ? lower_of(d) : parts.substr(i, bytes));
          i += bytes;
        }
      }
      if (apart) out.replace(begin, " ");
    });
  }

 private:
  // What is plain ASCII and loses nothing.
  bool in_place(Aligned* text) const {
    for (const char c : text->bytes) {
      const auto b = static_cast<uint8_t>(c);
      const bool white = b == '\t' || b == '\n' || b == '\r';
      if (b >= 128 || (clean_ && !white && (b < 32 || b == 127))) return false;
    }
    for (char& c : text->bytes) {
      if (clean_ && (c == '\t' || c == '\n' || c == '\r')) c = ' ';
      if (lower_ && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return true;
  }
  bool clean_, chinese_, lower_, accents_;
};

class Replace : public Normalizer {
 public:
  explicit Replace(const Json& json)
      : pattern_(read_pattern(member(json, "pattern"))), content_(text_of(json, "content")) {}
  void apply(Aligned* text) const override {
    const std::vector<Range> found = pattern_->find(text->bytes);
    if (found.empty()) return;
    Rewriter out(*text);
    uint32_t at = 0;
    for (const Range& match : found) {
      out.keep(at, match.begin);
      out.replace(match.end - 1, content_);
      at = match.end;
    }
    out.keep(at, text->size());
    *text = out.take();
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  std::string content_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string what) : what_(std::move(what)) {}
  void apply(Aligned* text) const override {
    if (text->bytes.empty()) return;
    Rewriter out(*text);
    out.replace(0, what_);
    out.keep(0, text->size());
    *text = out.take();
  }

 private:
  std::string what_;
};

class Nmt : public Normalizer {
 public:
  void apply(Aligned* text) const override {
    each_character(text, [](char32_t c, uint32_t begin, uint32_t end, Rewriter& out) {
      if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
          c == 0x9F)
        return;
      const bool blank = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
                         c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
      blank ? out.replace(begin, " ") : out.keep(begin, end);
    });
  }
};

class ByteLevelForm : public Normalizer {
 public:
  void apply(Aligned* text) const override {
    Rewriter out(*text);
    for (uint32_t i = 0; i < text->size(); ++i)
      out.replace(i, byte_character(static_cast<uint8_t>(text->bytes[i])));
    *text = out.take();
  }
};

// As SentencePiece's map is read by tokenizer.json: by what people see as one character, if that
// has fewer than six bytes, else by character.
class Precompiled : public Normalizer {
 public:
  explicit Precompiled(const Json& json)
      : map_(decode_base64(text_of(json, "precompiled_charsmap"))) {}
  void apply(Aligned* text) const override {
    const std::string_view bytes = text->bytes;
    std::vector<size_t> ends;
    if (is_ascii(bytes))
      for (size_t i = 0; i < bytes.size();)
        ends.push_back(i += bytes.substr(i, 2) == "\r\n" ? 2 : 1);
    else
      ends = graphemes(bytes);
    Rewriter out(*text);
    uint32_t at = 0;
    for (const size_t end : ends) {
      if (end <= at) continue;
      const auto stop = static_cast<uint32_t>(end);
      const CharacterMap::Found whole =
          stop - at < 6 ? map_.find(bytes.substr(at, stop - at), false) : CharacterMap::Found{};
      if (whole.bytes) {
        out.put(whole.text, text->origin(at, stop));
      } else {
        for (uint32_t i = at; i < stop;) {
          const uint32_t size = decode_at(bytes, i).bytes;
          const CharacterMap::Found one = map_.find(bytes.substr(i, size), false);
          one.bytes ? out.replace(i, one.text) : out.keep(i, i + size);
          i += size;
        }
      }
      at = stop;
    }
    *text = out.take();
  }

 private:
  CharacterMap map_;
};

void add(const Json& json, Normalizers* to, int depth) {
  if (json.is_null()) return;
  if (depth > 16) throw ValueError("sequences within sequences without end");
  const std::string type = text_of(json, "type");
  if (type == "Sequence") {
    for (const Json& one : member(json, "normalizers")) add(one, to, depth + 1);
    return;
  }
  std::shared_ptr<const Normalizer> made;
  if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    std::string form = type;
    for (char& c : form) c = static_cast<char>(c + 32);
    made = std::make_shared<UnicodeForm>(form);
  } else if (type == "Lowercase") {
    made = std::make_shared<Lowercase>();
  } else if (type == "StripAccents") {
    made = std::make_shared<StripAccents>();
  } else if (type == "Strip") {
    made = std::make_shared<Strip>(flag_of(json, "strip_left", true),
                                   flag_of(json, "strip_right", true));
  } else if (type == "BertNormalizer") {
    made = std::make_shared<Bert>(json);
  } else if (type == "Replace") {
    made = std::make_shared<Replace>(json);
  } else if (type == "Prepend") {
    made = std::make_shared<Prepend>(text_of(json, "prepend"));
  } else if (type == "Nmt") {
    made = std::make_shared<Nmt>();
  } else if (type == "ByteLevel") {
    made = std::make_shared<ByteLevelForm>();
  } else if (type == "Precompiled") {
    if (!member(json, "precompiled_charsmap").is_null() &&
        !text_of(json, "precompiled_charsmap").empty())
      made = std::make_shared<Precompiled>(json);
  } else {
    throw ValueError("the normalizer \"" + type + "\" is not known");
  }
  if (made) to->push_back(std::move(made));
}

}  // namespace

Normalizers read_normalizers(const Json& json) {
  Normalizers out;
  add(json, &out, 0);
  return out;
}

void apply(const Normalizers& all, Aligned* text) {
  for (const auto& one : all) one->apply(text);
}

// ---- The map of SentencePiece -------------------------------------------------------------------

CharacterMap::CharacterMap(std::string_view bytes) {
  uint32_t size = 0;
  if (bytes.size() >= 4) std::memcpy(&size, bytes.data(), 4);
  if (bytes.size() < 4 || size % 4 != 0 || size == 0 || size > bytes.size() - 4)
    throw ValueError("a map of characters that is cut short");
  units_.resize(size / 4);
  std::memcpy(units_.data(), bytes.data() + 4, size);
  texts_ = bytes.substr(4 + size);
  texts_ += '\0';
}

CharacterMap::Found CharacterMap::find(std::string_view text, bool longest) const {
  const auto offset = [](uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); };
  Found out;
  size_t node = offset(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (node >= units_.size()) break;
    const uint32_t unit = units_[node];
    if ((unit & ((1u << 31) | 0xFF)) != byte) break;
    node ^= offset(unit);
    if (node >= units_.size()) break;
    if (unit >> 8 & 1) {
      const size_t at = units_[node] & 0x7FFFFFFF;
      if (at >= texts_.size()) throw ValueError("a map of characters that points beyond its texts");
      out = {std::string_view(texts_.data() + at), i + 1};
      if (!longest) break;
    }
  }
  return out;
}

std::string decode_base64(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    if (c == '=') break;
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    if (value < 0) throw ValueError("a map of characters that is not in base64");
    bits = bits << 6 | static_cast<uint32_t>(value);
    if ((have += 6) >= 8) out += static_cast<char>(bits >> (have -= 8));
  }
  return out;
}

}  // namespace glia::text
