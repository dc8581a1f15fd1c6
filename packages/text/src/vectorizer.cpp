#include "glia/text/vectorizer.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_set>

#include "glia/ops.h"
#include "glia/parallel.h"
#include "unicode.h"

namespace glia::text {
namespace {

std::string lowered(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto [c, bytes] = decode_at(text, at);
    if (c < 0x80)
      out += static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    else
      out += lower_of(c);
    at += bytes;
  }
  return out;
}

bool in_word(char32_t c) {
  if (c < 0x80)
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  return (classes_of(c) & (kLetter | kNumber)) != 0;
}

// Two or more characters of words that stand together.
std::vector<std::string> tokens_of(const std::string& text) {
  std::vector<std::string> out;
  std::string word;
  int64_t length = 0;
  const auto end_word = [&] {
    if (length >= 2) out.push_back(word);
    word.clear();
    length = 0;
  };
  for (size_t at = 0; at < text.size();) {
    const auto [c, bytes] = decode_at(text, at);
    if (in_word(c)) {
      word.append(text, at, bytes);
      ++length;
    } else {
      end_word();
    }
    at += bytes;
  }
  end_word();
  return out;
}

// How many of n texts a frequency means.
double texts_of(double frequency, bool share, int64_t n) {
  return share ? frequency * static_cast<double>(n) : frequency;
}

std::vector<int32_t> host(const Tensor& t) { return t.to_vector<int32_t>(); }

}  // namespace

// ---- CountVectorizer ----------------------------------------------------------------------------

CountVectorizer::CountVectorizer(const CountVectorizerOptions& options, Where where)
    : options_(options) {
  const auto require = [&](bool right, const std::string& what) {
    if (!right) throw ValueError("CountVectorizer: " + what, where);
  };
  const auto& o = options_;
  require(o.min_n >= 1 && o.max_n >= o.min_n && o.max_n <= 100,
          "1 <= min_n <= max_n <= 100 does not hold");
  require(o.min_df >= 0 && (o.min_df < 1 || o.min_df == std::floor(o.min_df)),
          "min_df = " + std::to_string(o.min_df));
  require(o.max_df >= 0 && (o.max_df <= 1 || o.max_df == std::floor(o.max_df)),
          "max_df = " + std::to_string(o.max_df));
  require(o.max_features.value_or(1) >= 1,
          "max_features = " + std::to_string(o.max_features.value_or(1)));
}

std::vector<std::string> CountVectorizer::terms(const std::string& text) const {
  const std::string valid = is_valid_utf8(text) ? text : repaired_utf8(text);
  std::vector<std::string> words = tokens_of(options_.lowercase ? lowered(valid) : valid);
  if (!options_.stop_words.empty())
    std::erase_if(words, [&](const std::string& w) {
      return std::ranges::find(options_.stop_words, w) != options_.stop_words.end();
    });
  if (options_.max_n == 1) return words;
  std::vector<std::string> out;
  const auto count = static_cast<int64_t>(words.size());
  for (int64_t n = options_.min_n; n <= std::min(options_.max_n, count); ++n)
    for (int64_t i = 0; i + n <= count; ++i) {
      std::string term = words[i];
      for (int64_t k = 1; k < n; ++k) term += " " + words[i + k];
      out.push_back(std::move(term));
    }
  return out;
}

CountVectorizer& CountVectorizer::fit(const std::vector<std::string>& texts, Where where) {
  struct Seen {
    int64_t texts = 0, times = 0, last = -1;
  };
  std::unordered_map<std::string, Seen> seen;
  const auto n = static_cast<int64_t>(texts.size());
  for (int64_t i = 0; i < n; ++i)
    for (std::string& term : terms(texts[i])) {
      Seen& s = seen[std::move(term)];
      s.times += options_.binary && s.last == i ? 0 : 1;
      s.texts += s.last == i ? 0 : 1;
      s.last = i;
    }
  if (seen.empty()) throw ValueError("CountVectorizer.fit: the texts have no words", where);
  const double least = texts_of(options_.min_df, options_.min_df < 1, n),
               most = texts_of(options_.max_df, options_.max_df <= 1, n);
  if (most < least)
    throw ValueError("CountVectorizer.fit: max_df is less than min_df of these texts", where);
  std::vector<std::string> kept;
  for (const auto& [term, s] : seen)
    if (static_cast<double>(s.texts) >= least && static_cast<double>(s.texts) <= most)
      kept.push_back(term);
  std::sort(kept.begin(), kept.end());
  if (options_.max_features && *options_.max_features < static_cast<int64_t>(kept.size())) {
    std::stable_sort(kept.begin(), kept.end(), [&](const std::string& a, const std::string& b) {
      return seen.at(a).times > seen.at(b).times;
    });
    kept.resize(static_cast<size_t>(*options_.max_features));
    std::sort(kept.begin(), kept.end());
  }
  if (kept.empty()) throw ValueError("CountVectorizer.fit: min_df and max_df leave no word", where);
  place_.clear();
  for (const std::string& term : kept) place_.emplace(term, static_cast<int32_t>(place_.size()));
  vocabulary_ = std::move(kept);
  return *this;
}

