#include "glia/text/word_vectors.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "text_file.h"
#include "unicode.h"

namespace glia::text {
namespace {

constexpr int64_t kMostDimensions = 1 << 16;

double dot(const float* a, const double* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Goes through a text file's bytes.
struct Reader {
  const std::string& path;
  const std::string& text;
  size_t at = 0;

  [[noreturn]] void fail(const std::string& fault) const {
    const auto line =
        std::count(text.begin(),
                   text.begin() + static_cast<std::ptrdiff_t>(std::min(at, text.size())), '\n') +
        1;
    throw IoError(path + ": line " + std::to_string(line) + ": " + fault);
  }
  std::string_view line() {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    std::string_view out = std::string_view(text).substr(at, end - at);
    at = end + 1;
    while (out.ends_with('\r') || out.ends_with(' ')) out.remove_suffix(1);
    return out;
  }
  bool done() const { return at >= text.size(); }
};

bool parse(std::string_view s, float* out) {
  const auto [end, code] = std::from_chars(s.data(), s.data() + s.size(), *out);
  return code == std::errc() && end == s.data() + s.size();
}
bool parse(std::string_view s, int64_t* out) {
  const auto [end, code] = std::from_chars(s.data(), s.data() + s.size(), *out);
  return code == std::errc() && end == s.data() + s.size();
}

// "COUNT DIMENSION", if the line is that.
std::optional<std::pair<int64_t, int64_t>> header_of(std::string_view line) {
  const size_t blank = line.find(' ');
  int64_t count = 0, dimension = 0;
  if (blank == std::string_view::npos || !parse(line.substr(0, blank), &count) ||
      !parse(line.substr(blank + 1), &dimension))
    return {};
  return std::pair(count, dimension);
}

}  // namespace

WordVectors::WordVectors(std::vector<std::string> words, const Tensor& vectors) {
  if (vectors.rank() != 2 || vectors.size(0) != static_cast<int64_t>(words.size()))
    throw ShapeError("WordVectors: " + std::to_string(words.size()) + " words and vectors " +
                     vectors.shape().str());
  dimension_ = vectors.size(1);
  words_ = std::move(words);
  auto values = std::make_shared<std::vector<float>>(vectors.to_vector<float>());
  auto units = std::make_shared<std::vector<float>>(*values);
  for (size_t i = 0; i < words_.size(); ++i) {
    numbers_.emplace(words_[i], static_cast<int64_t>(i));
    float* row = units->data() + i * static_cast<size_t>(dimension_);
    double squares = 0;
    for (int64_t k = 0; k < dimension_; ++k) squares += static_cast<double>(row[k]) * row[k];
    const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for (int64_t k = 0; k < dimension_; ++k) row[k] = static_cast<float>(row[k] * scale);
  }
  values_ = std::move(values);
  units_ = std::move(units);
}

// ---- Files --------------------------------------------------------------------------------------

WordVectors WordVectors::load(const std::string& path, int64_t limit) {
  const std::string text = read_text_file(path);
  Reader in{path, text};
  if (text.empty()) throw IoError(path + ": is empty");
  const std::string_view first = in.line();
  const auto header = header_of(first);
  std::vector<std::string> words;
  std::vector<float> values;
  int64_t dimension = header ? header->second : std::count(first.begin(), first.end(), ' ');
  if (dimension < 1 || dimension > kMostDimensions)
    throw IoError(path + ": holds no word vectors: its first line is '" +
                  std::string(first.substr(0, 60)) + "'");
  if (!header) in.at = 0;
  const auto bytes = static_cast<size_t>(dimension) * sizeof(float);
  // Binary files have numbers behind the first blank that are no text.
  bool binary = false;
  if (header && !in.done()) {
    const size_t blank = text.find(' ', in.at);
    const size_t end = text.find('\n', in.at);
    const std::string_view line = std::string_view(text).substr(
        in.at, (end == std::string::npos ? text.size() : end) - in.at);
    binary = blank != std::string::npos &&
             (std::count(line.begin(), line.end(), ' ') < dimension ||
              line.find_first_not_of("0123456789+-.eE nainf\r", blank - in.at) !=
                  std::string_view::npos);
  }
  int64_t most = limit > 0 ? limit : INT64_MAX;
  if (header) most = std::min(most, header->first);
  while (static_cast<int64_t>(words.size()) < most && !in.done()) {
    if (binary) {
      while (!in.done() && (text[in.at] == '\n' || text[in.at] == '\r')) ++in.at;
      const size_t blank = text.find(' ', in.at);
      if (blank == std::string::npos || text.size() - blank - 1 < bytes) break;
      words.push_back(text.substr(in.at, blank - in.at));
      values.resize(values.size() + static_cast<size_t>(dimension));
      std::memcpy(values.data() + values.size() - dimension, text.data() + blank + 1, bytes);
      in.at = blank + 1 + bytes;
      continue;
    }
    std::string_view line = in.line();
    if (line.empty()) continue;
    // The numbers stand at the end: a word may have blanks.
    std::vector<float> row(static_cast<size_t>(dimension));
    for (int64_t k = dimension - 1; k >= 0; --k) {
      const size_t blank = line.rfind(' ');
      if (blank == std::string_view::npos || !parse(line.substr(blank + 1), &row[k])) {
        --in.at;
        in.fail("is no word and " + std::to_string(dimension) + " numbers");
      }
      line = line.substr(0, blank);
    }
    words.emplace_back(line);
    values.insert(values.end(), row.begin(), row.end());
  }
  if (header && static_cast<int64_t>(words.size()) < most)
    throw IoError(path + ": is cut short: it has " + std::to_string(words.size()) + " of " +
                  std::to_string(header->first) + " words");
  const auto count = static_cast<int64_t>(words.size());
  return WordVectors(std::move(words), from_vector(values, {count, dimension}));
}

void WordVectors::save(const std::string& path, bool binary) const {
  std::string out = std::to_string(size()) + " " + std::to_string(dimension_) + "\n";
  for (int64_t i = 0; i < size(); ++i) {
    const float* row = values_->data() + i * dimension_;
    out += words_[static_cast<size_t>(i)];
    if (binary) {
      out += ' ';
      out.append(reinterpret_cast<const char*>(row),
                 static_cast<size_t>(dimension_) * sizeof(float));
    }
    for (int64_t k = 0; !binary && k < dimension_; ++k) {
      char number[32];
      const auto end = std::to_chars(number, number + sizeof(number), row[k]).ptr;
      out += ' ';
      out.append(number, static_cast<size_t>(end - number));
    }
    out += '\n';
  }
  io::write_file_atomic(path, out);
}

// ---- Looking up, comparing ----------------------------------------------------------------------

Tensor WordVectors::vectors() const {
  if (!values_) return zeros({0, 0});
  return from_vector(*values_, {size(), dimension_});
}
std::optional<int64_t> WordVectors::number(const std::string& word) const {
  const auto at = numbers_.find(word);
  return at == numbers_.end() ? std::nullopt : std::optional(at->second);
}
const float* WordVectors::row(const std::string& word, const char* what) const {
  const auto at = number(word);
  if (!at) throw ValueError(std::string(what) + ": there is no vector of '" + word + "'");
  return units_->data() + *at * dimension_;
}
Tensor WordVectors::vector(const std::string& word) const {
  row(word, "vector");
  const float* values = values_->data() + *number(word) * dimension_;
  return from_vector(std::vector<float>(values, values + dimension_), {dimension_});
}

double WordVectors::similarity(const std::string& a, const std::string& b) const {
  const float *x = row(a, "similarity"), *y = row(b, "similarity");
  return dot(x, std::vector<double>(y, y + dimension_).data(), dimension_);
}

std::vector<Neighbour> WordVectors::ranked(const std::vector<double>& query, int64_t count,
                                           const std::vector<int64_t>& without) const {
  double squares = 0;
  for (const double q : query) squares += q * q;
  const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
  std::vector<float> direction;
  for (const double q : query) direction.push_back(static_cast<float>(q * scale));
  const std::vector<float> scores =
      matmul(from_vector(*units_, {size(), dimension_}), from_vector(direction, {dimension_}))
          .to_vector<float>();
  std::vector<int64_t> order(words_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto most = static_cast<size_t>(
      std::clamp<int64_t>(count + static_cast<int64_t>(without.size()), 0, size()));
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(),
      [&](int64_t a, int64_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  std::vector<Neighbour> out;
  for (size_t i = 0; i < most && static_cast<int64_t>(out.size()) < count; ++i)
    if (std::ranges::find(without, order[i]) == without.end())
      out.push_back({words_[static_cast<size_t>(order[i])], scores[static_cast<size_t>(order[i])]});
  return out;
}

std::vector<Neighbour> WordVectors::most_similar(const std::vector<std::string>& positive,
                                                 const std::vector<std::string>& negative,
                                                 int64_t count) const {
  if (positive.empty() && negative.empty()) throw ValueError("most_similar: no words are given");
  std::vector<double> query(static_cast<size_t>(dimension_));
  std::vector<int64_t> without;
  const auto add = [&](const std::string& word, double sign) {
    const float* x = row(word, "most_similar");
    for (int64_t k = 0; k < dimension_; ++k) query[k] += sign * x[k];
    without.push_back(*number(word));
  };
  for (const std::string& word : positive) add(word, 1);
  for (const std::string& word : negative) add(word, -1);
  return ranked(query, count, without);
}

std::vector<Neighbour> WordVectors::nearest(const Tensor& vector, int64_t count) const {
  if (vector.shape() != Shape{dimension_})
    throw ShapeError("nearest: a vector " + vector.shape().str() + " among vectors of " +
                     std::to_string(dimension_));
  return ranked(vector.to_vector<double>(), count, {});
}

std::string WordVectors::doesnt_match(const std::vector<std::string>& words) const {
  if (words.empty()) throw ValueError("doesnt_match: no words are given");
  std::vector<double> mean(static_cast<size_t>(dimension_));
  for (const std::string& word : words) {
    const float* x = row(word, "doesnt_match");
    for (int64_t k = 0; k < dimension_; ++k) mean[k] += x[k];
  }
  return *std::ranges::min_element(words, {}, [&](const std::string& word) {
    return dot(row(word, "doesnt_match"), mean.data(), dimension_);
  });
}

}  // namespace glia::text
