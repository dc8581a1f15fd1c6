// Glia's side of gguf_files.py, llama.py and bert.py.
#include "glia/io.h"
#include "glia/llm/bert.h"
#include "glia/llm/chat.h"
#include "glia/llm/models.h"
#include "glia/ops.h"

#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

using namespace glia;

namespace {

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

// Each tensor's numbers.
void dequantize(const std::string& from, const std::string& to) {
  io::NamedTensors all;
  for (const auto& [name, tensor] : llm::read_gguf(from).tensors)
    all.emplace_back(name, llm::dequantize(tensor));
  io::write_safetensors(to, all);
}
// An array in each kind of weights, and the settings of a file.
void quantize(const std::string& from, const std::string& like, const std::string& to) {
  llm::Gguf out = llm::read_gguf(like);
  out.tensors.clear();
  const Tensor x = io::read_npy(from);
  for (const char* kind : {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"})
    out.tensors.emplace_back(kind, llm::quantize(x, llm::quant_named(kind)));
  llm::write_gguf(to, out);
}

// Logits of a model of Transformers' weights, its config's numbers in order.
void llama(char** a) {
  std::ifstream in(a[0]);
  llm::LlamaConfig c;
  in >> c.vocab_size >> c.hidden_size >> c.intermediate_size >> c.num_hidden_layers >>
      c.num_attention_heads >> c.num_key_value_heads >> c.rms_norm_eps >> c.rope_theta >>
      c.tie_word_embeddings;
  llm::Llama model(c);
  model.load_state_dict(io::read_safetensors(a[1]));
  model.eval();
  const Tensor tokens = io::read_npy(a[2]);
  io::write_npy(a[3], model(tokens));
  io::write_npy(a[4], llm::LlamaDecoder(llm::to_gguf(model))(tokens));
}
// Of each line of a text its tokens, and their logits by the model and its decoder, one row each.
void real(const std::string& gguf, const std::string& text, const std::string& folder) {
  const llm::Gguf file = llm::read_gguf(gguf);
  const auto tokenizer = llm::gguf_tokenizer(file);
  llm::Llama model(file);
  model.eval();
  const llm::LlamaDecoder decoder(file);
  const NoGrad no_grad;
  int64_t i = 0;
  for (const std::string& line : lines_of(text)) {
    const std::vector<int64_t> ids = tokenizer.ids(line, false);
    const Tensor tokens = from_vector(ids, {1, static_cast<int64_t>(ids.size())});
    const std::string at = folder + "/" + std::to_string(i++) + "_";
    io::write_npy(at + "tokens.npy", tokens);
    io::write_npy(at + "model.npy", index(model(tokens), {0}));
    io::write_npy(at + "decoder.npy", index(decoder(tokens), {0}));
  }
}
// A template, then roles and contents in turn.
void chat(int count, char** a) {
  std::vector<llm::Message> talk;
  for (int i = 1; i + 1 < count; i += 2) talk.push_back({a[i], a[i + 1]});
  std::cout << llm::apply_chat_template(io::read_file(a[0]), talk, true,
                                        {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
}

void bert(char** a) {
  llm::Bert model = llm::load_bert(a[0]);
  model.eval();
  const Tensor h = model(io::read_npy(a[1]), io::read_npy(a[2]), io::read_npy(a[3]));
  io::write_npy(a[4], h);
  io::write_npy(a[5], model.pooled(h));
}
void sentences(char** a) { io::write_npy(a[2], llm::SentenceEncoder(a[0]).encode(lines_of(a[1]))); }

}  // namespace

int main(int count, char** a) {
  const std::string what = a[1];
  if (what == "dequantize") dequantize(a[2], a[3]);
  if (what == "quantize") quantize(a[2], a[3], a[4]);
  if (what == "llama") llama(a + 2);
  if (what == "real") real(a[2], a[3], a[4]);
  if (what == "chat") chat(count - 2, a + 2);
  if (what == "bert") bert(a + 2);
  if (what == "sentences") sentences(a + 2);
  if (what == "find") {
    try {
      std::cout << llm::find_model(a[2]);
    } catch (const IoError&) {
    }
  }
}
