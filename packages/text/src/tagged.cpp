#include "glia/text/tagged.h"

#include <algorithm>
#include <string_view>

#include "glia/error.h"
#include "text_file.h"

namespace glia::text {
namespace {

std::vector<std::string_view> columns_of(std::string_view line) {
  const bool tabs = line.find('\t') != std::string_view::npos;
  std::vector<std::string_view> out;
  for (size_t at = 0; at <= line.size();) {
    size_t end = line.find(tabs ? '\t' : ' ', at);
    if (end == std::string_view::npos) end = line.size();
    if (tabs || end > at) out.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

bool is_number(std::string_view s) {
  return !s.empty() && std::ranges::all_of(s, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

int64_t TaggedSentences::word_count() const {
  size_t out = 0;
  for (const auto& sentence : words) out += sentence.size();
  return static_cast<int64_t>(out);
}

TaggedSentences read_tagged(const std::string& path) {
  constexpr size_t kConllColumns = 10;
  const std::string all = read_text_file(path);
  TaggedSentences out;
  std::vector<std::string> words, tags;
  const auto flush = [&] {
    if (words.empty()) return;
    out.words.push_back(std::exchange(words, {}));
    out.tags.push_back(std::exchange(tags, {}));
  };
  int64_t number = 0;
  for (size_t at = 0; at < all.size();) {
    size_t end = all.find('\n', at);
    if (end == std::string::npos) end = all.size();
    std::string_view line = std::string_view(all).substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) {
      flush();
      continue;
    }
    if (line.starts_with("# ") || line == "#") continue;
    const auto columns = columns_of(line);
    const bool tabs = line.find('\t') != std::string_view::npos;
    const bool conll =
        tabs && columns.size() == kConllColumns && columns[0][0] >= '0' && columns[0][0] <= '9';
    if (conll && !is_number(columns[0])) continue;
    const auto word = conll ? columns[1] : columns[0];
    const auto tag = conll                ? columns[3]
                     : columns.size() < 2 ? std::string_view()
                     : tabs               ? columns[1]
                                          : columns.back();
    if (word.empty() || tag.empty())
      throw IoError(path + ": line " + std::to_string(number) + ": '" + std::string(line) +
                    "' is no word and its tag");
    words.emplace_back(word);
    tags.emplace_back(tag);
  }
  flush();
  if (out.size() == 0) throw IoError(path + ": holds no sentences");
  return out;
}

}  // namespace glia::text
