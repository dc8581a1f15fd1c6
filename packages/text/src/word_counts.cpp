#include "word_counts.h"

#include <algorithm>
#include <numeric>
#include <queue>

#include "glia/error.h"

namespace glia::text {

WordCounts::WordCounts(const char* name, const Sentences& all, int64_t min_count, int64_t most) {
  std::unordered_map<std::string_view, int32_t> numbers;
  std::vector<std::pair<std::string_view, int64_t>> found;
  for (const auto& sentence : all)
    for (const std::string& word : sentence) {
      const auto [at, is_new] = numbers.emplace(word, static_cast<int32_t>(found.size()));
      if (is_new) found.emplace_back(word, 0);
      ++found[static_cast<size_t>(at->second)].second;
    }
  std::ranges::stable_sort(found, std::greater<>(), &std::pair<std::string_view, int64_t>::second);
  for (auto& [word, number] : numbers) number = -1;
  for (const auto& [word, count] : found) {
    if (count < min_count || (most > 0 && static_cast<int64_t>(words.size()) >= most)) break;
    numbers[word] = static_cast<int32_t>(words.size());
    words.emplace_back(word);
    counts.push_back(count);
    total += count;
  }
  if (words.empty())
    throw ValueError(std::string(name) + ": no word comes " + std::to_string(min_count) +
                     " times; a lower min_count takes more");
  for (const auto& sentence : all) {
    std::vector<int32_t> ids;
    for (const std::string& word : sentence)
      if (const int32_t id = numbers[word]; id >= 0) ids.push_back(id);
    if (ids.size() > 1) sentences.push_back(std::move(ids));
  }
}

std::vector<HuffmanCode> huffman_codes(const std::vector<int64_t>& counts) {
  const size_t n = counts.size();
  std::vector<HuffmanCode> out(n);
  if (n < 2) return out;
  // Words are sorted, the rarest last: two rows of nodes are merged (as word2vec does it).
  std::vector<int64_t> weight(counts);
  weight.resize(2 * n - 1, INT64_MAX);
  std::vector<int32_t> parent(2 * n - 1);
  std::vector<bool> second(2 * n - 1);
  auto leaf = static_cast<int64_t>(n) - 1, inner = static_cast<int64_t>(n);
  for (size_t a = n; a < 2 * n - 1; ++a) {
    size_t low[2];
    for (size_t& one : low)
      one = static_cast<size_t>(leaf >= 0 && weight[leaf] < weight[inner] ? leaf-- : inner++);
    weight[a] = weight[low[0]] + weight[low[1]];
    parent[low[0]] = parent[low[1]] = static_cast<int32_t>(a);
    second[low[1]] = true;
  }
  for (size_t w = 0; w < n; ++w) {
    for (size_t at = w; at != 2 * n - 2; at = static_cast<size_t>(parent[at])) {
      out[w].points.push_back(parent[at] - static_cast<int32_t>(n));
      out[w].bits.push_back(second[at]);
    }
    std::reverse(out[w].points.begin(), out[w].points.end());
    std::reverse(out[w].bits.begin(), out[w].bits.end());
  }
  return out;
}

uint32_t fnv_hash(std::string_view text) {
  uint32_t h = 2166136261;
  for (const char c : text) h = (h ^ static_cast<uint32_t>(static_cast<int8_t>(c))) * 16777619;
  return h;
}

std::vector<uint32_t> subword_hashes(const std::string& plain, int64_t min_n, int64_t max_n) {
  const std::string word = "<" + plain + ">";
  const auto follows = [&](size_t i) { return (static_cast<uint8_t>(word[i]) & 0xC0) == 0x80; };
  std::vector<uint32_t> out;
  for (size_t i = 0; i < word.size(); ++i) {
    if (follows(i)) continue;
    size_t end = i;
    for (int64_t n = 1; end < word.size() && n <= max_n; ++n) {
      ++end;
      while (end < word.size() && follows(end)) ++end;
      if (n >= min_n && !(n == 1 && (i == 0 || end == word.size())))
        out.push_back(fnv_hash(std::string_view(word).substr(i, end - i)));
    }
  }
  return out;
}

}  // namespace glia::text
