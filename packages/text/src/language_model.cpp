#include "glia/text/language_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glia/nn/init.h"

namespace glia::text {
namespace {

constexpr double kInitial = 0.02;  // deviation of a transformer's weights at the start

nn::LayerNorm norm_of(const LanguageModelOptions& o) {
  return nn::LayerNorm(o.width, {.bias = o.bias});
}
void require_tokens(const Tensor& tokens) {
  if (!tokens.defined() || tokens.rank() != 2)
    throw ShapeError("LanguageModel: needs tokens (N, T), got " +
                     (tokens.defined() ? tokens.shape().str() : "nothing"));
}
Tensor one_token(int64_t token) { return from_vector(std::vector<int64_t>{token}, {1, 1}); }

}  // namespace

// ---- Recurrent ----------------------------------------------------------------------------------

RecurrentNet::RecurrentNet(const std::string& kind, int64_t input_size, int64_t hidden_size,
                           nn::RecurrentOptions options) {
  options.batch_first = true;
  if (kind == "rnn")
    rnn.emplace(input_size, hidden_size, options);
  else if (kind == "lstm")
    lstm.emplace(input_size, hidden_size, options);
  else if (kind == "gru")
    gru.emplace(input_size, hidden_size, options);
  else if (kind == "peephole-lstm")
    peephole.emplace(input_size, hidden_size, options);
  else if (kind == "layer-norm-lstm")
    normed.emplace(input_size, hidden_size, options);
  else
    throw ValueError("RecurrentNet: there is no network '" + kind + "'");
}

LSTMResult RecurrentNet::operator()(const Tensor& x, const nn::LSTMState& s, Where where) const {
  if (lstm) return (*lstm)(x, s.h, s.c, {}, where);
  if (peephole) return (*peephole)(x, s.h, s.c, {}, where);
  if (normed) return (*normed)(x, s.h, s.c, {}, where);
  const RNNResult r = gru ? (*gru)(x, s.h, {}, where) : (*rnn)(x, s.h, {}, where);
  return {r.out, r.h, {}};
}

RecurrentLanguageModel::RecurrentLanguageModel(const std::string& kind, int64_t vocabulary,
                                               const LanguageModelOptions& o)
    : embedding(vocabulary, o.width),
      net(kind, o.width, o.width, {.num_layers = o.layers, .dropout = o.dropout}),
      dropout(o.dropout),
      out(o.width, vocabulary) {}

Tensor RecurrentLanguageModel::operator()(const Tensor& tokens) const {
  require_tokens(tokens);
  return out(dropout(net(dropout(embedding(tokens))).out));
}

class RecurrentLanguageModel::StateReader : public Reader {
 public:
  explicit StateReader(const RecurrentLanguageModel& model) : model_(model) {}
  Tensor next(int64_t token) override {
    const LSTMResult r = model_.net(model_.embedding(one_token(token)), state_);
    state_ = nn::detach(r);
    return flatten(model_.out(r.out));
  }

