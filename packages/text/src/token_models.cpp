#include "token_models.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "bytes.h"
#include "json.h"
#include "unicode.h"

namespace glia::text {

using Json = nlohmann::json;

// ---- Tokens -------------------------------------------------------------------------------------

void Tokens::add(const std::string& token, int64_t id) {
  if (id < 0 || id >= kMost)
    throw ValueError("the token '" + token + "' has the number " + std::to_string(id) +
                     ", which is not from 0 to " + std::to_string(kMost - 1));
  if (!by_token_.emplace(token, static_cast<int32_t>(id)).second)
    throw ValueError("the token '" + token + "' comes twice");
  if (id >= size()) by_id_.resize(static_cast<size_t>(id) + 1);
  by_id_[static_cast<size_t>(id)] = token;
}

const std::string& Tokens::operator[](int64_t id) const {
  static const std::string none;
  return id < 0 || id >= size() ? none : by_id_[static_cast<size_t>(id)];
}

Tokens Tokens::read(const Json& json) {
  if (!json.is_object()) throw ValueError("\"vocab\" is no object of numbers by token");
  Tokens out;
  for (const auto& [token, id] : json.items()) {
    if (!id.is_number_integer()) throw ValueError("the token '" + token + "' has no number");
    out.add(token, id.get<int64_t>());
  }
  return out;
}

Json Tokens::to_json() const {
  Json out = Json::object();
  for (const auto& [token, id] : by_token_) out[token] = id;
  return out;
}

// ---- Trie ---------------------------------------------------------------------------------------

void Trie::add(std::string_view key, int32_t value) {
  if (!key.empty()) keys_.emplace_back(key, value);
}

void Trie::build() {
  std::ranges::stable_sort(keys_, {}, &std::pair<std::string, int32_t>::first);
  struct Task {
    uint32_t node;
    size_t begin, end, depth;  // the keys below it, which agree in so many bytes
  };
  nodes_.assign(1, {});
  std::vector<Task> open{{0, 0, keys_.size(), 0}};
  while (!open.empty()) {
    const auto [node, begin, end, depth] = open.back();
    open.pop_back();
    size_t at = begin;
    while (at < end && keys_[at].first.size() == depth) nodes_[node].value = keys_[at++].second;
    const bool root = depth == 0;
    const auto first = static_cast<uint32_t>(labels_.size());
    if (root) {
      labels_.resize(256);
      targets_.assign(256, -1);
    }
    uint16_t count = 0;
    while (at < end) {
      const auto byte = static_cast<uint8_t>(keys_[at].first[depth]);
      size_t next = at;
      while (next < end && static_cast<uint8_t>(keys_[next].first[depth]) == byte) ++next;
      const auto made = static_cast<uint32_t>(nodes_.size());
      nodes_.emplace_back();
      if (root) {
        targets_[byte] = static_cast<int32_t>(made);
      } else {
        labels_.push_back(byte);
        targets_.push_back(static_cast<int32_t>(made));
        ++count;
      }
      open.push_back({made, at, next, depth + 1});
      at = next;
    }
    nodes_[node].first = first;
    nodes_[node].count = root ? 256 : count;
  }
  keys_ = {};
}

std::string byte_token(uint8_t byte) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + ">";
}

namespace {

int32_t required(const Tokens& tokens, const std::string& token) {
  const auto id = tokens.find(token);
  if (!id) throw ValueError("the token '" + token + "' is not in the vocabulary");
  return *id;
}

// The 256 tokens of single bytes, if they are all there.
std::optional<std::vector<int32_t>> byte_tokens(const Tokens& tokens) {
  std::vector<int32_t> out;
  for (int b = 0; b < 256; ++b) {
    const auto id = tokens.find(byte_token(static_cast<uint8_t>(b)));
    if (!id) return {};
    out.push_back(*id);
  }
  return out;
}

// ---- Words, WordPiece ---------------------------------------------------------------------------

class WordLevel : public TokenModel {
 public:
  WordLevel(Tokens tokens, const std::string& unk_token)
      : unk_token_(unk_token), unk_(tokens.find(unk_token)) {
    tokens_ = std::move(tokens);
  }
  void encode(std::string_view word, std::vector<Token>* out) const override {
    const auto id = tokens_.find(word);
    if (!id && !unk_)
      throw ValueError("the word '" + std::string(word) + "' is not in the vocabulary, nor is '" +
                       unk_token_ + "' for what is unknown");
    out->push_back({id ? *id : *unk_, static_cast<uint32_t>(word.size())});
  }
  Json to_json() const override {
    return {{"type", "WordLevel"}, {"vocab", tokens_.to_json()}, {"unk_token", unk_token_}};
  }

