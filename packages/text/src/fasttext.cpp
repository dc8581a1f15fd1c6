#include "glia/text/fasttext.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "glia/error.h"
#include "text_file.h"
#include "word_counts.h"

namespace glia::text {
namespace {

constexpr int32_t kMagic = 793712314;
constexpr int64_t kMostNumbers = int64_t{1} << 33;
enum Loss : int32_t { kHierarchical = 1, kNegative = 2, kSoftmax = 3, kOneVsAll = 4 };
enum Kind : int32_t { kBag = 1, kSkipGram = 2, kSupervised = 3 };

class Bytes {
 public:
  Bytes(const std::string& path, const std::string& bytes) : path_(path), bytes_(bytes) {}
  [[noreturn]] void fail(const std::string& fault) const { throw IoError(path_ + ": " + fault); }
  template <class T>
  T number() {
    T out;
    std::memcpy(&out, take(sizeof(T)), sizeof(T));
    return out;
  }
  template <class T>
  std::vector<T> numbers(int64_t count) {
    if (count < 0 || count > kMostNumbers) fail("claims " + std::to_string(count) + " numbers");
    const char* from = take(static_cast<size_t>(count) * sizeof(T));
    std::vector<T> out(static_cast<size_t>(count));
    std::memcpy(out.data(), from, static_cast<size_t>(count) * sizeof(T));
    return out;
  }
  std::string text() {
    const size_t end = bytes_.find('\0', at_);
    if (end == std::string::npos) fail("is cut short");
    std::string out = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return out;
  }

 private:
  const char* take(size_t size) {
    if (size > bytes_.size() - at_) fail("is cut short");
    at_ += size;
    return bytes_.data() + at_ - size;
  }
  const std::string& path_;
  const std::string& bytes_;
  size_t at_ = 0;
};

// A product quantiser (Jegou et al. 2011): parts of a row are one of 256 centroids.
struct Quantiser {
  int32_t dimension = 0, parts = 0, width = 0, last_width = 0;
  std::vector<float> centroids;

  void read(Bytes& in) {
    constexpr int32_t kMostDimensions = 1 << 16, kCentroids = 256;
    dimension = in.number<int32_t>();
    parts = in.number<int32_t>();
    width = in.number<int32_t>();
    last_width = in.number<int32_t>();
    if (dimension < 1 || dimension > kMostDimensions || parts < 1 || width < 1 || last_width < 1 ||
        last_width > width || static_cast<int64_t>(parts - 1) * width + last_width != dimension)
      in.fail("has a quantiser of parts that do not make a row");
    centroids = in.numbers<float>(static_cast<int64_t>(dimension) * kCentroids);
  }
  const float* centroid(int32_t part, uint8_t code) const {
    return part == parts - 1 ? centroids.data() + part * 256 * width + code * last_width
                             : centroids.data() + (part * 256 + code) * width;
  }
};

// Rows as numbers, or quantised.
struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<float> values;
  bool is_quantised = false, has_norms = false;
  std::vector<uint8_t> codes, norm_codes;
  Quantiser quantiser, norms;

  void read(Bytes& in, bool quantised) {
    is_quantised = quantised;
    has_norms = quantised && in.number<uint8_t>() != 0;
    rows = in.number<int64_t>();
    columns = in.number<int64_t>();
    if (rows < 0 || columns < 1 || columns > 1 << 16 || rows > kMostNumbers / columns)
      in.fail("claims a matrix of " + std::to_string(rows) + " x " + std::to_string(columns));
    if (!quantised) {
      values = in.numbers<float>(rows * columns);
      return;
    }
    codes = in.numbers<uint8_t>(in.number<int32_t>());
    quantiser.read(in);
    if (quantiser.dimension != columns ||
        static_cast<int64_t>(codes.size()) != rows * quantiser.parts)
      in.fail("has codes that do not fit its matrix");
    if (!has_norms) return;
    norm_codes = in.numbers<uint8_t>(rows);
    norms.read(in);
    if (norms.dimension != 1) in.fail("has norms that are no numbers");
  }
  void add_to(int64_t row, float* sum) const {
    if (!is_quantised) {
      for (int64_t k = 0; k < columns; ++k) sum[k] += values[row * columns + k];
      return;
    }
    const float norm = has_norms ? norms.centroid(0, norm_codes[row])[0] : 1;
    for (int32_t p = 0; p < quantiser.parts; ++p) {
      const float* c = quantiser.centroid(p, codes[row * quantiser.parts + p]);
      const int32_t width = p == quantiser.parts - 1 ? quantiser.last_width : quantiser.width;
      for (int32_t k = 0; k < width; ++k) sum[p * quantiser.width + k] += norm * c[k];
    }
  }
  float dot(int64_t row, const float* x) const {
    std::vector<float> own(is_quantised ? static_cast<size_t>(columns) : 0);
    if (is_quantised) add_to(row, own.data());
    const float* y = is_quantised ? own.data() : values.data() + row * columns;
    float sum = 0;
    for (int64_t k = 0; k < columns; ++k) sum += y[k] * x[k];
    return sum;
  }
};

}  // namespace

