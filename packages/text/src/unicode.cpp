#include "unicode.h"

#include <unicode/normalizer2.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/uregex.h>
#include <unicode/uscript.h>

#include <array>
#include <atomic>
#include <memory>

#include "glia/error.h"

namespace glia::text {
namespace {

constexpr uint8_t kAge = 8;  // the Unicode that files of tokenisers are read with elsewhere
constexpr uint32_t kBlock = 256, kBlocks = 0x110000 / kBlock;
using Block = std::array<uint16_t, kBlock>;

bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

uint16_t classify(UChar32 c) {
  uint16_t out = 0;
  const uint32_t category = U_GET_GC_MASK(c);
  UVersionInfo age;
  u_charAge(c, age);
  const bool old = age[0] <= kAge;
  if (category & U_GC_L_MASK) out |= kLetter;
  if (category & U_GC_N_MASK) out |= kNumber;
  if (u_isUWhiteSpace(c)) out |= kWhite;
  if (u_isUAlphabetic(c) || (category & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) ||
      u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL))
    out |= kWord;
  if (old && (category & U_GC_P_MASK)) out |= kPunctuation;
  if (category & U_GC_MN_MASK) out |= kNonspacing;
  if (old && (category & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK))) out |= kInvisible;
  if (is_chinese(c)) out |= kChinese;
  if (c > 32 && c < 127 && !u_isalnum(c)) out |= kAsciiPunctuation;
  return out;
}

void check_icu(UErrorCode code, const char* what) {
  if (U_FAILURE(code)) throw ValueError(std::string(what) + ": " + u_errorName(code));
}

const icu::Normalizer2& normalizer(const std::string& form) {
  UErrorCode code = U_ZERO_ERROR;
  const icu::Normalizer2* out = form == "nfc"    ? icu::Normalizer2::getNFCInstance(code)
                                : form == "nfd"  ? icu::Normalizer2::getNFDInstance(code)
                                : form == "nfkc" ? icu::Normalizer2::getNFKCInstance(code)
                                                 : icu::Normalizer2::getNFKDInstance(code);
  check_icu(code, "normalisation");
  return *out;
}

// UTF-16 of valid UTF-8, and the byte at which each unit's character begins, with the end.
struct Wide {
  std::u16string text;
  std::vector<uint32_t> bytes;

  explicit Wide(std::string_view utf8) {
    text.reserve(utf8.size());
    bytes.reserve(utf8.size() + 1);
    for (size_t at = 0; at < utf8.size();) {
      const auto [c, size] = decode_at(utf8, at);
      if (c >= 0x10000) {
        text += static_cast<char16_t>(0xD7C0 + (c >> 10));
        text += static_cast<char16_t>(0xDC00 | (c & 0x3FF));
        bytes.push_back(static_cast<uint32_t>(at));
      } else {
        text += static_cast<char16_t>(c);
      }
      bytes.push_back(static_cast<uint32_t>(at));
      at += size;
    }
    bytes.push_back(static_cast<uint32_t>(utf8.size()));
  }
};

}  // namespace

uint16_t classes_of(char32_t c) {
  static std::array<std::atomic<const Block*>, kBlocks> blocks{};  // each lives to the end
  if (c >= 0x110000) return 0;
  auto& place = blocks[c / kBlock];
  const Block* block = place.load(std::memory_order_acquire);
  if (!block) {
    auto made = std::make_unique<Block>();
    for (uint32_t i = 0; i < kBlock; ++i)
      (*made)[i] = classify(static_cast<UChar32>(c / kBlock * kBlock + i));
    if (place.compare_exchange_strong(block, made.get(), std::memory_order_acq_rel))
      block = made.release();
  }
  return (*block)[c % kBlock];
}

