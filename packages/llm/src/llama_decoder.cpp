#include "llama_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/error.h"
#include "glia/ops.h"
#include "glia/parallel.h"

namespace glia::llm {
namespace {

constexpr int64_t kPass = 512;        // tokens that go through the layers together
constexpr int64_t kFewRows = 8;       // of activations, with which a product is bound by memory
constexpr int64_t kGroupsOfItem = 4;  // of weights then, in an item of parallel work
constexpr int64_t kBlock = 16;        // positions whose keys lie side by side

int64_t up_to(int64_t n, int64_t of) { return (n + of - 1) / of * of; }

std::vector<float> floats_of(const Gguf& file, const std::string& name) {
  return dequantize(file.tensor(name)).to_vector<float>();
}

}  // namespace

LlamaDecoder::Weights::Weights(const Gguf& file)
    : config(llama_config(file)), table(file.tensor("token_embd.weight")) {
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const auto name = [i](const char* part) { return fmt::format("blk.{}.{}.weight", i, part); };
    const auto matrix = [&](const char* part) { return pack_rows(file.tensor(name(part))); };
    layers.push_back({floats_of(file, name("attn_norm")), floats_of(file, name("ffn_norm")),
                      matrix("attn_q"), matrix("attn_k"), matrix("attn_v"), matrix("attn_output"),
                      matrix("ffn_gate"), matrix("ffn_up"), matrix("ffn_down")});
  }
  norm = floats_of(file, "output_norm.weight");
  output = pack_rows(config.tie_word_embeddings ? table : file.tensor("output.weight"));
}

LlamaDecoder::LlamaDecoder(const Gguf& file) : weights_(std::make_shared<Weights>(file)) {}
const LlamaConfig& LlamaDecoder::config() const { return weights_->config; }

Tensor LlamaDecoder::operator()(const Tensor& tokens) const {
  if (!tokens.defined() || tokens.rank() != 2)
    throw ShapeError("LlamaDecoder: needs tokens (N, T), got " +
                     (tokens.defined() ? tokens.shape().str() : "nothing"));
  const std::vector<int64_t> all = tokens.to_vector<int64_t>();
  const int64_t length = tokens.size(1);
  std::vector<Tensor> rows;
  for (int64_t n = 0; n < tokens.size(0); ++n)
    rows.push_back(LlamaReader(weights_).read_all(std::span(all).subspan(n * length, length)));
  return rows.empty() ? zeros({0, length, config().vocab_size}) : stack(rows, 0);
}

std::unique_ptr<LlamaDecoder::Reader> LlamaDecoder::reader() const {
  return std::make_unique<LlamaReader>(weights_);
}

// ---- Reading ----------------------------------------------------------------------------------

LlamaReader::LlamaReader(std::shared_ptr<const LlamaDecoder::Weights> weights)
    : w_(std::move(weights)),
      head_(w_->config.hidden_size / w_->config.num_attention_heads),
      padded_(up_to(head_, 16)),
      kept_(w_->config.num_hidden_layers * w_->config.num_key_value_heads) {
  for (int64_t i = 0; i < head_ / 2; ++i)
    frequencies_.push_back(static_cast<float>(std::pow(
        w_->config.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_))));
}

void LlamaReader::check(std::span<const int64_t> tokens) const {
  const LlamaConfig& c = w_->config;
  for (const int64_t token : tokens)
    if (token < 0 || token >= c.vocab_size)
      throw ValueError(fmt::format("LlamaDecoder: token {} is none of {}", token, c.vocab_size));
  if (static_cast<int64_t>(tokens.size()) > c.max_position_embeddings - length_)
    throw ValueError(fmt::format("LlamaDecoder: {} tokens behind {} are more than its {} positions",
                                 tokens.size(), length_, c.max_position_embeddings));
}

void LlamaReader::rewind(int64_t length) {
  if (length < 0 || length > length_)
    throw ValueError(fmt::format("LlamaDecoder: {} is not from 0 to {} tokens", length, length_));
  length_ = length;
}

Tensor LlamaReader::read(const std::vector<int64_t>& tokens) {
  if (tokens.empty()) throw ValueError("LlamaDecoder: there are no tokens to read");
  check(tokens);
  const std::span<const int64_t> all(tokens);
  int64_t last = 0;
  for (size_t i = 0; i < all.size(); i += kPass) {
    const auto part = all.subspan(i, std::min<size_t>(kPass, all.size() - i));
    pass(part);
    last = static_cast<int64_t>(part.size()) - 1;
  }
  return flatten(logits(x_.data() + last * w_->config.hidden_size, 1));
}

