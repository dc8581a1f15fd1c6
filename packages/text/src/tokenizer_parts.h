// What a Tokenizer is made of.
#pragma once

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "glia/text/tokenizer.h"
#include "normalizers.h"
#include "pre_tokenizers.h"
#include "token_models.h"

namespace glia::text {

// ---- Added tokens -------------------------------------------------------------------------------

// Tokens that are found in texts as they are, the leftmost and of these the longest first.
class AddedTokens {
 public:
  struct One {
    AddedToken token;
    int32_t id;
  };
  void add(AddedToken token, int32_t id);
  // Once, behind the last add().
  void build(const Normalizers& normalizers);
  bool empty() const { return all_.empty(); }
  const std::vector<One>& all() const { return all_; }
  const One* find(int64_t id) const;
  const One* find(const std::string& content) const;
  // Cuts [0, size) of a text into tokens and what is between.
  std::vector<Piece> cut(std::string_view text, bool normalized) const;

 private:
  struct Matcher {
    Trie trie;
    std::array<bool, 256> begins{};
    bool any = false;
  };
  std::vector<One> all_;
  Matcher raw_, normalized_;
};

// ---- Special tokens around a text ---------------------------------------------------------------

class PostProcessor {
 public:
  // Of a post-processor of tokenizer.json, or null. Throws ValueError.
  static PostProcessor read(const nlohmann::json& json);

  struct Item {
    int which = 0;  // 0, 1: that text; -1: a token
    int64_t type_id = 0;
    std::vector<int64_t> ids = {};
  };
  // One of one text, one of two.
  std::vector<Item> single = {{0, 0, {}}}, pair = {{0, 0, {}}, {1, 1, {}}};
  // Offsets do not count white space at their ends, but for the blank that was put in front.
  bool trims = false, trims_prefix = false;

 private:
  void add(const nlohmann::json& json, int depth);
};

// ---- Decoding -----------------------------------------------------------------------------------

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void apply(std::vector<std::string>* tokens) const = 0;
};
using Decoders = std::vector<std::shared_ptr<const Decoder>>;
// Of a decoder of tokenizer.json or null, sequences laid open. Throws ValueError.
Decoders read_decoders(const nlohmann::json& json);

// ---- SentencePiece ------------------------------------------------------------------------------

// A model of SentencePiece, with its own way of normalising, cutting and decoding.
class SentencePiece {
 public:
  struct Settings {
    bool unigram = true, add_dummy_prefix = true, remove_extra_whitespaces = true,
         escape_whitespaces = true, whitespace_as_suffix = false;
    std::string charsmap, unk_surface = " \xE2\x81\x87 ";
  };
  struct PieceOf {
    std::string text;
    double score;
    int64_t type;
  };
  SentencePiece(const std::vector<PieceOf>& pieces, Settings settings);
  // Appends the tokens of a text, and where each comes from.
  void encode(const Aligned& text, std::vector<int32_t>* ids, std::vector<Range>* ranges) const;
  std::string decode(const std::vector<int64_t>& ids, bool skip_special) const;
  const Tokens& tokens() const { return tokens_; }
  bool is_special(int64_t id) const;

 private:
  Aligned normalized(const Aligned& text) const;
  void cut_bpe(std::string_view text, std::vector<Token>* out) const;
  void cut_unigram(std::string_view text, std::vector<Token>* out) const;
  // Bytes of the user's own piece that the text begins with, or 0.
  uint32_t own(std::string_view text, int32_t* id = nullptr) const;

  Settings settings_;
  Tokens tokens_;
  std::vector<PieceOf> pieces_;
  std::vector<uint32_t> ranks_;  // of BPE: by score
  std::optional<CharacterMap> map_;
  Trie trie_, own_;
  int32_t unk_ = -1;
  double least_ = 0;
  std::vector<int32_t> bytes_;  // of single bytes; empty without
  bool any_own_ = false;
};
std::shared_ptr<const SentencePiece> read_sentencepiece(std::string_view bytes);
std::string write_sentencepiece(const std::vector<SentencePiece::PieceOf>& pieces,
                                const SentencePiece::Settings& settings);

// ---- All of it ----------------------------------------------------------------------------------

struct Tokenizer::Parts {
  nlohmann::json settings;  // tokenizer.json without the model
  std::shared_ptr<const TokenModel> model;
  Normalizers normalizers;
  PreTokenizers pre_tokenizers;
  AddedTokens added;
  PostProcessor post;
  Decoders decoders;
  bool has_decoder = false;
  int64_t max_length = 0;                       // of the file; 0: none
  uint64_t serial = 0;                          // for what threads keep of words
  std::shared_ptr<const SentencePiece> pieces;  // in place of all of these
  std::string source;                           // its bytes

  // Of `settings` and the model. Throws ValueError.
  void finish();
  const Tokens& tokens() const { return pieces ? pieces->tokens() : model->tokens(); }
  struct Cut {
    std::vector<int32_t> ids;
    std::vector<Range> ranges;
  };
  // The text's tokens, without special ones around it.
  void cut(const std::string& text, bool ranges, Cut* out) const;
  // As words: pieces of a text.
  Pieces words(const std::string& text) const;
};

}  // namespace glia::text
