// Talking with a language model: its tokens, the form in which it wants a conversation, and what it
// answers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "glia/llm/gguf.h"
#include "glia/llm/llama.h"
#include "glia/text/language_model.h"
#include "glia/text/tokenizer.h"

namespace glia::llm {

struct Message {
  std::string role;  // "system", "user" or "assistant"
  std::string content;
};

// A conversation in a model's form, by the template in Jinja that its files have; for the answer to
// come, if wanted. `variables` are what the template may name besides, such as bos_token. Known are
// the statements for, if and set, the operators, and the filters and methods that templates use; a
// ValueError names anything else, and what the template refuses itself.
std::string apply_chat_template(const std::string& chat_template,
                                const std::vector<Message>& messages,
                                bool add_generation_prompt = true,
                                const std::map<std::string, std::string>& variables = {});

// The tokeniser that a GGUF file has: byte-level BPE ("gpt2") or SentencePiece ("llama"). Throws
// Error for another.
text::Tokenizer gguf_tokenizer(const Gguf& file);

struct GenerationOptions {
  int64_t max_new_tokens = 256;
  text::SamplingOptions sampling = {};
  std::vector<std::string> stop = {};  // texts that end what is written, and are left out
  uint64_t seed = 0;
};
// Called with each part of a text as it is written, in whole characters.
using OnText = std::function<void(const std::string& part)>;

// A model with its tokens that goes on with texts, and answers.
class Assistant {
 public:
  // Of a GGUF file: its decoder, tokeniser, template and the tokens at which an answer ends.
  explicit Assistant(const Gguf& file);
  explicit Assistant(const std::string& path) : Assistant(read_gguf(path)) {}

  // What follows on the prompt.
  std::string generate(const std::string& prompt, const GenerationOptions& options = {},
                       const OnText& on_text = {});
  // The answer to the last of the messages. What an earlier call has read of the same conversation
  // is not read again.
  std::string reply(const std::vector<Message>& messages, const GenerationOptions& options = {},
                    const OnText& on_text = {});

  const text::Tokenizer& tokenizer() const { return tokenizer_; }
  const LlamaDecoder& model() const { return model_; }
  // The conversation as the model gets it.
  std::string prompt_of(const std::vector<Message>& messages) const;
  // Of the last text: tokens read anew, tokens written, and the seconds that took.
  struct Speed {
    int64_t read = 0, written = 0;
    double read_seconds = 0, written_seconds = 0;
  };
  Speed speed() const { return speed_; }

 private:
  std::string write(const std::vector<int64_t>& tokens, const GenerationOptions& options,
                    const OnText& on_text);

  LlamaDecoder model_;
  text::Tokenizer tokenizer_;
  std::string template_;
  std::map<std::string, std::string> variables_;
  std::vector<int64_t> ends_;
  bool starts_ = false;  // texts begin with the token bos
  int64_t bos_ = -1;
  std::shared_ptr<text::LanguageModel::Reader> reader_;
  std::vector<int64_t> seen_;  // by the reader
  Speed speed_;
};

}  // namespace glia::llm