Tensor LlamaReader::read_all(std::span<const int64_t> tokens) {
  check(tokens);
  std::vector<Tensor> parts{zeros({0, w_->config.vocab_size})};
  for (size_t i = 0; i < tokens.size(); i += kPass) {
    const auto part = tokens.subspan(i, std::min<size_t>(kPass, tokens.size() - i));
    pass(part);
    parts.push_back(logits(x_.data(), static_cast<int64_t>(part.size())));
  }
  return concat(parts, 0);
}

void LlamaReader::pass(std::span<const int64_t> tokens) {
  const LlamaConfig& c = w_->config;
  const auto rows = static_cast<int64_t>(tokens.size());
  const int64_t width = c.hidden_size, keys = c.num_key_value_heads * head_;
  const auto room = [rows](std::vector<float>& v, int64_t columns) {
    if (static_cast<int64_t>(v.size()) < rows * columns) v.resize(rows * columns);
  };
  for (auto* v : {&x_, &normed_, &q_, &added_}) room(*v, width);
  for (auto* v : {&k_, &v_}) room(*v, keys);
  for (auto* v : {&gate_, &up_}) room(*v, c.intermediate_size);
  for (auto* v : {&cosines_, &sines_}) room(*v, head_ / 2);
  look_up(tokens);
  for (int64_t t = 0; t < rows; ++t)
    for (int64_t i = 0; i < head_ / 2; ++i) {
      const double angle = static_cast<double>(length_ + t) * frequencies_[i];
      cosines_[t * (head_ / 2) + i] = static_cast<float>(std::cos(angle));
      sines_[t * (head_ / 2) + i] = static_cast<float>(std::sin(angle));
    }
  const auto add = [&] {
    for (int64_t i = 0; i < rows * width; ++i) x_[i] += added_[i];
  };
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const LlamaDecoder::Weights::Layer& layer = w_->layers[i];
    normalize(layer.attention_norm, rows);
    multiply({{&layer.q, q_.data()}, {&layer.k, k_.data()}, {&layer.v, v_.data()}}, normed_.data(),
             rows, width);
    turn(rows);
    keep(i, rows);
    attend(i, rows);
    multiply({{&layer.o, added_.data()}}, q_.data(), rows, width);
    add();
    normalize(layer.feed_norm, rows);
    multiply({{&layer.gate, gate_.data()}, {&layer.up, up_.data()}}, normed_.data(), rows, width);
    parallel_for(rows, [&, size = c.intermediate_size](int64_t t) {
      kernels().gate(gate_.data() + t * size, up_.data() + t * size, size);
    });
    multiply({{&layer.down, added_.data()}}, gate_.data(), rows, c.intermediate_size);
    add();
  }
  length_ += rows;
}

void LlamaReader::look_up(std::span<const int64_t> tokens) {
  const int64_t width = w_->config.hidden_size;
  const QuantizedTensor& table = w_->table;
  const auto [block, size] = block_of(table.type);
  const int64_t bytes = width / block * size;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const uint8_t* const at = table.bytes.data<uint8_t>().data() + tokens[t] * bytes;
    const Tensor row = dequantize({table.type, {width}, from_bytes(at, {bytes}, kU8)});
    std::ranges::copy(row.data<float>(), x_.data() + t * width);
  }
}

void LlamaReader::multiply(std::span<const Job> jobs, const float* x, int64_t rows,
                           int64_t columns) {
  const Kernels& k = kernels();
  bytes_.resize(rows, columns);
  bytes_.values = x;
  if (!std::ranges::all_of(jobs, [](const Job& j) { return is_float(j.weights->type); }))
    parallel_for(rows, [&](int64_t t) { k.to_bytes(bytes_, t); });
  const int64_t each = rows < kFewRows ? kGroupsOfItem : 1;
  int64_t items = 0;
  for (const Job& job : jobs) items += (job.weights->groups() + each - 1) / each;
  parallel_for(items, [&](int64_t item) {
    for (const Job& job : jobs) {
      const int64_t groups = job.weights->groups(), count = (groups + each - 1) / each;
      if (item < count) {
        const int64_t last = std::min(groups, (item + 1) * each);
        return k.product(*job.weights, item * each, last, bytes_, job.to, job.weights->rows);
      }
      item -= count;
    }
  });
}