void append_utf8(std::string* out, char32_t c) {
  if (c < 0x80) {
    *out += static_cast<char>(c);
  } else if (c < 0x800) {
    *out += static_cast<char>(0xC0 | c >> 6);
    *out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *out += static_cast<char>(0xE0 | c >> 12);
    *out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    *out += static_cast<char>(0xF0 | c >> 18);
    *out += static_cast<char>(0x80 | (c >> 12 & 0x3F));
    *out += static_cast<char>(0x80 | (c >> 6 & 0x3F));
    *out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

uint32_t valid_bytes(std::string_view text, size_t at, uint32_t* bad) {
  const auto first = static_cast<uint8_t>(text[at]);
  if (first < 0x80) return 1;
  const uint32_t want = first >= 0xC2 && first < 0xE0   ? 2
                        : first >= 0xE0 && first < 0xF0 ? 3
                        : first >= 0xF0 && first < 0xF5 ? 4
                                                        : 0;
  uint32_t size = 1;
  for (; size < want && at + size < text.size(); ++size) {
    const auto b = static_cast<uint8_t>(text[at + size]);
    uint8_t low = 0x80, high = 0xBF;  // of the second byte: no longer form, surrogate or beyond
    if (size == 1 && first == 0xE0) low = 0xA0;
    if (size == 1 && first == 0xED) high = 0x9F;
    if (size == 1 && first == 0xF0) low = 0x90;
    if (size == 1 && first == 0xF4) high = 0x8F;
    if (b < low || b > high) break;
  }
  if (want > 0 && size == want) return size;
  if (bad) *bad = size;
  return 0;
}

bool is_valid_utf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const uint32_t size = valid_bytes(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

std::string repaired_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    uint32_t bad = 0;
    const uint32_t size = valid_bytes(text, at, &bad);
    out += size ? text.substr(at, size) : std::string_view("\xEF\xBF\xBD");
    at += size ? size : bad;
  }
  return out;
}

std::string lower_of(char32_t c) {
  std::string out;
  if (c == 0x130) return "i\xCC\x87";
  append_utf8(&out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(c))));
  return out;
}

std::string decomposed(char32_t c) {
  std::string out;
  if (icu::UnicodeString in; normalizer("nfd").getDecomposition(static_cast<UChar32>(c), in))
    in.toUTF8String(out);
  else
    append_utf8(&out, c);
  return out;
}

std::string normalized_utf8(const std::string& form, std::string_view text) {
  UErrorCode code = U_ZERO_ERROR;
  std::string out;
  icu::StringByteSink<std::string> sink(&out, static_cast<int32_t>(text.size()));
  normalizer(form).normalizeUTF8(
      0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr, code);
  check_icu(code, "normalisation");
  return out;
}

bool begins_normalization(const std::string& form, char32_t c) {
  return normalizer(form).hasBoundaryBefore(static_cast<UChar32>(c));
}

int32_t script_of(char32_t c) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  if (age[0] > kAge + 1) return -1;
  UErrorCode code = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(static_cast<UChar32>(c), &code);
  return script == USCRIPT_UNKNOWN ? -1 : script;
}

int32_t script_named(const char* name) {
  UErrorCode code = U_ZERO_ERROR;
  UScriptCode script = USCRIPT_UNKNOWN;
  uscript_getCode(name, &script, 1, &code);
  return script;
}

std::vector<size_t> graphemes(std::string_view text) {
  const Wide wide(text);
  UErrorCode code = U_ZERO_ERROR;
  const std::unique_ptr<UBreakIterator, decltype(&ubrk_close)> breaks(
      ubrk_open(UBRK_CHARACTER, "", wide.text.data(), static_cast<int32_t>(wide.text.size()),
                &code),
      ubrk_close);
  check_icu(code, "graphemes");
  std::vector<size_t> out;
  for (int32_t at = ubrk_first(breaks.get()); at != UBRK_DONE; at = ubrk_next(breaks.get()))
    out.push_back(wide.bytes[static_cast<size_t>(at)]);
  return out;
}

struct Regex::Compiled {
  std::unique_ptr<URegularExpression, decltype(&uregex_close)> expression{nullptr, uregex_close};
};

Regex::Regex(const std::string& pattern) {
  if (!is_valid_utf8(pattern)) throw ValueError("a regular expression that is not UTF-8");
  const Wide wide(pattern);
  UErrorCode code = U_ZERO_ERROR;
  UParseError where{};
  auto made = std::make_shared<Compiled>();
  made->expression.reset(
      uregex_open(wide.text.data(), static_cast<int32_t>(wide.text.size()), 0, &where, &code));
  check_icu(code, ("the regular expression '" + pattern + "'").c_str());
  compiled_ = std::move(made);
}

std::vector<Regex::Match> Regex::find_all(std::string_view text) const {
  constexpr int32_t kMostSteps = 1 << 20;  // of ICU's unit, some milliseconds
  const Wide wide(text);
  UErrorCode code = U_ZERO_ERROR;
  const std::unique_ptr<URegularExpression, decltype(&uregex_close)> own(
      uregex_clone(compiled_->expression.get(), &code), uregex_close);
  uregex_setTimeLimit(own.get(), kMostSteps, &code);
  uregex_setText(own.get(), wide.text.data(), static_cast<int32_t>(wide.text.size()), &code);
  check_icu(code, "a regular expression");
  std::vector<Match> out;
  while (uregex_findNext(own.get(), &code))
    out.push_back({wide.bytes[static_cast<size_t>(uregex_start(own.get(), 0, &code))],
                   wide.bytes[static_cast<size_t>(uregex_end(own.get(), 0, &code))]});
  check_icu(code, "a regular expression");
  return out;
}

}  // namespace glia::text
