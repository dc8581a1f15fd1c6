#include "recipes/src/tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "glia/error.h"
#include "glia/text/vocabulary.h"

namespace glia::recipes {
namespace {

std::vector<std::string> byte_names() {
  std::vector<std::string> names;
  for (int i = 0; i < 256; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

Tokens::Tokens(std::vector<std::string> names) : names_(std::move(names)) {
  for (const std::string& name : names_)
    if (!numbers_.emplace(name, static_cast<int64_t>(numbers_.size())).second)
      throw IoError("the token '" + name + "' comes twice");
  if (names_.empty()) throw IoError("there are no tokens");
  bytes_ = names_ == byte_names();
}

Tokens Tokens::of(const std::string& text, bool bytes) {
  if (bytes) return Tokens(byte_names());
  const std::vector<std::string> all = text::characters(text);
  const std::set<std::string> kinds(all.begin(), all.end());
  return Tokens({kinds.begin(), kinds.end()});
}

std::vector<int64_t> Tokens::encode(const std::string& text) const {
  std::vector<int64_t> out;
  if (bytes_) {
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
    return out;
  }
  for (const std::string& c : text::characters(text)) {
    const auto at = numbers_.find(c);
    if (at == numbers_.end()) throw ValueError("'" + c + "' is no token that was trained on");
    out.push_back(at->second);
  }
  return out;
}

std::string Tokens::decode(const std::vector<int64_t>& tokens) const {
  std::string out;
  for (const int64_t token : tokens) {
    if (bytes_)
      out.push_back(static_cast<char>(token));
    else
      out += names_.at(token);
  }
  return out;
}

SplitTokens split_tokens(const std::vector<int64_t>& tokens, int64_t block,
                         const std::string& name) {
  const auto count = static_cast<int64_t>(tokens.size()), first = count / 10 * 9;
  if (std::min(first, count - first) <= block)
    throw IoError(fmt::format("{}: {} tokens are too few for blocks of {}: a tenth is the test",
                              name, count, block));
  const Tensor all = from_vector(tokens, {count});
  return {slice(all, 0, {0, first}), slice(all, 0, {first, count})};
}

double loss_of(const text::LanguageModel& model, const Tensor& tokens, int64_t block,
               int64_t at_once) {
  const NoGrad no_grad;
  const int64_t blocks = (tokens.size(0) - 1) / block;
  if (blocks < 1) throw ValueError("the text is not longer than a block");
  double sum = 0;
  for (int64_t i = 0; i < blocks; i += at_once) {
    const int64_t n = std::min(at_once, blocks - i);
    const auto part = [&](int64_t shift) {
      const int64_t from = i * block + shift;
      return reshape(slice(tokens, 0, {from, from + n * block}), {n, block});
    };
    sum += static_cast<double>(n) * cross_entropy(model(part(0)), part(1)).item();
  }
  return sum / static_cast<double>(blocks);
}

text::SamplingOptions sampling_of(const Generation& how) {
  return {.temperature = how.temperature,
          .top_k = how.top_k,
          .top_p = how.top_p,
          .min_p = how.min_p,
          .repetition_penalty = how.repetition_penalty};
}

std::string written(const text::LanguageModel& model, const Tokens& tokens,
                    const std::string& prompt, const Generation& how) {
  std::vector<int64_t> before = tokens.encode(prompt);
  const bool has_break = std::ranges::count(tokens.names(), "\n") > 0;
  if (before.empty()) before = has_break ? tokens.encode("\n") : std::vector<int64_t>{0};
  return tokens.decode(
      text::generate(model, before, how.length, sampling_of(how), static_cast<uint64_t>(how.seed)));
}

}  // namespace glia::recipes
