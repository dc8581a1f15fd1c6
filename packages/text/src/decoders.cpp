// Tokens as texts again: the decoders of tokenizer.json.
#include <algorithm>
#include <optional>

#include "bytes.h"
#include "json.h"
#include "patterns.h"
#include "tokenizer_parts.h"
#include "unicode.h"

namespace glia::text {
namespace {

using Json = nlohmann::json;
using Texts = std::vector<std::string>;

std::string joined_all(const Texts& all) {
  std::string out;
  for (const std::string& one : all) out += one;
  return out;
}

std::string replaced_all(std::string text, std::string_view from, std::string_view to) {
  if (from.empty()) return text;
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// What is written with blanks that were not there.
std::string cleaned_up(std::string text) {
  for (const auto& [from, to] : {std::pair{" .", "."},
                                 {" ?", "?"},
                                 {" !", "!"},
                                 {" ,", ","},
                                 {" ' ", "'"},
                                 {" n't", "n't"},
                                 {" 'm", "'m"},
                                 {" do not", " don't"},
                                 {" 's", "'s"},
                                 {" 've", "'ve"},
                                 {" 're", "'re"}})
    text = replaced_all(std::move(text), from, to);
  return text;
}

class ByteLevelDecoder : public Decoder {
 public:
  void apply(Texts* tokens) const override {
    std::string bytes;
    for (const std::string& token : *tokens) {
      std::string own;
      bool all = true;
      for (size_t at = 0; all && at < token.size();) {
        const auto [c, size] = decode_at(token, at);
        const auto byte = byte_of(c);
        all = byte.has_value();
        if (all) own += static_cast<char>(*byte);
        at += size;
      }
      bytes += all ? own : token;
    }
    *tokens = {repaired_utf8(bytes)};
  }
};

class WordPieceDecoder : public Decoder {
 public:
  explicit WordPieceDecoder(const Json& json)
      : prefix_(text_of(json, "prefix", "##")), cleanup_(flag_of(json, "cleanup", true)) {}
  void apply(Texts* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i) {
      std::string& token = (*tokens)[i];
      if (i > 0) {
        if (token.starts_with(prefix_))
          token = token.substr(prefix_.size());
        else
          token = " " + token;
      }
      if (cleanup_) token = cleaned_up(std::move(token));
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

class MetaspaceDecoder : public Decoder {
 public:
  explicit MetaspaceDecoder(Metaspace how) : how_(std::move(how)) {}
  void apply(Texts* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i) {
      std::string& token = (*tokens)[i];
      const bool drop = i == 0 && how_.prepend != Metaspace::kNever;
      token = replaced_all(std::move(token), how_.replacement, drop ? "" : " ");
    }
  }

 private:
  Metaspace how_;
};

class ByteFallback : public Decoder {
 public:
  void apply(Texts* tokens) const override {
    Texts out;
    std::string bytes;
    const auto flush = [&] {
      if (bytes.empty()) return;
      if (is_valid_utf8(bytes))
        out.push_back(bytes);
      else
        for (size_t i = 0; i < bytes.size(); ++i) out.emplace_back("\xEF\xBF\xBD");
      bytes.clear();
    };
    for (const std::string& token : *tokens) {
      if (const auto byte = byte_in(token)) {
        bytes += static_cast<char>(*byte);
      } else {
        flush();
        out.push_back(token);
      }
    }
    flush();
    *tokens = std::move(out);
  }

 private:
  static std::optional<uint8_t> byte_in(const std::string& token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return {};
    const auto digit = [](char c) {
      return c >= '0' && c <= '9'                 ? c - '0'
             : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                  : -1;
    };
    const int high = digit(token[3]), low = digit(token[4]);
    if (high < 0 || low < 0) return {};
    return static_cast<uint8_t>(high * 16 + low);
  }
};

class Fuse : public Decoder {
 public:
  void apply(Texts* tokens) const override { *tokens = {joined_all(*tokens)}; }
};

class StripDecoder : public Decoder {
 public:
  explicit StripDecoder(const Json& json)
      : content_(text_of(json, "content", " ")),
        start_(integer_of(json, "start", 0)),
        stop_(integer_of(json, "stop", 0)) {
    if (content_.empty()) throw ValueError("\"content\" is empty");
  }
  void apply(Texts* tokens) const override {
    for (std::string& token : *tokens) {
      for (int64_t i = 0; i < start_ && token.starts_with(content_); ++i)
        token.erase(0, content_.size());
      for (int64_t i = 0; i < stop_ && token.ends_with(content_); ++i)
        token.erase(token.size() - content_.size());
    }
  }

 private:
  std::string content_;
  int64_t start_, stop_;
};

class ReplaceDecoder : public Decoder {
 public:
  explicit ReplaceDecoder(const Json& json)
      : pattern_(read_pattern(member(json, "pattern"))), content_(text_of(json, "content")) {}
  void apply(Texts* tokens) const override {
    for (std::string& token : *tokens) {
      std::string out;
      uint32_t at = 0;
      for (const Range& match : pattern_->find(token)) {
        out.append(token, at, match.begin - at);
        out += content_;
        at = match.end;
      }
      out.append(token, at);
      token = std::move(out);
    }
  }

 private:
  std::shared_ptr<const Pattern> pattern_;
  std::string content_;
};

class BpeDecoder : public Decoder {
 public:
  explicit BpeDecoder(std::string suffix) : suffix_(std::move(suffix)) {}
  void apply(Texts* tokens) const override {
    for (size_t i = 0; i < tokens->size(); ++i)
      (*tokens)[i] =
          replaced_all(std::move((*tokens)[i]), suffix_, i + 1 == tokens->size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

class CtcDecoder : public Decoder {
 public:
  explicit CtcDecoder(const Json& json)
      : pad_(text_of(json, "pad_token", "<pad>")),
        word_(text_of(json, "word_delimiter_token", "|")),
        cleanup_(flag_of(json, "cleanup", true)) {}
  void apply(Texts* tokens) const override {
    Texts out;
    for (size_t i = 0; i < tokens->size(); ++i) {
      if (i > 0 && (*tokens)[i] == (*tokens)[i - 1]) continue;
      std::string token = replaced_all((*tokens)[i], pad_, "");
      if (cleanup_) token = replaced_all(cleaned_up(std::move(token)), word_, " ");
      if (!token.empty()) out.push_back(std::move(token));
    }
    *tokens = std::move(out);
  }

 private:
  std::string pad_, word_;
  bool cleanup_;
};

void add(const Json& json, Decoders* to, int depth) {
  if (json.is_null()) return;
  if (depth > 16) throw ValueError("sequences within sequences without end");
  const std::string type = text_of(json, "type");
  std::shared_ptr<const Decoder> made;
  if (type == "Sequence") {
    for (const Json& one : member(json, "decoders")) add(one, to, depth + 1);
    return;
  }
  if (type == "ByteLevel") made = std::make_shared<ByteLevelDecoder>();
  if (type == "WordPiece") made = std::make_shared<WordPieceDecoder>(json);
  if (type == "Metaspace") made = std::make_shared<MetaspaceDecoder>(read_metaspace(json));
  if (type == "ByteFallback") made = std::make_shared<ByteFallback>();
  if (type == "Fuse") made = std::make_shared<Fuse>();
  if (type == "Strip") made = std::make_shared<StripDecoder>(json);
  if (type == "Replace") made = std::make_shared<ReplaceDecoder>(json);
  if (type == "BPEDecoder") made = std::make_shared<BpeDecoder>(text_of(json, "suffix", "</w>"));
  if (type == "CTC") made = std::make_shared<CtcDecoder>(json);
  if (!made) throw ValueError("the decoder \"" + type + "\" is not known");
  to->push_back(std::move(made));
}

}  // namespace

Decoders read_decoders(const Json& json) {
  Decoders out;
  add(json, &out, 0);
  return out;
}

}  // namespace glia::text
