#include "patterns.h"

#include <array>

#include "json.h"
#include "unicode.h"

namespace glia::text {
namespace {

class Literal : public Pattern {
 public:
  explicit Literal(std::string what) : what_(std::move(what)) {}
  std::vector<Range> find(std::string_view text) const override {
    std::vector<Range> out;
    if (what_.empty()) return out;
    for (size_t at = text.find(what_); at != std::string_view::npos;
         at = text.find(what_, at + what_.size()))
      out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + what_.size())});
    return out;
  }

 private:
  std::string what_;
};

class Expression : public Pattern {
 public:
  explicit Expression(const std::string& expression) : regex_(expression) {}
  std::vector<Range> find(std::string_view text) const override {
    std::vector<Range> out;
    for (const auto& [begin, end] : regex_.find_all(text))
      if (end > begin) out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
    return out;
  }

 private:
  Regex regex_;
};

// What GPT's expressions tell apart.
enum Kind : uint8_t { kLetters, kNumbers, kSpaces, kOthers };
const std::array<Kind, 128> kAsciiKinds = [] {
  std::array<Kind, 128> out{};
  for (int c = 0; c < 128; ++c)
    out[static_cast<size_t>(c)] = (c | 32) >= 'a' && (c | 32) <= 'z' ? kLetters
                                  : c >= '0' && c <= '9'             ? kNumbers
                                  : c == ' ' || (c >= 9 && c <= 13)  ? kSpaces
                                                                     : kOthers;
  return out;
}();

// Goes through a text by kinds of characters.
struct Scanner {
  std::string_view text;
  std::vector<Range> out = {};

  bool ends(size_t at) const { return at >= text.size(); }
  Kind kind(size_t at, size_t* next) const {
    const auto b = static_cast<uint8_t>(text[at]);
    if (b < 0x80) {
      *next = at + 1;
      return kAsciiKinds[b];
    }
    const auto [c, bytes] = decode_at(text, at);
    *next = at + bytes;
    const uint16_t classes = classes_of(c);
    return classes & kLetter   ? kLetters
           : classes & kNumber ? kNumbers
           : classes & kWhite  ? kSpaces
                               : kOthers;
  }
  bool is(size_t at, Kind wanted) const {
    size_t next = 0;
    return !ends(at) && kind(at, &next) == wanted;
  }
  // Behind the characters of that kind from `at` on, of which there are at most `most`.
  size_t run(size_t at, Kind wanted, size_t most = SIZE_MAX) const {
    for (size_t next = 0; most > 0 && !ends(at) && kind(at, &next) == wanted; --most) at = next;
    return at;
  }
  size_t lines(size_t at) const {
    while (!ends(at) && (text[at] == '\r' || text[at] == '\n')) ++at;
    return at;
  }
  // How many bytes "'s" and such have here, or 0; `fold`: in capitals as well.
  size_t contraction(size_t at, bool fold) const {
    if (text[at] != '\'' || at + 1 >= text.size()) return 0;
    const auto low = [&](size_t i) -> char {
      if (i >= text.size()) return 0;
      const char c = text[i];
      return fold && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    };
    const char a = low(at + 1), b = low(at + 2);
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
    return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
  }
  void put(size_t begin, size_t end) {
    out.push_back({static_cast<uint32_t>(begin), static_cast<uint32_t>(end)});
  }
  // White space from `at` on: all but its last character if something follows it.
  size_t spaces(size_t at) const {
    const size_t end = run(at, kSpaces);
    if (ends(end)) return end;
    const size_t last = before(text, end);
    return last > at ? last : end;
  }
};

// The expression of cl100k, with at most so many digits together.
class Cl100k : public Pattern {
 public:
  explicit Cl100k(size_t digits) : digits_(digits) {}
  std::vector<Range> find(std::string_view text) const override {
    Scanner scan{text};
    for (size_t at = 0; at < text.size();) {
      const size_t end = next(scan, at);
      scan.put(at, end);
      at = end;
    }
    return std::move(scan.out);
  }

 private:
  size_t next(const Scanner& scan, size_t at) const {
    if (const size_t bytes = scan.contraction(at, true)) return at + bytes;
    size_t second = 0;
    const Kind first = scan.kind(at, &second);
    const char c = scan.text[at];
    if (first == kLetters) return scan.run(second, kLetters);
    if (first == kNumbers) return scan.run(at, kNumbers, digits_);
    if (c != '\r' && c != '\n' && scan.is(second, kLetters)) return scan.run(second, kLetters);
    const size_t others = c == ' ' ? second : at;
    if (scan.is(others, kOthers)) return scan.lines(scan.run(others, kOthers));
    const size_t end = scan.run(at, kSpaces);
    for (size_t i = end; i > at; --i)
      if (scan.text[i - 1] == '\r' || scan.text[i - 1] == '\n') return i;
    return scan.spaces(at);
  }
  size_t digits_;
};

