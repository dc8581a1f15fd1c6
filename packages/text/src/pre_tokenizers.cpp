#include "pre_tokenizers.h"

#include <functional>

#include "bytes.h"
#include "json.h"
#include "patterns.h"
#include "unicode.h"

namespace glia::text {
namespace {

using Json = nlohmann::json;

// Cuts each piece that is not a token yet into parts of it.
template <class F>
void cut_each(Pieces* pieces, F&& parts_of) {
  std::vector<Piece> out;
  out.reserve(pieces->text.size() / 4 + pieces->all.size());
  for (const Piece& piece : pieces->all) {
    if (piece.token >= 0) {
      out.push_back(piece);
      continue;
    }
    const std::string_view text =
        std::string_view(pieces->text.bytes).substr(piece.begin, piece.end - piece.begin);
    for (const Range& part : parts_of(text))
      if (part.end > part.begin) out.push_back({piece.begin + part.begin, piece.begin + part.end});
  }
  pieces->all = std::move(out);
}

// Writes each piece that is not a token yet anew: body(piece, out) puts what it becomes.
template <class F>
void rewrite_each(Pieces* pieces, F&& body) {
  Rewriter out(pieces->text);
  for (Piece& piece : pieces->all) {
    const uint32_t begin = out.size();
    if (piece.token >= 0)
      out.keep(piece.begin, piece.end);
    else
      body(piece, out);
    piece.begin = begin;
    piece.end = out.size();
  }
  pieces->text = out.take();
}

class Split : public PreTokenizer {
 public:
  Split(std::shared_ptr<const Pattern> pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}
  void apply(Pieces* pieces) const override {
    cut_each(pieces, [&](std::string_view text) {
      return divided(cuts_of(pattern_->find(text), static_cast<uint32_t>(text.size()), invert_),
                     behavior_);
    });
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  Behavior behavior_;
  bool invert_;
};

// At characters of a kind.
class SplitAt : public PreTokenizer {
 public:
  SplitAt(std::function<bool(char32_t)> is_match, Behavior behavior)
      : is_match_(std::move(is_match)), behavior_(behavior) {}
  void apply(Pieces* pieces) const override {
    cut_each(pieces, [&](std::string_view text) {
      return divided(cuts_where(text, is_match_), behavior_);
    });
  }

 private:
  std::function<bool(char32_t)> is_match_;
  Behavior behavior_;
};

std::shared_ptr<const PreTokenizer> split_at(uint16_t classes, Behavior behavior) {
  return std::make_shared<SplitAt>([=](char32_t c) { return (classes_of(c) & classes) != 0; },
                                   behavior);
}

// Runs of one class: 0 is left out.
class Runs : public PreTokenizer {
 public:
  // The class of a character, and whether each of that class stands alone.
  struct Class {
    int number;
    bool alone = false;
  };
  explicit Runs(Class (*class_of)(char32_t)) : class_of_(class_of) {}
  void apply(Pieces* pieces) const override {
    cut_each(pieces, [&](std::string_view text) {
      std::vector<Range> out;
      int last = 0;
      for (uint32_t at = 0; at < text.size();) {
        const auto [c, bytes] = decode_at(text, at);
        const Class own = class_of_(c);
        if (own.number != 0) {
          if (own.number == last && !own.alone)
            out.back().end = at + bytes;
          else
            out.push_back({at, at + bytes});
        }
        last = own.number;
        at += bytes;
      }
      return out;
    });
  }

 private:
  Class (*class_of_)(char32_t);
};

Runs::Class class_of_whitespace(char32_t c) {
  const uint16_t classes = classes_of(c);
  if (classes & kWord) return {1};
  return {classes & kWhite ? 0 : 2};
}
Runs::Class class_of_bert(char32_t c) {
  const uint16_t classes = classes_of(c);
  if (classes & kWhite) return {0};
  if (classes & (kPunctuation | kAsciiPunctuation)) return {2, true};
  return {1};
}

class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(const Json& json, bool as_bytes)
      : prefix_(flag_of(json, "add_prefix_space", true)),
        cut_(flag_of(json, "use_regex", true)),
        as_bytes_(as_bytes) {}
  void apply(Pieces* pieces) const override {
    if (prefix_) add_prefix(pieces);
    if (cut_) cut_each(pieces, scan_gpt2);
    if (as_bytes_) return;
    rewrite_each(pieces, [&](const Piece& piece, Rewriter& out) {
      for (uint32_t i = piece.begin; i < piece.end; ++i)
        out.replace(i, byte_character(static_cast<uint8_t>(pieces->text.bytes[i])));
    });
  }

 private:
  void add_prefix(Pieces* pieces) const {
    bool needed = false;
    for (const Piece& piece : pieces->all)
      needed |= piece.token < 0 && pieces->text.bytes[piece.begin] != ' ';
    if (!needed) return;
    rewrite_each(pieces, [&](const Piece& piece, Rewriter& out) {
      if (pieces->text.bytes[piece.begin] != ' ') out.replace(piece.begin, " ");
      out.keep(piece.begin, piece.end);
    });
  }
  bool prefix_, cut_, as_bytes_;
};

class MetaspaceSplit : public PreTokenizer {
 public:
  explicit MetaspaceSplit(Metaspace how) : how_(std::move(how)) {}
  void apply(Pieces* pieces) const override {
    rewrite_each(pieces, [&](const Piece& piece, Rewriter& out) {
      const Aligned& text = pieces->text;
      const bool has =
          text.bytes[piece.begin] == ' ' ||
          text.bytes.compare(piece.begin, how_.replacement.size(), how_.replacement) == 0;
      const bool wants =
          how_.prepend == Metaspace::kAlways ||
          (how_.prepend == Metaspace::kFirst && text.origin_at(piece.begin).begin == 0);
      if (wants && !has) out.replace(piece.begin, how_.replacement);
      for (uint32_t i = piece.begin; i < piece.end; ++i) {
        uint32_t end = i;
        while (end < piece.end && text.bytes[end] != ' ') ++end;
        out.keep(i, end);
        if (end < piece.end) out.replace(end, how_.replacement);
        i = end;
      }
    });
    if (!how_.split) return;
    cut_each(pieces, [&](std::string_view text) {
      std::vector<Range> out;
      for (size_t at = 0; at < text.size();) {
        size_t end = text.find(how_.replacement, at + 1);
        if (end == std::string_view::npos) end = text.size();
        out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(end)});
        at = end;
      }
      return out;
    });
  }

