// Characters of Unicode, by ICU: what they are, and UTF-8 as numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace glia::text {

// Bits of classes_of().
enum CharacterClass : uint16_t {
  kLetter = 1,             // \p{L}
  kNumber = 2,             // \p{N}
  kWhite = 4,              // White_Space
  kWord = 8,               // \w of regular expressions
  kPunctuation = 16,       // \p{P}, of characters that Unicode 8 has
  kNonspacing = 32,        // \p{Mn}
  kInvisible = 64,         // \p{Cc}, \p{Cf} and \p{Co}, of characters that Unicode 8 has
  kChinese = 128,          // the ideographs that BERT sets apart
  kAsciiPunctuation = 256  // what ASCII has besides letters, digits, blanks and controls
};
uint16_t classes_of(char32_t c);

// The character that begins at `at` of valid UTF-8, and how many bytes it has.
struct Decoded {
  char32_t character;
  uint32_t bytes;
};
inline Decoded decode_at(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const uint8_t b = byte(0);
  if (b < 0x80) return {b, 1};
  if (b < 0xE0) return {static_cast<char32_t>((b & 0x1F) << 6 | (byte(1) & 0x3F)), 2};
  if (b < 0xF0)
    return {static_cast<char32_t>((b & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F)), 3};
  return {static_cast<char32_t>((b & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 |
                                (byte(3) & 0x3F)),
          4};
}
// The first byte of the character that ends before `at`, which is not 0.
inline size_t before(std::string_view text, size_t at) {
  do --at;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80);
  return at;
}
void append_utf8(std::string* out, char32_t c);
// How many bytes from `at` on are a character of UTF-8; 0 if they are none, and then `bad` is how
// many of them one U+FFFD stands for (Unicode 15, table 3-8).
uint32_t valid_bytes(std::string_view text, size_t at, uint32_t* bad = nullptr);
bool is_valid_utf8(std::string_view text);
// With U+FFFD for what is none.
std::string repaired_utf8(std::string_view text);

// In full, as "ß" has no other and "İ" has two.
std::string lower_of(char32_t c);
// The canonical decomposition in full, or the character.
std::string decomposed(char32_t c);
// "nfc", "nfd", "nfkc" or "nfkd" of valid UTF-8.
std::string normalized_utf8(const std::string& form, std::string_view text);
// Whether a character, and what is normalised before it, does not change by what follows: texts may
// be cut before it.
bool begins_normalization(const std::string& form, char32_t c);
// ICU's number; -1 for a character that Unicode 9 has not.
int32_t script_of(char32_t c);
int32_t script_named(const char* name);
// Where the characters that people see begin (extended grapheme clusters), and the text's end.
std::vector<size_t> graphemes(std::string_view text);

// A regular expression over UTF-8. Copies share it; it may be used by several threads.
class Regex {
 public:
  // Throws ValueError.
  explicit Regex(const std::string& pattern);
  struct Match {
    size_t begin, end;
  };
  // All that do not overlap. Throws ValueError where the search takes too long.
  std::vector<Match> find_all(std::string_view text) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace glia::text
