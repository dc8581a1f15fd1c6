#include "glia/text/vocabulary.h"

#include <set>

#include "glia/error.h"

namespace glia::text {

std::vector<std::string> characters(const std::string& text) {
  const auto follows = [&](size_t i) {
    return i < text.size() && (static_cast<uint8_t>(text[i]) & 0xC0) == 0x80;
  };
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const auto first = static_cast<uint8_t>(text[at]);
    const size_t want = first >= 0xF0 && first < 0xF8 ? 4
                        : first >= 0xE0               ? 3
                        : first >= 0xC0               ? 2
                                                      : 1;
    size_t size = 1;
    while (size < want && follows(at + size)) ++size;
    if (size != want || first >= 0xF8) size = 1;
    out.push_back(text.substr(at, size));
    at += size;
  }
  return out;
}

Vocabulary::Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  for (const std::string& token : tokens_) {
    const auto number = kSpecial + static_cast<int64_t>(numbers_.size());
    if (token.empty() || !numbers_.emplace(token, number).second)
      throw Error("vocabulary: the token '" + token + "' is empty or comes twice");
  }
}

Vocabulary Vocabulary::of_characters(const std::vector<std::string>& texts) {
  std::set<std::string> seen;
  for (const std::string& text : texts)
    for (std::string& c : characters(text)) seen.insert(std::move(c));
  return Vocabulary({seen.begin(), seen.end()});
}

int64_t Vocabulary::number(const std::string& token) const {
  const auto found = numbers_.find(token);
  return found == numbers_.end() ? kUnknown : found->second;
}

std::vector<int64_t> Vocabulary::encode(const std::string& text) const {
  std::vector<int64_t> out;
  for (const std::string& c : characters(text)) out.push_back(number(c));
  return out;
}

std::string Vocabulary::decode(std::span<const int64_t> numbers) const {
  std::string out;
  for (const int64_t n : numbers) {
    if (n == kEnd) break;
    if (n >= kSpecial && n < size()) out += tokens_[n - kSpecial];
  }
  return out;
}

std::string Vocabulary::shown(int64_t number) const {
  if (number >= kSpecial && number < size()) return tokens_[number - kSpecial];
  return number == kUnknown ? "?" : "";
}

}  // namespace glia::text
