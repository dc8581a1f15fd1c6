// Byte-pair encoding (Sennrich et al. 2016), over characters or bytes.
#include <array>
#include <utility>

#include "bytes.h"
#include "json.h"
#include "merger.h"
#include "token_models.h"
#include "unicode.h"

namespace glia::text {
namespace {

using Json = nlohmann::json;

// Ranks of pairs of tokens: open addressing, half full at most.
class PairTable {
 public:
  explicit PairTable(size_t count) {
    size_t size = 16;
    while (size < 2 * count + 1) size *= 2;
    slots_.resize(size);
  }
  // Of a pair that comes twice the last counts.
  void put(int32_t a, int32_t b, uint64_t value) {
    Slot& slot = slots_[place(key(a, b))];
    slot = {key(a, b), value};
  }
  uint64_t find(int32_t a, int32_t b) const {
    const Slot& slot = slots_[place(key(a, b))];
    return slot.key == kFree ? Merger::kNone : slot.value;
  }

 private:
  static constexpr uint64_t kFree = UINT64_MAX;
  struct Slot {
    uint64_t key = kFree, value = 0;
  };
  static uint64_t key(int32_t a, int32_t b) {
    return static_cast<uint64_t>(a) << 32 | static_cast<uint32_t>(b);
  }
  size_t place(uint64_t key) const {
    size_t at = (key * 0x9E3779B97F4A7C15u >> 20) & (slots_.size() - 1);
    while (slots_[at].key != kFree && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  std::vector<Slot> slots_;
};

class Bpe : public TokenModel {
 public:
  Bpe(Tokens tokens, const Merges& merges, const BpeOptions& options, bool bytes)
      : options_(options), bytes_(bytes), pairs_(merges.size()), merges_(merges) {
    tokens_ = std::move(tokens);
    const auto id_of = [&](const std::string& token) {
      const auto id = tokens_.find(token);
      if (!id) throw ValueError("a merge has the token '" + token + "', which is no token");
      return *id;
    };
    const std::string& prefix = options_.continuing_subword_prefix;
    uint64_t rank = 0;
    for (const auto& [a, b] : merges) {
      const std::string rest = b.starts_with(prefix) ? b.substr(prefix.size()) : b;
      const int32_t left = id_of(a), right = id_of(b);
      pairs_.put(left, right, rank++ << 32 | static_cast<uint32_t>(id_of(a + rest)));
    }
    if (!options_.unk_token.empty()) {
      const auto id = tokens_.find(options_.unk_token);
      if (!id) throw ValueError("the token '" + options_.unk_token + "' is not in the vocabulary");
      unk_ = *id;
    }
    single_.fill(-1);
    for (int b = 0; b < 256; ++b)
      if (bytes_) {
        if (const auto id = tokens_.find(byte_character(static_cast<uint8_t>(b))))
          single_[static_cast<size_t>(b)] = *id;
      } else if (b < 128) {
        const char c = static_cast<char>(b);
        if (const auto id = tokens_.find(std::string_view(&c, 1)))
          single_[static_cast<size_t>(b)] = *id;
      }
    for (int b = 0; options_.byte_fallback && b < 256; ++b)
      if (const auto id = tokens_.find(byte_token(static_cast<uint8_t>(b))))
        fallback_[static_cast<size_t>(b)] = *id;
      else
        fallback_[static_cast<size_t>(b)] = -1;
  }

  void encode(std::string_view word, std::vector<Token>* out) const override {
    if (options_.ignore_merges)
      if (const auto id = whole(word)) {
        out->push_back({*id, static_cast<uint32_t>(word.size())});
        return;
      }
    const size_t from = out->size();
    if (bytes_)
      put_bytes(word, out);
    else
      put_characters(word, out);
    Merger::run(out, from, [&](int32_t a, int32_t b) { return pairs_.find(a, b); });
  }
  bool takes_bytes() const override { return bytes_; }
  Json to_json() const override {
    Json merges = Json::array();
    for (const auto& [a, b] : merges_) merges.push_back({a, b});
    const auto text = [](const std::string& s) { return s.empty() ? Json() : Json(s); };
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", text(options_.unk_token)},
            {"continuing_subword_prefix", text(options_.continuing_subword_prefix)},
            {"end_of_word_suffix", text(options_.end_of_word_suffix)},
            {"fuse_unk", options_.fuse_unk},
            {"byte_fallback", options_.byte_fallback},
            {"ignore_merges", options_.ignore_merges},
            {"vocab", tokens_.to_json()},
            {"merges", merges}};
  }

 private:
  std::optional<int32_t> whole(std::string_view word) const {
    if (!bytes_) return tokens_.find(word);
    std::string written;
    for (const char c : word) written += byte_character(static_cast<uint8_t>(c));
    return tokens_.find(written);
  }
  void put_bytes(std::string_view word, std::vector<Token>* out) const {
    const size_t from = out->size();
    uint32_t lost = 0;
    for (const char c : word) {
      const int32_t id = single_[static_cast<uint8_t>(c)];
      if (id >= 0)
        out->push_back({id, 1 + std::exchange(lost, 0)});
      else
        unknown(1, from, &lost, out);
    }
  }
  // Without a token for what is unknown there is none: the one before, or else the next, covers it.
  void unknown(uint32_t bytes, size_t from, uint32_t* lost, std::vector<Token>* out) const {
    const bool first = out->size() == from;
    if (!first && (unk_ < 0 || (options_.fuse_unk && out->back().id == unk_)))
      out->back().bytes += bytes;
    else if (unk_ < 0)
      *lost += bytes;
    else
      out->push_back({unk_, bytes});
  }
  void put_characters(std::string_view word, std::vector<Token>* out) const {
    const std::string &prefix = options_.continuing_subword_prefix,
                      &suffix = options_.end_of_word_suffix;
    const size_t from = out->size();
    uint32_t lost = 0;
    for (size_t at = 0; at < word.size();) {
      const uint32_t bytes = decode_at(word, at).bytes;
      const std::string_view c = word.substr(at, bytes);
      const bool last = at + bytes == word.size();
      std::optional<int32_t> id;
      std::string written;
      if ((at == 0 || prefix.empty()) && (!last || suffix.empty())) {
        if (bytes > 1)
          id = tokens_.find(c);
        else if (const int32_t one = single_[static_cast<uint8_t>(c[0])]; one >= 0)
          id = one;
      } else {
        written = (at > 0 ? prefix : "") + std::string(c) + (last ? suffix : "");
        id = tokens_.find(written);
      }
      at += bytes;
      if (id) {
        out->push_back({*id, bytes + std::exchange(lost, 0)});
        continue;
      }
      if (put_fallback(written.empty() ? c : std::string_view(written), bytes, out)) continue;
      unknown(bytes, from, &lost, out);
    }
  }
  bool put_fallback(std::string_view c, uint32_t bytes, std::vector<Token>* out) const {
    if (!options_.byte_fallback) return false;
    for (const char b : c)
      if (fallback_[static_cast<uint8_t>(b)] < 0) return false;
    for (size_t i = 0; i < c.size(); ++i)
      out->push_back({fallback_[static_cast<uint8_t>(c[i])], i < bytes ? 1u : 0u});
    return true;
  }

  BpeOptions options_;
  bool bytes_;
  PairTable pairs_;
  Merges merges_;
  int32_t unk_ = -1;
  std::array<int32_t, 256> single_;  // of single bytes, or ASCII
  std::array<int32_t, 256> fallback_{};
};

}  // namespace

std::shared_ptr<const TokenModel> make_bpe(Tokens tokens, const Merges& merges,
                                           const BpeOptions& options, bool bytes) {
  return std::make_shared<Bpe>(std::move(tokens), merges, options, bytes);
}

}  // namespace glia::text
