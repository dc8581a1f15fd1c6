#include "glia/llm/chat.h"

#include <algorithm>
#include <chrono>

#include "glia/error.h"
#include "jinja.h"

namespace glia::llm {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";  // what a part of a character decodes to
// Texts of tokens at which what a model writes is over, besides the one that its file names.
constexpr const char* kEnds[] = {"<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end|>", "</s>"};
constexpr int64_t kControl = 3, kUserDefined = 4;  // types of tokens

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A text that grows by tokens: whole characters alone are shown, and nothing of what may become a
// text that ends it.
class Writer {
 public:
  Writer(const text::Tokenizer& tokenizer, const std::vector<std::string>& stop,
         const OnText& on_text)
      : tokenizer_(tokenizer), stop_(stop), on_text_(on_text) {}

  // False if the text has ended with this token.
  bool add(int64_t token) {
    tokens_.push_back(token);
    take(false);
    return !ended_;
  }
  std::string finish() {
    if (!ended_) {
      take(true);
      show(text_.size());
    }
    return text_;
  }

 private:
  // A token's text may depend on the one before: both are decoded, and what was known is left out.
  void take(bool all) {
    const std::vector<int64_t> known(tokens_.begin() + before_, tokens_.begin() + taken_);
    const std::vector<int64_t> now(tokens_.begin() + before_, tokens_.end());
    const std::string old = tokenizer_.decode(known), with = tokenizer_.decode(now);
    if (with.size() <= old.size() || (!all && with.ends_with(kReplacement))) return;
    text_ += with.substr(old.size());
    before_ = taken_;
    taken_ = static_cast<int64_t>(tokens_.size());
    size_t safe = text_.size();
    for (const std::string& stop : stop_) {
      if (stop.empty()) continue;
      const size_t from = shown_ > stop.size() ? shown_ - stop.size() : 0;
      if (const size_t at = text_.find(stop, from); at != std::string::npos) {
        text_.resize(at);
        ended_ = true;
        return show(at);
      }
      for (size_t n = std::min(stop.size() - 1, text_.size()); n > 0; --n)
        if (text_.ends_with(stop.substr(0, n))) {
          safe = std::min(safe, text_.size() - n);
          break;
        }
    }
    show(safe);
  }
  void show(size_t end) {
    if (end <= shown_) return;
    if (on_text_) on_text_(text_.substr(shown_, end - shown_));
    shown_ = end;
  }

  const text::Tokenizer& tokenizer_;
  const std::vector<std::string>& stop_;
  const OnText& on_text_;
  std::vector<int64_t> tokens_;
  int64_t before_ = 0, taken_ = 0;  // the text has the tokens before taken_
  std::string text_;
  size_t shown_ = 0;
  bool ended_ = false;
};

}  // namespace

std::string apply_chat_template(const std::string& chat_template,
                                const std::vector<Message>& messages, bool add_generation_prompt,
                                const std::map<std::string, std::string>& variables) {
  jinja::List all;
  for (const Message& m : messages)
    all.push_back(
        {std::make_shared<jinja::Map>(jinja::Map{{"role", {m.role}}, {"content", {m.content}}})});
  jinja::Map known{{"messages", {std::make_shared<jinja::List>(all)}},
                   {"add_generation_prompt", {add_generation_prompt}}};
  for (const auto& [name, value] : variables) known[name] = {value};
  return jinja::render(chat_template, known);
}

text::Tokenizer gguf_tokenizer(const Gguf& file) {
  const std::string model = file.text("tokenizer.ggml.model");
  const std::vector<std::string> tokens = file.texts("tokenizer.ggml.tokens");
  std::vector<int64_t> types(tokens.size(), 1);
  if (file.has("tokenizer.ggml.token_type")) types = file.integers("tokenizer.ggml.token_type");
  if (types.size() != tokens.size())
    throw Error("the GGUF file has " + std::to_string(types.size()) + " types for " +
                std::to_string(tokens.size()) + " tokens");
  if (model == "gpt2") {
    std::vector<std::string> special;
    for (size_t i = 0; i < tokens.size(); ++i)
      if (types[i] == kControl || types[i] == kUserDefined) special.push_back(tokens[i]);
    return text::Tokenizer::from_bpe(tokens, file.texts("tokenizer.ggml.merges"),
                                     file.text("tokenizer.ggml.pre", "gpt-2"), special);
  }
  if (model == "llama")
    return text::Tokenizer::from_pieces(tokens, file.numbers("tokenizer.ggml.scores"), types, false,
                                        file.integer("tokenizer.ggml.add_space_prefix", 1) != 0);
  throw Error("the GGUF file's tokens are of kind '" + model + "'; gpt2 and llama are known here");
}

