// What a text is searched for: strings, regular expressions, and the expressions of GPT-2 and its
// successors, which are scanned without an engine.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "aligned.h"

namespace glia::text {

class Pattern {
 public:
  virtual ~Pattern() = default;
  // Parts that do not overlap, in order; an empty one never.
  virtual std::vector<Range> find(std::string_view text) const = 0;
};
// {"String": ...} or {"Regex": ...}, or a text. Throws ValueError.
std::shared_ptr<const Pattern> read_pattern(const nlohmann::json& json);
std::shared_ptr<const Pattern> regex_pattern(const std::string& expression);

// The parts that GPT-2's expression finds, which are all of the text.
std::vector<Range> scan_gpt2(std::string_view text);
// As expressions; Llama 3's and Qwen 2's are that of cl100k with three digits together and with
// one.
extern const char* const kGpt2Expression;
extern const char* const kLlama3Expression;
extern const char* const kQwen2Expression;

// What a delimiter does to what is cut at it, as tokenizer.json names it.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
Behavior read_behavior(const nlohmann::json& json);

// Parts of a text that match, and those between.
struct Cut {
  Range range;
  bool match;
};
// All of [0, size) by what was found in it.
std::vector<Cut> cuts_of(const std::vector<Range>& found, uint32_t size, bool invert);
// Each character a cut.
std::vector<Cut> cuts_where(std::string_view text, const std::function<bool(char32_t)>& is_match);
// What remains, without empty parts.
std::vector<Range> divided(const std::vector<Cut>& cuts, Behavior behavior);

}  // namespace glia::text
