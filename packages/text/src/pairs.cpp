#include "glia/text/pairs.h"

#include <algorithm>
#include <cctype>

#include "glia/error.h"

namespace glia::text {
namespace {

constexpr size_t kLongest = 2000;  // bytes of a text

[[noreturn]] void fail(const std::string& path, int64_t line, const std::string& fault) {
  throw IoError(path + ": line " + std::to_string(line) + ": " + fault);
}

// Fields between tabs, or between commas where they may be quoted.
std::vector<std::string> columns(const std::string& line, bool tabs, const std::string& path,
                                 int64_t number) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    if (!tabs && line[i] == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"')
        out.back() += line[i++];
      else
        quoted = !quoted;
    } else if (!quoted && line[i] == (tabs ? '\t' : ',')) {
      out.emplace_back();
    } else {
      out.back() += line[i];
    }
  }
  if (quoted) fail(path, number, "a quote is not closed");
  return out;
}

bool is(const std::string& text, std::string_view word) {
  return std::ranges::equal(text, word, {}, [](unsigned char c) { return std::tolower(c); });
}

}  // namespace

Pairs read_pairs(const std::string& path) {
  Pairs out;
  bool tabs = false;
  int64_t number = 0;
  for (const data::Sample& sample : data::from_lines(path)) {
    const std::string& line = sample.text("line");
    if (++number == 1) tabs = line.find('\t') != std::string::npos;
    if (line.empty()) continue;
    const std::vector<std::string> fields = columns(line, tabs, path, number);
    if (fields.size() != 2)
      fail(path, number,
           "has " + std::to_string(fields.size()) + (fields.size() == 1 ? " column" : " columns") +
               ", not a source and a target");
    if (number == 1 && is(fields[0], "source") && is(fields[1], "target")) continue;
    if (fields[0].empty()) fail(path, number, "the source is empty");
    if (std::max(fields[0].size(), fields[1].size()) > kLongest)
      fail(path, number, "is longer than " + std::to_string(kLongest) + " bytes");
    out.source.push_back(fields[0]);
    out.target.push_back(fields[1]);
  }
  if (out.source.empty()) throw IoError(path + ": holds no pairs");
  return out;
}

SplitPairs split(const Pairs& pairs, double test_share, uint64_t seed) {
  SplitPairs out;
  for (int64_t i = 0; i < pairs.size(); ++i) {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
    for (const unsigned char c : pairs.source[i]) hash = (hash ^ c) * 0x100000001b3;
    Pairs& to = data::Random(seed, hash).uniform() < test_share ? out.test : out.train;
    to.source.push_back(pairs.source[i]);
    to.target.push_back(pairs.target[i]);
  }
  return out;
}

}  // namespace glia::text