class Gpt2 : public Pattern {
 public:
  std::vector<Range> find(std::string_view text) const override { return scan_gpt2(text); }
};

}  // namespace

const char* const kLlama3Expression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char* const kQwen2Expression =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char* const kGpt2Expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::vector<Range> scan_gpt2(std::string_view text) {
  Scanner scan{text};
  scan.out.reserve(text.size() / 5 + 2);
  for (size_t at = 0; at < text.size();) {
    size_t end = at + scan.contraction(at, false);
    if (end == at) {
      const size_t first = text[at] == ' ' && at + 1 < text.size() ? at + 1 : at;
      size_t second = 0;
      const Kind kind = scan.kind(first, &second);
      end = kind == kSpaces ? scan.spaces(at) : scan.run(second, kind);
    }
    scan.put(at, end);
    at = end;
  }
  return std::move(scan.out);
}

std::shared_ptr<const Pattern> regex_pattern(const std::string& expression) {
  if (expression == kGpt2Expression) return std::make_shared<Gpt2>();
  if (expression == kLlama3Expression) return std::make_shared<Cl100k>(3);
  if (expression == kQwen2Expression) return std::make_shared<Cl100k>(1);
  return std::make_shared<Expression>(expression);
}

std::shared_ptr<const Pattern> read_pattern(const nlohmann::json& json) {
  if (json.is_string()) return std::make_shared<Literal>(json.get<std::string>());
  if (json.is_object() && json.contains("String"))
    return std::make_shared<Literal>(text_of(json, "String"));
  if (json.is_object() && json.contains("Regex")) return regex_pattern(text_of(json, "Regex"));
  throw ValueError("a pattern that is neither \"String\" nor \"Regex\"");
}

Behavior read_behavior(const nlohmann::json& json) {
  const std::string name = json.is_null() ? "Isolated" : as_text(json, "behavior");
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  throw ValueError("the behavior \"" + name + "\" is not known");
}

std::vector<Cut> cuts_of(const std::vector<Range>& found, uint32_t size, bool invert) {
  std::vector<Cut> out;
  uint32_t at = 0;
  for (const Range& match : found) {
    if (match.begin > at) out.push_back({{at, match.begin}, invert});
    out.push_back({match, !invert});
    at = match.end;
  }
  if (at < size) out.push_back({{at, size}, invert});
  return out;
}

std::vector<Cut> cuts_where(std::string_view text, const std::function<bool(char32_t)>& is_match) {
  std::vector<Cut> out;
  for (uint32_t at = 0; at < text.size();) {
    const auto [c, bytes] = decode_at(text, at);
    const bool match = is_match(c);
    if (!match && !out.empty() && !out.back().match)
      out.back().range.end = at + bytes;
    else
      out.push_back({{at, at + bytes}, match});
    at += bytes;
  }
  return out;
}

std::vector<Range> divided(const std::vector<Cut>& cuts, Behavior behavior) {
  std::vector<Range> out;
  switch (behavior) {
    case Behavior::kRemoved:
      for (const Cut& cut : cuts)
        if (!cut.match) out.push_back(cut.range);
      break;
    case Behavior::kIsolated:
      for (const Cut& cut : cuts) out.push_back(cut.range);
      break;
    case Behavior::kContiguous:
      for (size_t i = 0; i < cuts.size(); ++i)
        if (i > 0 && cuts[i].match == cuts[i - 1].match)
          out.back().end = cuts[i].range.end;
        else
          out.push_back(cuts[i].range);
      break;
    case Behavior::kMergedWithPrevious:
      for (size_t i = 0; i < cuts.size(); ++i)
        if (i > 0 && cuts[i].match && !cuts[i - 1].match)
          out.back().end = cuts[i].range.end;
        else
          out.push_back(cuts[i].range);
      break;
    case Behavior::kMergedWithNext:
      for (size_t i = 0; i < cuts.size(); ++i)
        if (i > 0 && cuts[i - 1].match && !cuts[i].match)
          out.back().end = cuts[i].range.end;
        else
          out.push_back(cuts[i].range);
      break;
  }
  return out;
}

}  // namespace glia::text
