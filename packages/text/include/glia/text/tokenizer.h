// Tokenisers: texts as the numbers that a language model was trained on.
//
//   const auto gpt2 = text::Tokenizer::from_files("vocab.json", "merges.txt");
//   gpt2.encode("Hello world").ids;  // 15496, 995
//
// They are read from Hugging Face's tokenizer.json, GPT-2's and BERT's files or SentencePiece's
// models, or trained (train_tokenizer), and give the numbers that the library of the file gives.
// Texts are UTF-8; what is none is read as U+FFFD, one for each part that Python's "replace" makes
// one. Copies share what was read, and all may be used by several threads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::text {

// Of each token: its number, the bytes [begin, end) of the text that it comes from, as whole
// characters, which text of a pair that is (0, 1), and whether it was added around the text.
struct Encoding {
  std::vector<int64_t> ids;
  std::vector<int64_t> begins, ends;
  std::vector<int64_t> type_ids;
  std::vector<bool> special;
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
};

struct EncodeOptions {
  bool add_special_tokens = true;  // such as [CLS] and [SEP], where the tokeniser has some
  // At most so many tokens, the special ones among them: of a pair the longer text loses first. 0:
  // what the file says, or all. Below 0: all.
  int64_t max_length = 0;
};

// A token beside those of the model, as tokenizer.json has it.
struct AddedToken {
  std::string content;
  bool single_word = false;             // not within a word
  bool lstrip = false, rstrip = false;  // with the white space to its left, to its right
  bool normalized = false;              // looked for in the normalised text
  bool special = true;                  // left out when decoding
};

class Tokenizer {
 public:
  // None: every use throws Error.
  Tokenizer() = default;

  // A tokenizer.json, or a model of SentencePiece; also gzipped. Throws IoError, "FILE: fault".
  static Tokenizer from_file(const std::string& path);
  // GPT-2's vocab.json (or encoder.json) and merges.txt (or vocab.bpe), also gzipped; the token
  // <|endoftext|>, if it is there, is special.
  static Tokenizer from_files(const std::string& vocabulary, const std::string& merges);
  // BERT's vocab.txt, a token in each line, with [UNK], [CLS] and [SEP] among them.
  static Tokenizer from_vocabulary(const std::string& path, bool lowercase = true);
  // The text of a tokenizer.json. Throws ValueError.
  static Tokenizer from_json(const std::string& json);
  // The bytes of a model of SentencePiece (BPE, unigram, word or char), which encodes and decodes
  // as SentencePiece does: without special tokens. Throws ValueError.
  static Tokenizer from_sentencepiece(const std::string& bytes);
  // Byte-level BPE of tokens by number, as GGUF files have them, and merges "a b" by rank.
  // `pre_tokenizer` is GGUF's name of the expression that cuts words: "gpt-2", "smollm",
  // "llama-bpe" or "qwen2". Tokens of `special` are found in texts as they are.
  static Tokenizer from_bpe(const std::vector<std::string>& tokens,
                            const std::vector<std::string>& merges,
                            const std::string& pre_tokenizer = "gpt-2",
                            const std::vector<std::string>& special = {});
  // BERT's tokens by number.
  static Tokenizer from_wordpiece(const std::vector<std::string>& tokens, bool lowercase = true);
  // SentencePiece's from parts, as GGUF files of type "llama" have them: scores by number, and
  // types as in SentencePiece (1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte).
  static Tokenizer from_pieces(const std::vector<std::string>& pieces,
                               const std::vector<double>& scores, const std::vector<int64_t>& types,
                               bool unigram = false, bool add_dummy_prefix = true,
                               bool remove_extra_whitespaces = false);

  // As tokenizer.json; the bytes of SentencePiece's model where it was one.
  std::string to_json() const;
  void save(const std::string& path) const;

  Encoding encode(const std::string& text, const EncodeOptions& options = {}) const;
  Encoding encode_pair(const std::string& first, const std::string& second,
                       const EncodeOptions& options = {}) const;
  // Of each text, by as many threads as there are.
  std::vector<Encoding> encode_batch(const std::vector<std::string>& texts,
                                     const EncodeOptions& options = {}) const;
  // Only the numbers, which is faster.
  std::vector<int64_t> ids(const std::string& text, bool add_special_tokens = true) const;
  // What the numbers say; those of no token give nothing.
  std::string decode(const std::vector<int64_t>& ids, bool skip_special_tokens = true) const;

  // How many numbers there are: the highest, and one.
  int64_t size() const;
  // As the vocabulary writes it; empty for a number that is no token's.
  std::string token(int64_t id) const;
  std::vector<std::string> tokens(const std::vector<int64_t>& ids) const;
  std::optional<int64_t> id(const std::string& token) const;
  bool is_special(int64_t id) const;
  // With further tokens, each found in texts as it is; new ones get numbers from size() on.
  Tokenizer with_tokens(const std::vector<AddedToken>& tokens) const;
  // Words as the models get them, before they are cut into tokens, and where they were.
  std::vector<std::pair<std::string, std::pair<int64_t, int64_t>>> words(
      const std::string& text) const;

  struct Parts;  // private: packages/text/src/tokenizer_parts.h
  // Private to the library: made of its parts.
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

 private:
  const Parts& parts() const;
  std::shared_ptr<const Parts> parts_;
};

// Encodings side by side, filled up to the longest: numbers (N, L) i64, with `pad` behind each, the
// text of a pair (N, L) i64, and where there is a token (N, L) bool.
struct PaddedEncodings {
  Tensor ids, type_ids, mask;
};
PaddedEncodings padded(const std::vector<Encoding>& encodings, int64_t pad = 0);

// ---- Training -----------------------------------------------------------------------------------

struct TokenizerTraining {
  int64_t vocab_size = 30000;  // at most, the special tokens among them
  int64_t min_frequency = 0;   // of pairs that are joined, and of words
  // They get the first numbers. "words" and "characters" take the first for what is unknown, and
  // "wordpiece" needs [UNK].
  std::vector<std::string> special_tokens = {};
  int64_t limit_alphabet = 0;  // only so many characters, the most frequent; 0: all
  bool lowercase = false;
  int64_t max_token_length = 0;  // characters of a joined token; 0: any
};
// A tokeniser of `kind` for texts: "bpe" (words apart at white space and punctuation, </w> ends
// them), "byte-bpe" (as GPT-2's: every text has tokens), "wordpiece" (as BERT's), "words" or
// "characters". BPE as Sennrich et al. 2016: the most frequent pair first, of equals that of the
// lowest numbers. Throws ValueError.
Tokenizer train_tokenizer(const std::string& kind, const std::vector<std::string>& texts,
                          const TokenizerTraining& options = {});

}  // namespace glia::text