struct FastText::Model {
  int32_t dimension, word_ngrams, loss, kind, bucket, min_n, max_n;
  std::vector<std::string> words, labels;
  std::vector<int64_t> label_counts;
  std::unordered_map<std::string, int32_t> numbers;  // of words and, behind them, labels
  int64_t pruned = -1;
  std::unordered_map<int32_t, int32_t> kept;  // of a pruned model: rows of hashes
  Matrix in, out;
  // Of hierarchical softmax: from each label's leaf up.
  std::vector<HuffmanCode> codes;

  void read(Bytes& file);
  void push_hash(uint32_t hash, std::vector<int32_t>* rows) const {
    auto id = static_cast<int32_t>(hash % static_cast<uint32_t>(bucket));
    if (pruned == 0) return;
    if (pruned > 0) {
      const auto at = kept.find(id);
      if (at == kept.end()) return;
      id = at->second;
    }
    rows->push_back(static_cast<int32_t>(words.size()) + id);
  }
  // The word itself, if it is known, and its parts.
  void push_word(const std::string& word, std::vector<int32_t>* rows) const {
    const auto at = numbers.find(word);
    const bool known = at != numbers.end() && at->second < static_cast<int32_t>(words.size());
    if (known) rows->push_back(at->second);
    if (bucket > 0 && max_n > 0 && word != "</s>")
      for (const uint32_t hash : subword_hashes(word, std::max(min_n, 1), max_n))
        push_hash(hash, rows);
  }
  std::vector<float> mean(const std::vector<int32_t>& rows, const char* what) const {
    std::vector<float> sum(static_cast<size_t>(dimension));
    for (const int32_t row : rows) {
      if (row < 0 || row >= in.rows)
        throw ValueError(std::string(what) + ": the model has no row for a part of a word");
      in.add_to(row, sum.data());
    }
    for (float& x : sum) x /= static_cast<float>(std::max<size_t>(rows.size(), 1));
    return sum;
  }
  std::vector<double> probabilities(const std::vector<float>& hidden) const;
};

void FastText::Model::read(Bytes& file) {
  if (file.number<int32_t>() != kMagic) file.fail("is no model of fastText");
  const auto version = file.number<int32_t>();
  if (version != 11 && version != 12)
    file.fail("is of version " + std::to_string(version) + ", which is not known");
  dimension = file.number<int32_t>();
  for (int skipped = 0; skipped < 4; ++skipped) file.number<int32_t>();
  word_ngrams = file.number<int32_t>();
  loss = file.number<int32_t>();
  kind = file.number<int32_t>();
  bucket = file.number<int32_t>();
  min_n = file.number<int32_t>();
  max_n = file.number<int32_t>();
  file.number<int32_t>();
  file.number<double>();
  if (version == 11 && kind == kSupervised) max_n = 0;  // those had no parts of words
  if (dimension < 1 || dimension > 1 << 16 || bucket < 0 || max_n < 0 || max_n > 1000 ||
      word_ngrams < 0 || word_ngrams > 1000 || loss < kHierarchical || loss > kOneVsAll)
    file.fail("has settings that no model has");
  const auto size = file.number<int32_t>(), word_count = file.number<int32_t>(),
             label_count = file.number<int32_t>();
  file.number<int64_t>();
  pruned = file.number<int64_t>();
  if (size < 0 || word_count < 0 || label_count < 0 || word_count + int64_t{label_count} != size)
    file.fail("claims " + std::to_string(word_count) + " words and " + std::to_string(label_count) +
              " labels of " + std::to_string(size));
  for (int32_t i = 0; i < size; ++i) {
    std::string text = file.text();
    const auto count = file.number<int64_t>();
    const bool is_label = file.number<int8_t>() == 1;
    if (is_label != (i >= word_count)) file.fail("has words and labels out of order");
    numbers.emplace(text, i);
    if (is_label) {
      constexpr std::string_view kPrefix = "__label__";
      labels.push_back(text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : text);
      label_counts.push_back(count);
    } else {
      words.push_back(std::move(text));
    }
  }
  for (int64_t i = 0; i < pruned; ++i) {
    const auto from = file.number<int32_t>();
    kept[from] = file.number<int32_t>();
  }
  const bool quantised = file.number<uint8_t>() != 0;
  in.read(file, quantised);
  out.read(file, file.number<uint8_t>() != 0 && quantised);
  if (in.columns != dimension || out.columns != dimension)
    file.fail("has matrices that are not as wide as its vectors");
  const auto outputs = static_cast<int64_t>(kind == kSupervised ? labels.size() : words.size());
  if (in.rows < static_cast<int64_t>(words.size()) || out.rows < outputs)
    file.fail("has a matrix without rows for all words or labels");
  if (kind == kSupervised && labels.empty()) file.fail("is a classifier without labels");
  if (kind == kSupervised && loss == kHierarchical) codes = huffman_codes(label_counts);
}