 private:
  std::string unk_token_;
  std::optional<int32_t> unk_;
};

// The longest token first, each time (Devlin et al. 2019).
class WordPiece : public TokenModel {
 public:
  WordPiece(Tokens tokens, const std::string& unk_token, const std::string& prefix, int64_t most)
      : unk_token_(unk_token), prefix_(prefix), most_(most), unk_(required(tokens, unk_token)) {
    tokens_ = std::move(tokens);
    for (int32_t id = 0; id < tokens_.size(); ++id) {
      const std::string& token = tokens_[id];
      first_.add(token, id);
      if (token.starts_with(prefix_)) next_.add(std::string_view(token).substr(prefix_.size()), id);
    }
    first_.build();
    next_.build();
  }
  void encode(std::string_view word, std::vector<Token>* out) const override {
    const size_t before = out->size();
    int64_t characters = 0;
    for (const char c : word) characters += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
    bool known = characters <= most_;
    for (size_t at = 0; known && at < word.size();) {
      Token best{-1, 0};
      (at == 0 ? first_ : next_).prefixes(word.substr(at), [&](uint32_t bytes, int32_t id) {
        best = {id, bytes};
      });
      known = best.id >= 0;
      at += best.bytes;
      out->push_back(best);
    }
    if (known) return;
    out->resize(before);
    out->push_back({unk_, static_cast<uint32_t>(word.size())});
  }
  Json to_json() const override {
    return {{"type", "WordPiece"},
            {"unk_token", unk_token_},
            {"continuing_subword_prefix", prefix_},
            {"max_input_chars_per_word", most_},
            {"vocab", tokens_.to_json()}};
  }

 private:
  std::string unk_token_, prefix_;
  int64_t most_;
  int32_t unk_;
  Trie first_, next_;
};

// ---- Unigram ------------------------------------------------------------------------------------

// The likeliest cut of a word into pieces (Kudo 2018).
class Unigram : public TokenModel {
 public:
  Unigram(const std::vector<Scored>& pieces, std::optional<int64_t> unk_id, bool byte_fallback)
      : byte_fallback_(byte_fallback) {
    if (unk_id && (*unk_id < 0 || *unk_id >= static_cast<int64_t>(pieces.size())))
      throw ValueError("\"unk_id\" is no piece's number");
    if (unk_id) unk_ = static_cast<int32_t>(*unk_id);
    double least = std::numeric_limits<double>::infinity();
    for (size_t id = 0; id < pieces.size(); ++id) {
      if (!std::isfinite(pieces[id].score))
        throw ValueError("the score of '" + pieces[id].token + "' is no number");
      tokens_.add(pieces[id].token, static_cast<int64_t>(id));
      trie_.add(pieces[id].token, static_cast<int32_t>(id));
      scores_.push_back(pieces[id].score);
      least = std::min(least, pieces[id].score);
    }
    trie_.build();
    unknown_score_ = least - 10;
    if (byte_fallback_) bytes_ = byte_tokens(tokens_);
  }

  void encode(std::string_view word, std::vector<Token>* out) const override {
    struct Best {
      double score = 0;
      int32_t id = -1;
      uint32_t begin = UINT32_MAX;
    };
    thread_local std::vector<Best> best;
    best.assign(word.size() + 1, {});
    const auto offer = [&](size_t begin, size_t end, double score, int32_t id) {
      Best& at = best[end];
      const double sum = score + best[begin].score;
      if (at.begin == UINT32_MAX || sum > at.score) at = {sum, id, static_cast<uint32_t>(begin)};
    };
    for (size_t at = 0; at < word.size();) {
      const uint32_t bytes = decode_at(word, at).bytes;
      bool single = false;
      trie_.prefixes(word.substr(at), [&](uint32_t size, int32_t id) {
        offer(at, at + size, scores_[static_cast<size_t>(id)], id);
        single |= size == bytes;
      });
      if (!single) {
        if (unk_ < 0)
          throw ValueError("'" + std::string(word.substr(at, bytes)) +
                           "' is in no piece, and there is no \"unk_id\"");
        offer(at, at + bytes, unknown_score_, unk_);
      }
      at += bytes;
    }
    const size_t from = out->size();
    for (size_t end = word.size(); end > 0; end = best[end].begin) {
      const uint32_t size = static_cast<uint32_t>(end) - best[end].begin;
      if (best[end].id == unk_ && out->size() > from && out->back().id == unk_)
        out->back().bytes += size;  // what is unknown is one token
      else
        out->push_back({best[end].id, size});
    }
    std::reverse(out->begin() + static_cast<std::ptrdiff_t>(from), out->end());
    resolve(word, from, out);
  }
  Json to_json() const override {
    Json vocab = Json::array();
    for (int32_t id = 0; id < tokens_.size(); ++id)
      vocab.push_back({tokens_[id], scores_[static_cast<size_t>(id)]});
    return {{"type", "Unigram"},
            {"unk_id", unk_ < 0 ? Json() : Json(unk_)},
            {"vocab", vocab},
            {"byte_fallback", byte_fallback_}};
  }

