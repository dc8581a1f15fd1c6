// Texts as numbers.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace glia::text {

// The characters of UTF-8. A byte that is part of none stands alone.
std::vector<std::string> characters(const std::string& text);

// Tokens by number, behind four that stand for something else.
class Vocabulary {
 public:
  static constexpr int64_t kPad = 0, kStart = 1, kEnd = 2, kUnknown = 3, kSpecial = 4;

  Vocabulary() = default;
  // In this order; throws Error for one that is empty or comes twice.
  explicit Vocabulary(std::vector<std::string> tokens);
  // The characters that there are in the texts, in order.
  static Vocabulary of_characters(const std::vector<std::string>& texts);

  int64_t size() const { return kSpecial + static_cast<int64_t>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  // kUnknown for what is no token.
  int64_t number(const std::string& token) const;
  // The number of each character; without kStart and kEnd.
  std::vector<int64_t> encode(const std::string& text) const;
  // Up to the first kEnd; what is special, or no number of a token, gives nothing.
  std::string decode(std::span<const int64_t> numbers) const;
  // One token for people: "?" for what is unknown, nothing for the other special ones.
  std::string shown(int64_t number) const;

 private:
  std::vector<std::string> tokens_;
  std::map<std::string, int64_t> numbers_;
};

}  // namespace glia::text
