// Tokenisers made from texts.
#include <algorithm>
#include <map>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "bytes.h"
#include "glia/error.h"
#include "json.h"
#include "tokenizer_parts.h"
#include "unicode.h"

namespace glia::text {
namespace {

using Json = nlohmann::json;
using Counts = std::map<std::string, int64_t>;

// ---- The pairs that are joined ------------------------------------------------------------------

struct Trained {
  std::vector<std::string> tokens;
  Merges merges;
};

struct PairTraining {
  std::string prefix, suffix;  // of what continues a word, and of what ends it
  std::vector<std::string> alphabet = {};
  TokenizerTraining options;
};

class PairTrainer {
 public:
  PairTrainer(const Counts& words, const PairTraining& how) : how_(how) {
    for (const std::string& token : how.options.special_tokens) id_of(token);
    const auto size = static_cast<int64_t>(out_.tokens.size());
    if (size > how.options.vocab_size)
      throw ValueError("train_tokenizer: " + std::to_string(size) +
                       " special tokens for a vocab_size of " +
                       std::to_string(how.options.vocab_size));
    take_alphabet(words);
    cut_words(words);
    join();
  }
  Trained take() { return std::move(out_); }

 private:
  using Pair = std::pair<int32_t, int32_t>;
  struct PairHash {
    size_t operator()(const Pair& p) const {
      return (static_cast<uint64_t>(p.first) << 32 | static_cast<uint32_t>(p.second)) *
                 0x9E3779B97F4A7C15u >>
             17;
    }
  };
  struct Part {
    int32_t id;
    int32_t length;  // in characters
  };
  struct Word {
    std::vector<Part> parts;
    int64_t count;
  };
  // A pair in the words in which it was seen at one time.
  struct Entry {
    int64_t count;
    Pair pair;
    std::vector<int32_t> words;
    bool operator<(const Entry& o) const {
      return count != o.count ? count < o.count : pair > o.pair;
    }
  };

  int32_t id_of(const std::string& token) {
    const auto [at, is_new] = ids_.emplace(token, static_cast<int32_t>(out_.tokens.size()));
    if (is_new) out_.tokens.push_back(token);
    return at->second;
  }

  void take_alphabet(const Counts& words) {
    std::map<std::string, int64_t> seen;
    for (const auto& [word, count] : words)
      for (size_t at = 0; at < word.size(); at += decode_at(word, at).bytes)
        seen[word.substr(at, decode_at(word, at).bytes)] += count;
    for (const std::string& c : how_.alphabet) seen[c] = INT64_MAX;
    // UTF-8 sorts as its characters do.
    std::vector<std::pair<std::string, int64_t>> kept(seen.begin(), seen.end());
    const auto limit = static_cast<size_t>(how_.options.limit_alphabet);
    if (limit > 0 && kept.size() > limit) {
      std::ranges::stable_sort(kept, std::greater<>(), &std::pair<std::string, int64_t>::second);
      kept.resize(limit);
      std::ranges::sort(kept);
    }
    for (const auto& [c, count] : kept) {
      id_of(c);
      characters_.insert(c);
    }
  }

  void cut_words(const Counts& words) {
    for (const auto& [word, count] : words) {
      Word made{{}, count};
      for (size_t at = 0; at < word.size();) {
        const uint32_t bytes = decode_at(word, at).bytes;
        std::string c = word.substr(at, bytes);
        if (characters_.contains(c)) {
          if (at > 0) c = how_.prefix + c;
          if (at + bytes == word.size()) c += how_.suffix;
          made.parts.push_back({id_of(c), 1});
        }
        at += bytes;
      }
      words_.push_back(std::move(made));
    }
  }

  void push_all() {
    for (auto& [pair, words] : new_) {
      const int64_t count = counts_[pair];
      std::ranges::sort(words);
      words.erase(std::unique(words.begin(), words.end()), words.end());
      if (count > 0) queue_.push({count, pair, std::move(words)});
    }
    new_.clear();
  }

