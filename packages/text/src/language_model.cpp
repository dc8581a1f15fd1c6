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

int64_t sample(const std::vector<double>& logits, const SamplingOptions& o, data::Random& random) {
  if (!(o.temperature >= 0) || !(o.top_p > 0 && o.top_p <= 1) || o.top_k < 0)
    throw ValueError("sample: temperature, top_k or top_p is out of range");
  if (logits.empty() || std::ranges::any_of(logits, [](double x) { return std::isnan(x); }))
    throw ValueError("sample: the logits are no numbers");
  // The likeliest first, of equal ones the first.
  std::vector<int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](int64_t i) { return logits[i]; });
  const double most = logits[order[0]];
  if (o.temperature == 0 || !std::isfinite(most)) return order[0];
  if (o.top_k > 0 && o.top_k < static_cast<int64_t>(order.size())) order.resize(o.top_k);
  std::vector<double> p;
  for (const int64_t i : order) p.push_back(std::exp((logits[i] - most) / o.temperature));
  const double all = std::accumulate(p.begin(), p.end(), 0.0);
  double kept = 0;
  size_t count = 0;
  while (count < p.size() && (count == 0 || kept < o.top_p * all)) kept += p[count++];
  double left = random.uniform() * kept;
  for (size_t i = 0; i < count; ++i)
    if ((left -= p[i]) < 0) return order[i];
  return order[count - 1];
}

std::vector<int64_t> generate(const LanguageModel& model, const std::vector<int64_t>& prompt,
                              int64_t count, const SamplingOptions& options, uint64_t seed) {
  if (prompt.empty() || count < 0)
    throw ValueError("generate: there is no prompt, or a negative number is wanted");
  const NoGrad no_grad;
  data::Random random(seed, 0);
  const auto reader = model.reader();
  Tensor logits;
  for (const int64_t token : prompt) eval(logits = reader->next(token));
  std::vector<int64_t> out;
  while (static_cast<int64_t>(out.size()) < count) {
    out.push_back(sample(logits.to_vector<double>(), options, random));
    logits = reader->next(out.back());
  }
  return out;
}

}  // namespace glia::text
