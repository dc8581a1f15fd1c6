// What word vectors are worth: analogies, and pairs that people judged.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <sstream>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/text/word_vectors.h"
#include "text_file.h"

namespace glia::text {
namespace {

std::string lowered(std::string s) {
  for (char& c : s)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return s;
}

// Ranks from 1, equal values sharing the mean of theirs.
std::vector<double> ranks(const std::vector<double>& x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](size_t i) { return x[i]; });
  std::vector<double> out(x.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && x[order[end]] == x[order[i]]) ++end;
    for (size_t k = i; k < end; ++k) out[order[k]] = (static_cast<double>(i + end - 1)) / 2 + 1;
    i = end;
  }
  return out;
}

double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<double>(x.size());
  const double mx = std::accumulate(x.begin(), x.end(), 0.0) / n,
               my = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mx) * (y[i] - my);
    xx += (x[i] - mx) * (x[i] - mx);
    yy += (y[i] - my) * (y[i] - my);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

}  // namespace

std::vector<AnalogyScore> analogies(const WordVectors& vectors, const std::string& path,
                                    int64_t most) {
  constexpr int64_t kTogether = 256;  // questions in one product
  const int64_t count = most > 0 ? std::min(most, vectors.size()) : vectors.size();
  const Tensor all = slice(vectors.vectors(), 0, {0, count});
  const Tensor units = all / maximum(sqrt(sum(square(all), {1}, true)), 1e-12);
  // The first word of each spelling in lower case.
  std::unordered_map<std::string, int64_t> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.emplace(lowered(vectors.words()[static_cast<size_t>(i)]), i);
  std::vector<AnalogyScore> scores;
  AnalogyScore total{"total"};
  std::vector<std::array<int64_t, 4>> open;
  const auto ask = [&] {
    if (open.empty()) return;
    const auto n = static_cast<int64_t>(open.size());
    std::vector<int64_t> a, b, c;
    for (const auto& q : open) a.push_back(q[0]), b.push_back(q[1]), c.push_back(q[2]);
    const auto rows = [&](const std::vector<int64_t>& ids) {
      return take(units, from_vector(ids, {n}), 0);
    };
    const Tensor scored = matmul(rows(b) - rows(a) + rows(c), transpose(units, 0, 1));
    const Tensor best = topk(scored, 4).second;
    const auto found = best.to_vector<int64_t>();
    for (int64_t i = 0; i < n; ++i) {
      const auto& q = open[static_cast<size_t>(i)];
      for (int64_t k = 0; k < 4; ++k) {
        const int64_t word = found[static_cast<size_t>(i * 4 + k)];
        if (word == q[0] || word == q[1] || word == q[2]) continue;
        scores.back().right += word == q[3];
        break;
      }
    }
    open.clear();
  };
  const auto close = [&] {
    ask();
    if (scores.empty()) return;
    total.right += scores.back().right;
    total.asked += scores.back().asked;
    total.unknown += scores.back().unknown;
  };
  std::istringstream in(read_text_file(path));
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    std::istringstream words(line);
    std::array<std::string, 4> w;
    std::string rest;
    if (!(words >> w[0])) continue;
    if (w[0][0] == ':') {
      close();
      std::string name = line.substr(line.find(':') + 1);
      name.erase(0, name.find_first_not_of(' '));
      while (name.ends_with('\r') || name.ends_with(' ')) name.pop_back();
      scores.push_back({name});
      continue;
    }
    if (!(words >> w[1] >> w[2] >> w[3]) || words >> rest)
      throw IoError(path + ": line " + std::to_string(number) + ": is no question of four words");
    if (scores.empty()) scores.push_back({""});
    std::array<int64_t, 4> ids{};
    bool known = true;
    for (size_t i = 0; i < 4; ++i) {
      const auto at = numbers.find(lowered(w[i]));
      known &= at != numbers.end();
      if (at != numbers.end()) ids[i] = at->second;
    }
    if (!known) {
      ++scores.back().unknown;
      continue;
    }
    ++scores.back().asked;
    open.push_back(ids);
    if (static_cast<int64_t>(open.size()) == kTogether) ask();
  }
  close();
  scores.push_back(total);
  return scores;
}

SimilarityScore word_pairs(const WordVectors& vectors, const std::string& path) {
  std::istringstream in(read_text_file(path));
  SimilarityScore out;
  std::vector<double> people, own;
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    while (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> columns;
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, '\t');) columns.push_back(part);
    // The first column behind the two words that is a number.
    double score = 0;
    bool found = false;
    for (size_t i = 2; i < columns.size() && !found; ++i) {
      const auto [end, code] =
          std::from_chars(columns[i].data(), columns[i].data() + columns[i].size(), score);
      found = code == std::errc() && end == columns[i].data() + columns[i].size();
    }
    if (!found) {
      if (number == 1 || people.empty()) continue;  // a header
      throw IoError(path + ": line " + std::to_string(number) +
                    ": is no pair of words and a score");
    }
    const std::string a = vectors.has(columns[0]) ? columns[0] : lowered(columns[0]),
                      b = vectors.has(columns[1]) ? columns[1] : lowered(columns[1]);
    if (!vectors.has(a) || !vectors.has(b)) {
      ++out.unknown;
      continue;
    }
    people.push_back(score);
    own.push_back(vectors.similarity(a, b));
  }
  out.pairs = static_cast<int64_t>(people.size());
  if (out.pairs + out.unknown == 0) throw IoError(path + ": holds no pairs of words");
  if (out.pairs > 1) {
    out.pearson = pearson(people, own);
    out.spearman = pearson(ranks(people), ranks(own));
  }
  return out;
}

}  // namespace glia::text