Csr CountVectorizer::transform(const std::vector<std::string>& texts, Where where) const {
  if (vocabulary_.empty())
    throw Error("CountVectorizer.transform: it is not fitted; call fit first", where);
  const auto n = static_cast<int64_t>(texts.size());
  std::vector<std::vector<std::pair<int32_t, double>>> rows(texts.size());
  constexpr int64_t kTexts = 64;  // of one task
  parallel_for((n + kTexts - 1) / kTexts, [&](int64_t block) {
    for (int64_t i = block * kTexts; i < std::min(n, (block + 1) * kTexts); ++i) {
      std::vector<int32_t> found;
      for (const std::string& term : terms(texts[i]))
        if (const auto at = place_.find(term); at != place_.end()) found.push_back(at->second);
      std::sort(found.begin(), found.end());
      auto& row = rows[i];
      for (const int32_t term : found)
        if (!row.empty() && row.back().first == term)
          row.back().second += options_.binary ? 0 : 1;
        else
          row.emplace_back(term, 1);
    }
  });
  std::vector<int32_t> row_ptr{0}, cols;
  std::vector<double> values;
  for (const auto& row : rows) {
    for (const auto& [term, count] : row) cols.push_back(term), values.push_back(count);
    if (cols.size() > INT32_MAX)
      throw ValueError("CountVectorizer.transform: more than 2^31 numbers", where);
    row_ptr.push_back(static_cast<int32_t>(cols.size()));
  }
  const auto entries = static_cast<int64_t>(cols.size());
  return Csr(from_vector(row_ptr, {n + 1}), from_vector(cols, {entries}),
             from_vector(values, {entries}), {n, static_cast<int64_t>(vocabulary_.size())});
}

Csr CountVectorizer::fit_transform(const std::vector<std::string>& texts, Where where) {
  return fit(texts, where).transform(texts, where);
}

// ---- TfidfVectorizer ----------------------------------------------------------------------------

TfidfVectorizer::TfidfVectorizer(const TfidfVectorizerOptions& options, Where where)
    : CountVectorizer(options, where), options_(options) {}

void TfidfVectorizer::weigh(const Csr& counts) {
  std::vector<double> texts(vocabulary_.size());
  for (const int32_t term : host(counts.cols())) ++texts[term];
  const double more = options_.smooth_idf ? 1 : 0;
  const double n = static_cast<double>(counts.shape()[0]) + more;
  idf_.clear();
  if (options_.use_idf)
    for (const double own : texts) idf_.push_back(std::log(n / (own + more)) + 1);
}

Csr TfidfVectorizer::weighed(const Csr& counts) const {
  const std::vector<int32_t> row_ptr = host(counts.row_ptr()), cols = host(counts.cols());
  std::vector<double> values = counts.values().to_vector<double>();
  for (size_t e = 0; e < values.size(); ++e) {
    if (options_.sublinear_tf) values[e] = std::log(values[e]) + 1;
    if (!idf_.empty()) values[e] *= idf_[cols[e]];
  }
  for (size_t i = 0; i + 1 < row_ptr.size() && options_.norm != TextNorm::kNone; ++i) {
    double size = 0;
    for (int32_t e = row_ptr[i]; e < row_ptr[i + 1]; ++e)
      size += options_.norm == TextNorm::kL2 ? values[e] * values[e] : std::abs(values[e]);
    if (options_.norm == TextNorm::kL2) size = std::sqrt(size);
    for (int32_t e = row_ptr[i]; e < row_ptr[i + 1] && size > 0; ++e) values[e] /= size;
  }
  const auto entries = static_cast<int64_t>(values.size());
  return counts.with_values(from_vector(values, {entries}));
}

TfidfVectorizer& TfidfVectorizer::fit(const std::vector<std::string>& texts, Where where) {
  weigh(CountVectorizer::fit_transform(texts, where));
  return *this;
}

Csr TfidfVectorizer::transform(const std::vector<std::string>& texts, Where where) const {
  return weighed(CountVectorizer::transform(texts, where));
}

Csr TfidfVectorizer::fit_transform(const std::vector<std::string>& texts, Where where) {
  const Csr counts = CountVectorizer::fit_transform(texts, where);
  weigh(counts);
  return weighed(counts);
}

}  // namespace glia::text