  void join() {
    for (size_t w = 0; w < words_.size(); ++w)
      for (size_t i = 0; i + 1 < words_[w].parts.size(); ++i) {
        const Pair pair{words_[w].parts[i].id, words_[w].parts[i + 1].id};
        counts_[pair] += words_[w].count;
        new_[pair].push_back(static_cast<int32_t>(w));
      }
    push_all();
    while (static_cast<int64_t>(out_.tokens.size()) < how_.options.vocab_size && !queue_.empty()) {
      Entry top = queue_.top();
      queue_.pop();
      if (top.count != counts_[top.pair]) {
        top.count = counts_[top.pair];
        queue_.push(std::move(top));
        continue;
      }
      if (top.count < 1 || top.count < how_.options.min_frequency) break;
      const std::string left = out_.tokens[static_cast<size_t>(top.pair.first)],
                        right = out_.tokens[static_cast<size_t>(top.pair.second)];
      const bool continues = !how_.prefix.empty() && right.starts_with(how_.prefix);
      const int32_t made = id_of(left + (continues ? right.substr(how_.prefix.size()) : right));
      out_.merges.emplace_back(left, right);
      for (const int32_t w : top.words) join_in(w, top.pair, made);
      push_all();
    }
  }

  void join_in(int32_t w, Pair pair, int32_t made) {
    Word& word = words_[static_cast<size_t>(w)];
    std::vector<Part>& parts = word.parts;
    const int64_t most = how_.options.max_token_length;
    const auto change = [&](int32_t a, int32_t b, int64_t length, bool gained) {
      if (gained && most > 0 && length > most) return;
      counts_[{a, b}] += gained ? word.count : -word.count;
      if (gained) new_[{a, b}].push_back(w);
    };
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      if (parts[i].id != pair.first || parts[i + 1].id != pair.second) continue;
      const Part joined{made, parts[i].length + parts[i + 1].length};
      if (i > 0) {
        change(parts[i - 1].id, pair.first, 0, false);
        change(parts[i - 1].id, made, parts[i - 1].length + joined.length, true);
      }
      parts[i] = joined;
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      if (i + 1 < parts.size()) {
        change(pair.second, parts[i + 1].id, 0, false);
        change(made, parts[i + 1].id, parts[i + 1].length + joined.length, true);
      }
    }
  }