void LlamaReader::normalize(const std::vector<float>& weight, int64_t rows) {
  const int64_t width = w_->config.hidden_size;
  const auto eps = static_cast<float>(w_->config.rms_norm_eps);
  parallel_for(rows, [&](int64_t t) {
    kernels().norm(x_.data() + t * width, weight.data(), width, eps, normed_.data() + t * width);
  });
}

// Queries and keys by their positions; queries get the factor of the scores too.
void LlamaReader::turn(int64_t rows) {
  const LlamaConfig& c = w_->config;
  const int64_t half = head_ / 2;
  const float scale = 1 / std::sqrt(static_cast<float>(head_));
  const auto heads = [&](float* x, int64_t count, int64_t t, float by) {
    const float *const cosine = cosines_.data() + t * half, *const sine = sines_.data() + t * half;
    for (int64_t h = 0; h < count; ++h, x += head_)
      for (int64_t i = 0; i < half; ++i) {
        const float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = by * (a * cosine[i] - b * sine[i]);
        x[2 * i + 1] = by * (a * sine[i] + b * cosine[i]);
      }
  };
  parallel_for(rows, [&](int64_t t) {
    heads(q_.data() + t * c.hidden_size, c.num_attention_heads, t, scale);
    heads(k_.data() + t * c.num_key_value_heads * head_, c.num_key_value_heads, t, 1);
  });
}

void LlamaReader::keep(int64_t layer, int64_t rows) {
  const int64_t heads = w_->config.num_key_value_heads, end = length_ + rows;
  parallel_for(heads, [&](int64_t h) {
    Head& kept = kept_[layer * heads + h];
    const int64_t blocks = up_to(end, kBlock);
    if (static_cast<int64_t>(kept.keys.size()) < blocks * head_) {
      // Room is doubled as it fills.
      const int64_t room = std::max(blocks, 2 * up_to(length_, kBlock));
      kept.keys.resize(room * head_);
      kept.values.resize(room * padded_);
    }
    std::vector<uint16_t> key(head_);
    for (int64_t t = 0; t < rows; ++t) {
      const int64_t at = length_ + t, from = (t * heads + h) * head_;
      kernels().to_half(k_.data() + from, head_, key.data());
      uint16_t* const to = kept.keys.data() + at / kBlock * kBlock * head_ + at % kBlock;
      for (int64_t d = 0; d < head_; ++d) to[d * kBlock] = key[d];
      kernels().to_half(v_.data() + from, head_, kept.values.data() + at * padded_);
    }
  });
}

void LlamaReader::attend(int64_t layer, int64_t rows) {
  const LlamaConfig& c = w_->config;
  const int64_t heads = c.num_attention_heads, shared = heads / c.num_key_value_heads;
  const int64_t tiles = (rows + kMostQueries - 1) / kMostQueries;
  parallel_for(heads * tiles, [&](int64_t item) {
    const int64_t h = item / tiles, first = item % tiles * kMostQueries;
    const int64_t count = std::min(kMostQueries, rows - first);
    const Head& kept = kept_[layer * c.num_key_value_heads + h / shared];
    float* query[kMostQueries];
    int64_t seen[kMostQueries];
    for (int64_t r = 0; r < count; ++r) {
      query[r] = q_.data() + (first + r) * c.hidden_size + h * head_;
      seen[r] = length_ + first + r + 1;
    }
    thread_local std::vector<float> scores;
    scores.resize(count * up_to(seen[count - 1], kBlock));
    kernels().attend({kept.keys.data(), kept.values.data(), head_, padded_}, query, seen, count,
                     scores.data());
  });
}

Tensor LlamaReader::logits(const float* x, int64_t rows) {
  const LlamaConfig& c = w_->config;
  const auto out = std::make_shared<std::vector<float>>(rows * c.vocab_size);
  for (int64_t t = 0; t < rows; ++t)
    kernels().norm(x + t * c.hidden_size, w_->norm.data(), c.hidden_size,
                   static_cast<float>(c.rms_norm_eps), normed_.data() + t * c.hidden_size);
  multiply({{&w_->output, out->data()}}, normed_.data(), rows, c.hidden_size);
  return from_external(out->data(), {rows, c.vocab_size}, kF32, out);
}

}  // namespace glia::llm