 private:
  const RecurrentLanguageModel& model_;
  nn::LSTMState state_;
};
std::unique_ptr<LanguageModel::Reader> RecurrentLanguageModel::reader() const {
  return std::make_unique<StateReader>(*this);
}

// ---- Transformer --------------------------------------------------------------------------------

Gpt::Block::Block(const LanguageModelOptions& o)
    : ln_1(norm_of(o)),
      attn(o.width, o.heads, {.dropout = o.dropout, .bias = o.bias}),
      ln_2(norm_of(o)),
      c_fc(o.width, multiply_sizes(4, o.width), {.bias = o.bias}),
      c_proj(multiply_sizes(4, o.width), o.width, {.bias = o.bias}),
      dropout(o.dropout) {}

Tensor Gpt::Block::operator()(const Tensor& x, nn::KVCache* cache) const {
  const Tensor in = ln_1(x);
  const auto seen = attn(in, in, in, {.need_weights = false, .is_causal = true, .cache = cache});
  const Tensor y = x + dropout(seen.out);
  return y + dropout(c_proj(gelu(c_fc(ln_2(y)))));
}

Gpt::Gpt(int64_t vocabulary, const LanguageModelOptions& o)
    : block(o.block),
      wte(vocabulary, o.width),
      wpe(o.block, o.width),
      dropout(o.dropout),
      ln_f(norm_of(o)) {
  constexpr int64_t kMostLayers = 1 << 12;
  if (o.layers < 1 || o.layers > kMostLayers)
    throw ShapeError("Gpt: " + std::to_string(o.layers) + " layers are not from 1 to " +
                     std::to_string(kMostLayers));
  for (int64_t i = 0; i < o.layers; ++i) h.emplace_back(o);
  // What is added on the way is smaller the more of it there is.
  const double added = kInitial / std::sqrt(2.0 * static_cast<double>(o.layers));
  for (const auto& [name, value] : named_parameters()) {
    const bool last = name.ends_with("c_proj.weight") || name.ends_with("out_proj.weight");
    if (value.shape().rank() == 2) nn::init::normal_(value, 0, last ? added : kInitial);
    if (name.ends_with("bias")) nn::init::zeros_(value);
  }
}

Tensor Gpt::operator()(const Tensor& tokens) const {
  require_tokens(tokens);
  Tensor x = dropout(wpe(wte(tokens)));
  for (const Block& b : h) x = b(x);
  return linear(ln_f(x), wte.weight);
}

// Up to `block` tokens by the cache; from then on each token sees a window of that many, whose
// positions all change, so that it is computed whole.
class Gpt::CachedReader : public Reader {
 public:
  explicit CachedReader(const Gpt& model) : model_(model), caches_(model.h.size()) {}
  Tensor next(int64_t token) override {
    seen_.push_back(token);
    const auto count = static_cast<int64_t>(seen_.size());
    if (count > model_.block) {
      caches_.clear();
      seen_.erase(seen_.begin());
      const Tensor all = model_(from_vector(seen_, {1, model_.block}));
      return index(all, {0, -1});
    }
    Tensor x = model_.wpe(model_.wte(one_token(token)), count - 1);
    for (size_t i = 0; i < model_.h.size(); ++i) x = model_.h[i](x, &caches_[i]);
    return flatten(linear(model_.ln_f(x), model_.wte.weight));
  }

 private:
  const Gpt& model_;
  std::vector<nn::KVCache> caches_;
  std::vector<int64_t> seen_;
};
std::unique_ptr<LanguageModel::Reader> Gpt::reader() const {
  return std::make_unique<CachedReader>(*this);
}

std::unique_ptr<LanguageModel> make_language_model(const std::string& kind, int64_t vocabulary,
                                                   const LanguageModelOptions& options) {
  if (kind == "gpt") return std::make_unique<Gpt>(vocabulary, options);
  return std::make_unique<RecurrentLanguageModel>(kind, vocabulary, options);
}

// ---- Drawing ------------------------------------------------------------------------------------

Tensor LanguageModel::Reader::read(const std::vector<int64_t>& tokens) {
  if (tokens.empty()) throw ValueError("LanguageModel: there are no tokens to read");
  Tensor logits;
  for (const int64_t token : tokens) glia::eval(logits = next(token));
  return logits;
}
void LanguageModel::Reader::rewind(int64_t) {
  throw Error("LanguageModel: what this model has read stays read");
}

namespace {

void check(const std::vector<double>& logits, const SamplingOptions& o) {
  if (!(o.temperature >= 0) || !(o.top_p > 0 && o.top_p <= 1) || o.top_k < 0 ||
      !(o.min_p >= 0 && o.min_p <= 1) || !(o.repetition_penalty > 0))
    throw ValueError(
        "sample: temperature, top_k, top_p, min_p or repetition_penalty is out of range");
  if (logits.empty() || std::ranges::any_of(logits, [](double x) { return std::isnan(x); }))
    throw ValueError("sample: the logits are no numbers");
}

// Numbers of tokens, the likeliest first, of equal ones the first; sorted as far as asked for.
class Likeliest {
 public:
  explicit Likeliest(const std::vector<double>& logits) : logits_(logits), order_(logits.size()) {
    std::iota(order_.begin(), order_.end(), 0);
  }
  int64_t operator[](size_t i) {
    if (i >= sorted_) {
      const size_t next =
          std::min(order_.size(), std::max(i + 1, std::max<size_t>(64, 4 * sorted_)));
      std::partial_sort(order_.begin() + static_cast<int64_t>(sorted_),
                        order_.begin() + static_cast<int64_t>(next), order_.end(),
                        [&](int64_t a, int64_t b) {
                          return logits_[a] != logits_[b] ? logits_[a] > logits_[b] : a < b;
                        });
      sorted_ = next;
    }
    return order_[i];
  }