 private:
  // Unknown texts that are a piece after all, or become bytes.
  void resolve(std::string_view word, size_t from, std::vector<Token>* out) const {
    if (unk_ < 0) return;
    std::vector<Token> made;
    size_t at = 0;
    for (size_t i = from; i < out->size(); ++i) {
      const Token token = (*out)[i];
      const std::string_view text = word.substr(at, token.bytes);
      at += token.bytes;
      if (token.id != unk_) {
        made.push_back(token);
      } else if (const auto id = tokens_.find(text)) {
        made.push_back({*id, token.bytes});
      } else if (bytes_) {
        for (const char c : text) made.push_back({(*bytes_)[static_cast<uint8_t>(c)], 1});
      } else {
        made.push_back(token);
      }
    }
    out->resize(from);
    out->insert(out->end(), made.begin(), made.end());
  }
  std::vector<double> scores_;
  Trie trie_;
  int32_t unk_ = -1;
  bool byte_fallback_;
  double unknown_score_ = 0;
  std::optional<std::vector<int32_t>> bytes_;
};

}  // namespace

std::shared_ptr<const TokenModel> make_word_level(Tokens tokens, const std::string& unk_token) {
  return std::make_shared<WordLevel>(std::move(tokens), unk_token);
}
std::shared_ptr<const TokenModel> make_word_piece(Tokens tokens, const std::string& unk_token,
                                                  const std::string& prefix, int64_t most) {
  return std::make_shared<WordPiece>(std::move(tokens), unk_token, prefix, most);
}
std::shared_ptr<const TokenModel> make_unigram(const std::vector<Scored>& pieces,
                                               std::optional<int64_t> unk_id, bool byte_fallback) {
  return std::make_shared<Unigram>(pieces, unk_id, byte_fallback);
}

std::shared_ptr<const TokenModel> read_token_model(const Json& json, bool bytes) {
  // Files from before models had a type are told by what they have.
  const std::string type =
      text_of(json, "type",
              json.is_object() && json.contains("merges")                      ? "BPE"
              : json.is_object() && json.contains("unk_id")                    ? "Unigram"
              : json.is_object() && json.contains("continuing_subword_prefix") ? "WordPiece"
                                                                               : "WordLevel");
  const Json& vocab = member(json, "vocab");
  if (type == "WordLevel")
    return make_word_level(Tokens::read(vocab), text_of(json, "unk_token", "<unk>"));
  if (type == "WordPiece")
    return make_word_piece(Tokens::read(vocab), text_of(json, "unk_token", "[UNK]"),
                           text_of(json, "continuing_subword_prefix", "##"),
                           integer_of(json, "max_input_chars_per_word", 100));
  if (type == "Unigram") {
    if (!vocab.is_array()) throw ValueError("\"vocab\" is no list of pieces and scores");
    std::vector<Scored> pieces;
    for (const Json& one : vocab) {
      if (!one.is_array() || one.size() != 2)
        throw ValueError("\"vocab\" is no list of pieces and scores");
      pieces.push_back({as_text(one[0], "vocab"), number_of(one[1], "vocab")});
    }
    const int64_t unk = integer_of(json, "unk_id", -1);
    return make_unigram(pieces, unk < 0 ? std::nullopt : std::optional(unk),
                        flag_of(json, "byte_fallback", false));
  }
  if (type != "BPE") throw ValueError("the model \"" + type + "\" is not known");
  if (const Json& dropout = member_or_null(json, "dropout");
      !dropout.is_null() && number_of(dropout, "dropout") != 0)
    throw ValueError("a model with dropout encodes differently each time; set \"dropout\" to null");
  Merges merges;
  for (const Json& one : member(json, "merges")) {
    if (one.is_string()) {
      const auto text = one.get<std::string>();
      const size_t blank = text.find(' ', 1);
      if (blank == std::string::npos) throw ValueError("the merge '" + text + "' is no pair");
      merges.emplace_back(text.substr(0, blank), text.substr(blank + 1));
    } else if (one.is_array() && one.size() == 2) {
      merges.emplace_back(as_text(one[0], "merges"), as_text(one[1], "merges"));
    } else {
      throw ValueError("\"merges\" has what is no pair");
    }
  }
  return make_bpe(Tokens::read(vocab), merges,
                  {.unk_token = text_of(json, "unk_token", ""),
                   .continuing_subword_prefix = text_of(json, "continuing_subword_prefix", ""),
                   .end_of_word_suffix = text_of(json, "end_of_word_suffix", ""),
                   .fuse_unk = flag_of(json, "fuse_unk", false),
                   .byte_fallback = flag_of(json, "byte_fallback", false),
                   .ignore_merges = flag_of(json, "ignore_merges", false)},
                  bytes);
}

}  // namespace glia::text