Assistant::Assistant(const Gguf& file)
    : model_(file),
      tokenizer_(gguf_tokenizer(file)),
      template_(file.text("tokenizer.chat_template", "")) {
  if (tokenizer_.size() > model_.config().vocab_size)
    throw Error("the GGUF file has more tokens than rows of weights for them");
  const auto token = [&](const char* name) {
    return file.integer(std::string("tokenizer.ggml.") + name + "_token_id", -1);
  };
  bos_ = token("bos");
  const bool sentencepiece = file.text("tokenizer.ggml.model") == "llama";
  starts_ = file.integer("tokenizer.ggml.add_bos_token", sentencepiece) != 0 && bos_ >= 0;
  for (const int64_t end : {token("eos"), token("eot")})
    if (end >= 0) ends_.push_back(end);
  for (const char* end : kEnds)
    if (const auto id = tokenizer_.id(end); id && tokenizer_.is_special(*id)) ends_.push_back(*id);
  for (const char* name : {"bos", "eos"})
    if (token(name) >= 0) variables_[std::string(name) + "_token"] = tokenizer_.token(token(name));
}

std::string Assistant::prompt_of(const std::vector<Message>& messages) const {
  if (template_.empty()) throw Error("the GGUF file has no template of conversations");
  return apply_chat_template(template_, messages, true, variables_);
}

std::string Assistant::generate(const std::string& prompt, const GenerationOptions& options,
                                const OnText& on_text) {
  std::vector<int64_t> tokens = tokenizer_.ids(prompt, false);
  if (starts_) tokens.insert(tokens.begin(), bos_);
  // From nothing: behind what separates texts.
  if (tokens.empty() && (bos_ >= 0 || !ends_.empty()))
    tokens.push_back(bos_ >= 0 ? bos_ : ends_[0]);
  return write(tokens, options, on_text);
}

std::string Assistant::reply(const std::vector<Message>& messages, const GenerationOptions& options,
                             const OnText& on_text) {
  return write(tokenizer_.ids(prompt_of(messages), false), options, on_text);
}

std::string Assistant::write(const std::vector<int64_t>& tokens, const GenerationOptions& options,
                             const OnText& on_text) {
  if (tokens.empty()) throw ValueError("there is no text to go on from");
  if (options.max_new_tokens < 0)
    throw ValueError("max_new_tokens is " + std::to_string(options.max_new_tokens));
  if (!reader_) reader_ = model_.reader();
  // What the text begins with and the reader has read; the last token is read in any case.
  const auto same = std::ranges::mismatch(tokens, seen_).in1 - tokens.begin();
  const auto kept = std::min<int64_t>(same, static_cast<int64_t>(tokens.size()) - 1);
  const std::vector<int64_t> before(tokens.begin(), tokens.begin() + kept);
  const std::vector<int64_t> rest(tokens.begin() + kept, tokens.end());
  reader_->rewind(kept);
  Writer writer(tokenizer_, options.stop, on_text);
  data::Random random(options.seed, 0);
  speed_ = {.read = static_cast<int64_t>(rest.size())};
  const double start = seconds();
  double first = 0;
  try {
    const std::vector<int64_t> out = text::generate(
        *reader_, rest, options.max_new_tokens, options.sampling, random,
        [&](int64_t token) {
          if (first == 0) first = seconds();
          ++speed_.written;
          return std::ranges::count(ends_, token) == 0 && writer.add(token);
        },
        before);
    seen_ = tokens;
    seen_.insert(seen_.end(), out.begin(), out.end());
    // The last of as many as were wanted was not read.
    if (!out.empty() && static_cast<int64_t>(out.size()) == options.max_new_tokens)
      seen_.pop_back();
  } catch (...) {
    reader_.reset();
    seen_.clear();
    throw;
  }
  if (first == 0) first = seconds();
  speed_.read_seconds = first - start;
  speed_.written_seconds = seconds() - first;
  return writer.finish();
}

}  // namespace glia::llm