 private:
  const std::vector<double>& logits_;
  std::vector<int64_t> order_;
  size_t sorted_ = 0;
};

int64_t draw(const std::vector<double>& logits, const SamplingOptions& o, data::Random& random) {
  const auto best = std::ranges::max_element(logits);
  const double most = *best;
  if (o.temperature == 0 || !std::isfinite(most)) return best - logits.begin();
  const auto p = [&](int64_t i) { return std::exp((logits[i] - most) / o.temperature); };
  Likeliest order(logits);
  size_t count = logits.size();
  if (o.top_k > 0) count = std::min(count, static_cast<size_t>(o.top_k));
  double all = 0;
  if (count == logits.size())
    for (size_t i = 0; i < count; ++i) all += p(static_cast<int64_t>(i));
  else
    for (size_t i = 0; i < count; ++i) all += p(order[i]);
  // Those that are left, and what they have together.
  double kept = all;
  if (o.top_p < 1 || o.min_p > 0) {
    const size_t last = count;
    kept = 0;
    for (count = 0; count < last; ++count) {
      const double next = p(order[count]);
      if (count > 0 && (kept >= o.top_p * all || next < o.min_p)) break;
      kept += next;
    }
  }
  double left = random.uniform() * kept;
  for (size_t i = 0; i < count; ++i)
    if ((left -= p(order[i])) < 0) return order[i];
  return order[count - 1];
}

}  // namespace

int64_t sample(const std::vector<double>& logits, const SamplingOptions& o, data::Random& random,
               const std::vector<int64_t>& seen) {
  check(logits, o);
  if (o.repetition_penalty == 1 || seen.empty()) return draw(logits, o, random);
  std::vector<double> changed = logits;
  for (const int64_t token : seen) {
    if (token < 0 || token >= static_cast<int64_t>(logits.size()))
      throw ValueError("sample: a token that was seen is none of these");
    const double x = logits[token];
    changed[token] = x > 0 ? x / o.repetition_penalty : x * o.repetition_penalty;
  }
  return draw(changed, o, random);
}

std::vector<int64_t> generate(LanguageModel::Reader& reader, const std::vector<int64_t>& prompt,
                              int64_t count, const SamplingOptions& options, data::Random& random,
                              const std::function<bool(int64_t)>& each,
                              const std::vector<int64_t>& before) {
  if (prompt.empty() || count < 0)
    throw ValueError("generate: there is no prompt, or a negative number is wanted");
  const NoGrad no_grad;
  Tensor logits = reader.read(prompt);
  std::vector<int64_t> seen = before, out;
  seen.insert(seen.end(), prompt.begin(), prompt.end());
  while (static_cast<int64_t>(out.size()) < count) {
    const int64_t token = sample(logits.to_vector<double>(), options, random, seen);
    if (!each(token)) break;
    seen.push_back(token);
    out.push_back(token);
    if (static_cast<int64_t>(out.size()) < count) logits = reader.next(token);
  }
  return out;
}

std::vector<int64_t> generate(const LanguageModel& model, const std::vector<int64_t>& prompt,
                              int64_t count, const SamplingOptions& options, uint64_t seed) {
  data::Random random(seed, 0);
  return generate(*model.reader(), prompt, count, options, random, [](int64_t) { return true; });
}

}  // namespace glia::text