  const PairTraining& how_;
  Trained out_;
  std::unordered_map<std::string, int32_t> ids_;
  std::unordered_set<std::string> characters_;
  std::vector<Word> words_;
  std::unordered_map<Pair, int64_t, PairHash> counts_;
  std::unordered_map<Pair, std::vector<int32_t>, PairHash> new_;
  std::priority_queue<Entry> queue_;
};

// ---- Kinds --------------------------------------------------------------------------------------

Json settings_of(const std::string& kind, bool lowercase) {
  Json out;
  out["normalizer"] = lowercase ? Json{{"type", "Lowercase"}} : Json();
  if (kind == "byte-bpe") {
    out["pre_tokenizer"] = {{"type", "ByteLevel"},
                            {"add_prefix_space", false},
                            {"trim_offsets", false},
                            {"use_regex", true}};
    out["decoder"] = out["pre_tokenizer"];
  } else if (kind == "bpe") {
    out["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
    out["decoder"] = {{"type", "BPEDecoder"}, {"suffix", "</w>"}};
  } else if (kind == "wordpiece") {
    out["normalizer"] = {{"type", "BertNormalizer"},
                         {"clean_text", true},
                         {"handle_chinese_chars", true},
                         {"strip_accents", nullptr},
                         {"lowercase", lowercase}};
    out["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
    out["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  } else if (kind == "words") {
    out["pre_tokenizer"] = {{"type", "Whitespace"}};
  } else if (kind == "characters") {
    out["pre_tokenizer"] = {{"type", "FixedLength"}, {"length", 1}};
    out["decoder"] = {{"type", "Fuse"}};
  } else {
    throw ValueError("train_tokenizer: '" + kind +
                     "' is no kind (known: bpe, byte-bpe, wordpiece, words, characters)");
  }
  return out;
}

// The most frequent words, of equals the first in order.
std::vector<std::string> most_frequent(const Counts& words, const TokenizerTraining& options) {
  std::vector<std::pair<std::string, int64_t>> all(words.begin(), words.end());
  std::ranges::stable_sort(all, std::greater<>(), &std::pair<std::string, int64_t>::second);
  std::vector<std::string> out = options.special_tokens;
  for (const auto& [word, count] : all) {
    if (static_cast<int64_t>(out.size()) >= options.vocab_size || count < options.min_frequency)
      break;
    if (std::ranges::find(options.special_tokens, word) == options.special_tokens.end())
      out.push_back(word);
  }
  return out;
}

}  // namespace

Tokenizer train_tokenizer(const std::string& kind, const std::vector<std::string>& texts,
                          const TokenizerTraining& options) {
  PairTraining how{.prefix = kind == "wordpiece" ? "##" : "",
                   .suffix = kind == "bpe" ? "</w>" : "",
                   .options = options};
  Json settings = settings_of(kind, options.lowercase);
  if (options.vocab_size < 1 || options.vocab_size > Tokens::kMost)
    throw ValueError("train_tokenizer: a vocab_size of " + std::to_string(options.vocab_size));
  if (options.limit_alphabet < 0 || options.max_token_length < 0)
    throw ValueError("train_tokenizer: limit_alphabet or max_token_length is below 0");
  std::vector<std::string>& special = how.options.special_tokens;
  if (special.empty() && kind == "wordpiece")
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  else if (special.empty() && kind != "byte-bpe")
    special = {"<unk>"};
  const auto number_of = [&](const std::string& token) {
    const auto at = std::ranges::find(special, token);
    if (at == special.end())
      throw ValueError("train_tokenizer: " + token + " is not among the special tokens");
    return at - special.begin();
  };

  // A tokeniser without tokens says what the words are.
  Tokenizer::Parts cutter;
  cutter.settings = settings;
  cutter.model = make_word_level({}, "");
  cutter.finish();
  Counts words;
  for (const std::string& text : texts) {
    const Pieces pieces = cutter.words(text);
    for (const Piece& piece : pieces.all)
      ++words[pieces.text.bytes.substr(piece.begin, piece.end - piece.begin)];
  }

  auto made = std::make_shared<Tokenizer::Parts>();
  Trained trained;
  if (kind == "words" || kind == "characters") {
    trained.tokens = most_frequent(words, how.options);
  } else {
    if (kind == "byte-bpe") {
      const auto& all = byte_characters();
      how.alphabet.assign(all.begin(), all.end());
    }
    trained = PairTrainer(words, how).take();
  }
  Tokens tokens;
  for (size_t i = 0; i < trained.tokens.size(); ++i)
    tokens.add(trained.tokens[i], static_cast<int64_t>(i));
  if (kind == "wordpiece") {
    settings["post_processor"] = {{"type", "BertProcessing"},
                                  {"sep", {"[SEP]", number_of("[SEP]")}},
                                  {"cls", {"[CLS]", number_of("[CLS]")}}};
    made->model = make_word_piece(std::move(tokens), "[UNK]", "##", 100);
  } else if (kind == "words" || kind == "characters") {
    made->model = make_word_level(std::move(tokens), special[0]);
  } else {
    made->model = make_bpe(std::move(tokens), trained.merges,
                           {.unk_token = kind == "bpe" ? special[0] : "",
                            .continuing_subword_prefix = "",
                            .end_of_word_suffix = how.suffix},
                           kind == "byte-bpe");
  }
  settings["added_tokens"] = Json::array();
  for (size_t i = 0; i < special.size(); ++i)
    settings["added_tokens"].push_back({{"id", i},
                                        {"content", special[i]},
                                        {"single_word", false},
                                        {"lstrip", false},
                                        {"rstrip", false},
                                        {"normalized", false},
                                        {"special", true}});
  made->settings = std::move(settings);
  made->finish();
  return Tokenizer(made);
}

}  // namespace glia::text