std::vector<double> FastText::Model::probabilities(const std::vector<float>& hidden) const {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  std::vector<double> p(labels.size());
  if (loss == kHierarchical) {
    std::vector<double> branches(labels.size());
    for (size_t i = 0; i + 1 < labels.size(); ++i)
      branches[i] = sigmoid(static_cast<double>(out.dot(static_cast<int64_t>(i), hidden.data())));
    for (size_t l = 0; l < p.size(); ++l) {
      p[l] = 1;
      for (size_t i = 0; i < codes[l].points.size(); ++i) {
        const double b = branches[static_cast<size_t>(codes[l].points[i])];
        p[l] *= codes[l].bits[i] ? b : 1 - b;
      }
    }
    return p;
  }
  for (size_t l = 0; l < p.size(); ++l)
    p[l] = static_cast<double>(out.dot(static_cast<int64_t>(l), hidden.data()));
  if (loss != kSoftmax) {
    for (double& x : p) x = sigmoid(x);
    return p;
  }
  const double most = *std::max_element(p.begin(), p.end());
  double sum = 0;
  for (double& x : p) sum += x = std::exp(x - most);
  for (double& x : p) x /= sum;
  return p;
}

const FastText::Model& FastText::model() const {
  if (!model_) throw Error("FastText: no model was loaded");
  return *model_;
}

FastText FastText::load(const std::string& path) {
  const std::string bytes = read_text_file(path);
  Bytes file(path, bytes);
  auto made = std::make_shared<Model>();
  made->read(file);
  FastText out;
  out.model_ = std::move(made);
  return out;
}

bool FastText::is_classifier() const { return model().kind == kSupervised; }
int64_t FastText::dimension() const { return model().dimension; }
const std::vector<std::string>& FastText::words() const { return model().words; }
const std::vector<std::string>& FastText::labels() const { return model().labels; }

Tensor FastText::vector(const std::string& word) const {
  std::vector<int32_t> rows;
  model().push_word(word, &rows);
  return from_vector(model().mean(rows, "vector"), {dimension()});
}

WordVectors FastText::word_vectors() const {
  std::vector<float> all;
  for (const std::string& word : words()) {
    std::vector<int32_t> rows;
    model().push_word(word, &rows);
    const std::vector<float> one = model().mean(rows, "word_vectors");
    all.insert(all.end(), one.begin(), one.end());
  }
  return WordVectors(words(),
                     from_vector(all, {static_cast<int64_t>(words().size()), dimension()}));
}

std::vector<Labelled> FastText::predict(const std::string& text, int64_t count) const {
  const Model& m = model();
  if (m.kind != kSupervised) throw Error("FastText: the model is no classifier");
  std::vector<int32_t> rows;
  std::vector<uint32_t> hashes;
  const auto push = [&](const std::string& token) {
    const auto at = m.numbers.find(token);
    const bool label = at == m.numbers.end() ? token.starts_with("__label__")
                                             : at->second >= static_cast<int32_t>(m.words.size());
    if (label) return;
    m.push_word(token, &rows);
    hashes.push_back(fnv_hash(token));
  };
  constexpr std::string_view kBlanks(" \n\r\t\v\f\0", 7);
  for (size_t at = 0; at < text.size();) {
    at = text.find_first_not_of(kBlanks, at);
    if (at == std::string::npos) break;
    const size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    push(text.substr(at, end - at));
    at = end;
  }
  push("</s>");
  for (size_t i = 0; m.bucket > 0 && i < hashes.size(); ++i) {
    auto hash = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(hashes[i])));
    for (size_t k = i + 1; k < hashes.size() && k < i + static_cast<size_t>(m.word_ngrams); ++k) {
      hash = hash * 116049371 +
             static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(hashes[k])));
      m.push_hash(static_cast<uint32_t>(hash % static_cast<uint64_t>(m.bucket)), &rows);
    }
  }
  if (rows.empty()) return {};
  const std::vector<double> p = m.probabilities(m.mean(rows, "predict"));
  std::vector<Labelled> all;
  for (size_t l = 0; l < p.size(); ++l) all.push_back({m.labels[l], p[l]});
  std::ranges::stable_sort(all, std::greater<>(), &Labelled::probability);
  all.resize(static_cast<size_t>(std::clamp<int64_t>(count, 0, static_cast<int64_t>(all.size()))));
  return all;
}

}  // namespace glia::text
