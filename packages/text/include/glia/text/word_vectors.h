// Words as vectors: word2vec, GloVe and fastText, trained, read, written and compared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "glia/tensor.h"

namespace glia::text {

struct Neighbour {
  std::string word;
  double score = 0;  // the cosine of the angle
};

// Rows of a matrix f32 (N, D) by word, the most frequent first.
class WordVectors {
 public:
  WordVectors() = default;
  // Of a word that comes twice the first row counts, as gensim has it. Throws ShapeError.
  WordVectors(std::vector<std::string> words, const Tensor& vectors);
  // A file of word2vec, text or binary, or of GloVe (text without a first line); plain or gzipped.
  // At most `limit` words; 0: all. Throws IoError.
  static WordVectors load(const std::string& path, int64_t limit = 0);
  void save(const std::string& path, bool binary = false) const;

  int64_t size() const { return static_cast<int64_t>(words_.size()); }
  int64_t dimension() const { return dimension_; }
  const std::vector<std::string>& words() const { return words_; }
  Tensor vectors() const;
  std::optional<int64_t> number(const std::string& word) const;
  bool has(const std::string& word) const { return number(word).has_value(); }
  // (D). Throws ValueError for a word that is not there, as all below.
  Tensor vector(const std::string& word) const;

  double similarity(const std::string& a, const std::string& b) const;
  // The words nearest to the mean of unit vectors, of which some count negatively, without those
  // themselves: most_similar({"king", "woman"}, {"man"}) (Mikolov et al. 2013).
  std::vector<Neighbour> most_similar(const std::vector<std::string>& positive,
                                      const std::vector<std::string>& negative = {},
                                      int64_t count = 10) const;
  std::vector<Neighbour> nearest(const Tensor& vector, int64_t count = 10) const;
  // The one that fits the others least.
  std::string doesnt_match(const std::vector<std::string>& words) const;

 private:
  const float* row(const std::string& word, const char* what) const;
  std::vector<Neighbour> ranked(const std::vector<double>& query, int64_t count,
                                const std::vector<int64_t>& without) const;
  std::vector<std::string> words_;
  std::unordered_map<std::string, int64_t> numbers_;
  int64_t dimension_ = 0;
  std::shared_ptr<const std::vector<float>> values_, units_;  // units: of length 1
};

// ---- What vectors are worth
// -----------------------------------------------------------------------

struct AnalogyScore {
  std::string section;
  int64_t right = 0, asked = 0, unknown = 0;  // unknown: a word of the question is not there
  double accuracy() const {
    return asked > 0 ? static_cast<double>(right) / static_cast<double>(asked) : 0;
  }
};
// Questions "a b c d" in sections ": NAME", plain or gzipped (questions-words.txt of word2vec): how
// often d is the word nearest to b - a + c, in lower case, among the first `most` words; 0: all.
// The last of the scores, "total", is of all.
std::vector<AnalogyScore> analogies(const WordVectors& vectors, const std::string& path,
                                    int64_t most = 30000);
struct SimilarityScore {
  double spearman = 0, pearson = 0;
  int64_t pairs = 0, unknown = 0;
};
// Pairs WORD TAB WORD TAB SCORE with further columns, lines with "#" and a header left out: how
// similarities and scores of people go together.
SimilarityScore word_pairs(const WordVectors& vectors, const std::string& path);

// ---- Training
// -------------------------------------------------------------------------------------

using Sentences = std::vector<std::vector<std::string>>;
// The sentences of a text file, plain or gzipped: a line each, words between white space, those of
// more than 10,000 words cut; `lowercase`: and punctuation apart.
Sentences read_sentences(const std::string& path, bool lowercase = false);

// Two words that come together more often than alone become one, "new_york" (Mikolov et al. 2013).
struct PhraseOptions {
  int64_t min_count = 5;
  double threshold = 10;  // of (n(a b) - min_count) N / (n(a) n(b)), N different words and pairs
  std::string delimiter = "_";
};
Sentences joined_phrases(const Sentences& sentences, const PhraseOptions& options = {});

// gensim's names and defaults.
struct Word2VecOptions {
  int64_t vector_size = 100, window = 5, min_count = 5, epochs = 5;
  bool sg = false;       // skip-gram, else CBOW
  bool hs = false;       // hierarchical softmax
  int64_t negative = 5;  // words that are drawn against each; 0: none
  double ns_exponent = 0.75, sample = 1e-3, alpha = 0.025, min_alpha = 0.0001;
  bool cbow_mean = true;
  int64_t max_vocab_size = 0;  // the most frequent alone; 0: all
  uint64_t seed = 1;
  // fastText (Bojanowski et al. 2017): a word is the mean of itself and its parts of min_n to max_n
  // characters, which share `bucket` rows; 0 rows: whole words alone.
  int64_t bucket = 0, min_n = 3, max_n = 6;
};
// What is said after each epoch: its number from 1, the mean loss of a prediction, and words a
// second.
struct VectorProgress {
  int64_t epoch = 0;
  double loss = 0, words_per_second = 0;
};
using OnVectorProgress = std::function<void(const VectorProgress&)>;
// Word2vec (Mikolov et al. 2013a, b), on one thread. The words that are drawn against a window are
// shared by it (Ji et al. 2016), which trains as well and several times faster. Throws ValueError.
WordVectors train_word2vec(const Sentences& sentences, const Word2VecOptions& options = {},
                           const OnVectorProgress& progress = {});

// GloVe (Pennington, Socher, Manning 2014) by AdaGrad; the sum of both vectors of a word.
struct GloveOptions {
  int64_t vector_size = 50, window = 15, min_count = 5, epochs = 25;
  double x_max = 100, alpha = 0.75, learning_rate = 0.05;
  bool symmetric = true;
  int64_t max_vocab_size = 0;
  uint64_t seed = 1;
};
WordVectors train_glove(const Sentences& sentences, const GloveOptions& options = {},
                        const OnVectorProgress& progress = {});

}  // namespace glia::text