 private:
  Metaspace how_;
};

// Where the script changes; Hiragana and Katakana count as Han. Blanks before the first are
// dropped.
class UnicodeScripts : public PreTokenizer {
 public:
  void apply(Pieces* pieces) const override {
    static const int32_t han = script_named("Han"), hiragana = script_named("Hiragana"),
                         katakana = script_named("Katakana");
    constexpr int32_t kAny = -1;
    cut_each(pieces, [](std::string_view text) {
      std::vector<Range> out;
      int32_t last = kAny;
      for (uint32_t at = 0; at < text.size();) {
        const auto [c, bytes] = decode_at(text, at);
        int32_t script = c == ' ' ? kAny : script_of(c);
        if (c == 0x30FC || script == hiragana || script == katakana) script = han;
        if (script != kAny && last != script) {
          if (!out.empty()) out.back().end = at;
          out.push_back({at, static_cast<uint32_t>(text.size())});
          last = script;
        }
        at += bytes;
      }
      return out;
    });
  }
};

class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(int64_t length) : length_(length) {
    if (length < 1) throw ValueError("\"length\" is below 1");
  }
  void apply(Pieces* pieces) const override {
    cut_each(pieces, [&](std::string_view text) {
      std::vector<Range> out;
      for (uint32_t at = 0; at < text.size();) {
        const uint32_t begin = at;
        for (int64_t i = 0; i < length_ && at < text.size(); ++i) at += decode_at(text, at).bytes;
        out.push_back({begin, at});
      }
      return out;
    });
  }

 private:
  int64_t length_;
};

void add(const Json& json, bool takes_bytes, bool last, PreTokenizers* to, int depth) {
  if (json.is_null()) return;
  if (depth > 16) throw ValueError("sequences within sequences without end");
  const std::string type = text_of(json, "type");
  if (type == "Sequence") {
    const Json& all = member(json, "pretokenizers");
    for (size_t i = 0; i < all.size(); ++i)
      add(all[i], takes_bytes, last && i + 1 == all.size(), to, depth + 1);
    return;
  }
  std::shared_ptr<const PreTokenizer> made;
  if (type == "ByteLevel") {
    to->bytes = takes_bytes && last;
    made = std::make_shared<ByteLevel>(json, to->bytes);
  } else if (type == "Whitespace") {
    made = std::make_shared<Runs>(class_of_whitespace);
  } else if (type == "WhitespaceSplit") {
    made = split_at(kWhite, Behavior::kRemoved);
  } else if (type == "BertPreTokenizer") {
    made = std::make_shared<Runs>(class_of_bert);
  } else if (type == "Digits") {
    made = split_at(kNumber, flag_of(json, "individual_digits", false) ? Behavior::kIsolated
                                                                       : Behavior::kContiguous);
  } else if (type == "Punctuation") {
    made =
        split_at(kPunctuation | kAsciiPunctuation, read_behavior(member_or_null(json, "behavior")));
  } else if (type == "Split") {
    made = std::make_shared<Split>(read_pattern(member(json, "pattern")),
                                   read_behavior(member_or_null(json, "behavior")),
                                   flag_of(json, "invert", false));
  } else if (type == "Metaspace") {
    made = std::make_shared<MetaspaceSplit>(read_metaspace(json));
  } else if (type == "CharDelimiterSplit") {
    made = std::make_shared<Split>(read_pattern(text_of(json, "delimiter")), Behavior::kRemoved,
                                   false);
  } else if (type == "UnicodeScripts") {
    made = std::make_shared<UnicodeScripts>();
  } else if (type == "FixedLength") {
    made = std::make_shared<FixedLength>(integer_of(json, "length", 5));
  } else {
    throw ValueError("the pre-tokenizer \"" + type + "\" is not known");
  }
  to->all.push_back(std::move(made));
}

}  // namespace

PreTokenizers read_pre_tokenizers(const Json& json, bool takes_bytes) {
  PreTokenizers out;
  add(json, takes_bytes, true, &out, 0);
  return out;
}

Metaspace read_metaspace(const Json& json) {
  Metaspace out{text_of(json, "replacement", "\xE2\x96\x81")};
  if (out.replacement.empty()) throw ValueError("\"replacement\" is empty");
  const std::string scheme =
      text_of(json, "prepend_scheme", flag_of(json, "add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never")
    throw ValueError("the prepend_scheme \"" + scheme + "\" is not known");
  out.prepend = scheme == "always"  ? Metaspace::kAlways
                : scheme == "first" ? Metaspace::kFirst
                                    : Metaspace::kNever;
  out.split = flag_of(json, "split", true);
  return out;
}

}  // namespace glia::text
