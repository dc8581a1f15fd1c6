// What cuts a word into tokens: byte-pair encoding, WordPiece, unigram and whole words.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace glia::text {

// Tokens by number; there may be gaps.
class Tokens {
 public:
  static constexpr int64_t kMost = int64_t{1} << 24;
  Tokens() = default;
  // Throws ValueError for a number out of range and for a token that has another number already.
  void add(const std::string& token, int64_t id);
  int32_t size() const { return static_cast<int32_t>(by_id_.size()); }  // the highest, and one
  int32_t count() const { return static_cast<int32_t>(by_token_.size()); }
  std::optional<int32_t> find(std::string_view token) const {
    const auto at = by_token_.find(token);
    return at == by_token_.end() ? std::nullopt : std::optional(at->second);
  }
  // Empty for what is none.
  const std::string& operator[](int64_t id) const;
  // An object of numbers by token.
  static Tokens read(const nlohmann::json& json);
  nlohmann::json to_json() const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>()(s); }
  };
  std::vector<std::string> by_id_;
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> by_token_;
};

// A token, and how many of the word's bytes it covers.
struct Token {
  int32_t id;
  uint32_t bytes;
};

class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the tokens of a word, which is not empty, valid UTF-8 unless the model takes bytes, and
  // covered from its beginning to its end.
  virtual void encode(std::string_view word, std::vector<Token>* out) const = 0;
  virtual bool takes_bytes() const { return false; }
  virtual nlohmann::json to_json() const = 0;
  // Whether the tokens of a word are always those tokens, so that they may be kept.
  virtual bool is_pure() const { return true; }
  const Tokens& tokens() const { return tokens_; }

 protected:
  Tokens tokens_;
};

// Tokens by what they begin with: a trie over bytes.
class Trie {
 public:
  void add(std::string_view key, int32_t value);
  // Once, behind the last add().
  void build();
  // Calls visit(bytes, value) for each key that `text` begins with, shortest first.
  template <class F>
  void prefixes(std::string_view text, F&& visit) const {
    uint32_t node = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      const int32_t next = child(node, static_cast<uint8_t>(text[i]));
      if (next < 0) return;
      node = static_cast<uint32_t>(next);
      if (nodes_[node].value >= 0) visit(static_cast<uint32_t>(i + 1), nodes_[node].value);
    }
  }

 private:
  struct Node {
    uint32_t first = 0;
    uint16_t count = 0;
    int32_t value = -1;
  };
  int32_t child(uint32_t node, uint8_t byte) const {
    const Node& n = nodes_[node];
    if (n.count == 256) return targets_[n.first + byte];  // the root
    for (uint32_t i = n.first; i < n.first + n.count; ++i)
      if (labels_[i] == byte) return targets_[i];
    return -1;
  }
  std::vector<std::pair<std::string, int32_t>> keys_;
  std::vector<Node> nodes_;
  std::vector<uint8_t> labels_;
  std::vector<int32_t> targets_;
};

// Joins neighbours until none may be joined: the pair of the lowest rank first, of equal ones the
// leftmost. `rank(i, j)` of parts i and j that stand side by side: rank << 32 | number of the
// joined token, or kNone.
class Merger {
 public:
  static constexpr uint64_t kNone = UINT64_MAX;
  template <class Rank>
  static void run(std::vector<Token>* tokens, size_t from, Rank&& rank);
};

struct BpeOptions {
  std::string unk_token, continuing_subword_prefix, end_of_word_suffix;
  bool fuse_unk = false, byte_fallback = false, ignore_merges = false;
};
using Merges = std::vector<std::pair<std::string, std::string>>;
// `bytes`: the words are bytes, and the tokens are written as byte_characters().
std::shared_ptr<const TokenModel> make_bpe(Tokens tokens, const Merges& merges,
                                           const BpeOptions& options, bool bytes);
std::shared_ptr<const TokenModel> make_word_piece(Tokens tokens, const std::string& unk_token,
                                                  const std::string& prefix, int64_t most);
std::shared_ptr<const TokenModel> make_word_level(Tokens tokens, const std::string& unk_token);
struct Scored {
  std::string token;
  double score;
};
std::shared_ptr<const TokenModel> make_unigram(const std::vector<Scored>& pieces,
                                               std::optional<int64_t> unk_id, bool byte_fallback);
// Of the "model" of tokenizer.json. `bytes`: a ByteLevel pre-tokenizer comes before it. Throws
// ValueError.
std::shared_ptr<const TokenModel> read_token_model(const nlohmann::json& json, bool bytes);

// "<0x0A>"
std::string byte_token(uint8_t byte);

}  // namespace glia::text
