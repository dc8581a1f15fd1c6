#include "glia/text/seq2seq.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glia/text/vocabulary.h"

namespace glia::text {
namespace {

// Each sentence backwards within its length; what fills it up stays.
Tensor reversed(const Tensor& x, const Tensor& lengths) {  // (N, L, E)
  const int64_t n = x.size(0), l = x.size(1);
  const Tensor place = unsqueeze(arange(l), 0), length = unsqueeze(lengths, 1);
  const Tensor from = where(place < length, length - 1 - place, expand(place, {n, l}));
  const Tensor rows = reshape(from + unsqueeze(arange(n) * l, 1), {n * l});
  const int64_t width = x.size(2);
  return reshape(embedding(rows, reshape(x, {n * l, width})), {n, l, width});
}

// Places and values of the largest numbers, the first of equal ones before.
std::vector<size_t> largest(const std::vector<double>& values, size_t count) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  count = std::min(count, order.size());
  std::partial_sort(
      order.begin(), order.begin() + static_cast<int64_t>(count), order.end(),
      [&](size_t a, size_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  order.resize(count);
  return order;
}

void require(bool good, const char* what, const Tensor& source) {
  if (!good)
    throw ShapeError(std::string(what) + ": a source of " +
                     (source.defined() ? source.shape().str() : std::string("nothing")));
}

}  // namespace

Seq2Seq::Seq2Seq(int64_t source_tokens, int64_t target_tokens, const Seq2SeqOptions& o)
    : source_embedding(source_tokens, o.embedding),
      target_embedding(target_tokens, o.embedding),
      forward(o.embedding, o.hidden, {.batch_first = true}),
      backward(o.embedding, o.hidden, {.batch_first = true}),
      key(2 * o.hidden, o.hidden),
      query(o.hidden, o.hidden),
      score(o.hidden, 1, {.bias = false}),
      start(o.hidden, o.hidden),
      decoder(o.embedding + 2 * o.hidden, o.hidden),
      readout(3 * o.hidden + o.embedding, o.hidden),
      out(o.hidden, target_tokens),
      dropout(o.dropout) {}

Seq2Seq::Memory Seq2Seq::encode(const Tensor& source, const Tensor& lengths) const {
  require(source.defined() && source.rank() == 2 && source.size(1) > 0 && lengths.defined() &&
              lengths.shape() == Shape({source.size(0)}),
          "Seq2Seq", source);
  const Tensor length = cast(lengths, kI64);
  const Tensor x = dropout(source_embedding(source));
  const Tensor there = forward(x).out;
  const Tensor back = reversed(backward(reversed(x, length)).out, length);
  const Tensor states = concat({there, back}, -1);
  // The way back ends at the first token, with all of the sentence.
  const Tensor first = index(back, {Slice{}, 0});
  return {.states = states,
          .keys = key(states),
          .mask = unsqueeze(arange(source.size(1)), 0) < unsqueeze(length, 1),
          .start = tanh(start(first))};
}

Seq2Seq::Step Seq2Seq::step(const Memory& m, const Tensor& token, const Tensor& state) const {
  const Tensor scores =
      nn::additive_scores(unsqueeze(query(state), 1), m.keys, squeeze(score.weight, 0));
  const nn::AttentionResult seen = nn::attend(scores, m.states, unsqueeze(m.mask, 1));
  const Tensor attention = squeeze(seen.weights, 1), context = squeeze(seen.out, 1);
  const Tensor before = dropout(target_embedding(token));
  const Tensor x = unsqueeze(concat({before, context}, -1), 0);
  const Tensor next = squeeze(decoder(x, unsqueeze(state, 0)).out, 0);
  const Tensor read = tanh(readout(concat({next, context, before}, -1)));
  return {.logits = out(dropout(read)), .state = next, .attention = attention};
}

Tensor Seq2Seq::operator()(const Tensor& source, const Tensor& lengths,
                           const Tensor& target) const {
  const Memory memory = encode(source, lengths);
  Tensor state = memory.start;
  std::vector<Tensor> logits;
  for (int64_t t = 0; t < target.size(1); ++t) {
    const Step next = step(memory, index(target, {Slice{}, t}), state);
    state = next.state;
    logits.push_back(next.logits);
  }
  return stack(logits, 1);
}

std::vector<Translation> greedy(const Seq2Seq& model, const Tensor& source, const Tensor& lengths,
                                int64_t most) {
  const NoGrad no_grad;
  const Seq2Seq::Memory memory = model.encode(source, lengths);
  const int64_t n = source.size(0);
  std::vector<Translation> out(n);
  std::vector<bool> ended(n);
  std::vector<std::vector<Tensor>> attention(n);
  Tensor token = full({n}, Vocabulary::kStart, kI64), state = memory.start;
  for (int64_t t = 0; t < most && !std::ranges::all_of(ended, std::identity()); ++t) {
    const auto next = model.step(memory, token, state);
    const Tensor chosen = argmax(next.logits), scores = max(log_softmax(next.logits), {-1});
    state = next.state;
    token = chosen;
    eval({chosen, scores, state, next.attention});
    const auto tokens = chosen.to_vector<int64_t>();
    const auto logs = scores.to_vector<double>();
    for (int64_t i = 0; i < n; ++i) {
      if (ended[i]) continue;
      out[i].log_probability += logs[i];
      attention[i].push_back(index(next.attention, {i}));
      ended[i] = tokens[i] == Vocabulary::kEnd;
      if (!ended[i]) out[i].tokens.push_back(tokens[i]);
    }
  }
  for (int64_t i = 0; i < n; ++i)
    out[i].attention = attention[i].empty() ? zeros({0, source.size(1)}) : stack(attention[i]);
  return out;
}

std::vector<Translation> beam(const Seq2Seq& model, const Tensor& source, int64_t width,
                              int64_t most) {
  const NoGrad no_grad;
  require(source.defined() && source.rank() == 1 && source.size(0) > 0, "beam", source);
  constexpr int64_t kWidest = 1024;
  if (width < 1 || width > kWidest)
    throw ValueError("beam: a width of " + std::to_string(width) + " is none of 1 to 1024");
  const int64_t length = source.size(0);
  // One sentence, `width` times: shapes stay the same, whatever ends.
  const Seq2Seq::Memory one = model.encode(unsqueeze(source, 0), full({1}, length, kI64));
  const auto repeated = [&](const Tensor& x) {
    Shape shape = x.shape();
    shape[0] = width;
    return expand(x, shape);
  };
  const Seq2Seq::Memory memory{repeated(one.states), repeated(one.keys), repeated(one.mask),
                               repeated(one.start)};
  std::vector<Translation> open(1), done;
  Tensor state = memory.start;
  std::vector<int64_t> tokens(width, Vocabulary::kStart);
  for (int64_t t = 0; t < most && !open.empty(); ++t) {
    const auto next = model.step(memory, from_vector(tokens, {width}), state);
    const Tensor logs = log_softmax(next.logits);
    eval({logs, next.state, next.attention});
    const auto p = logs.to_vector<double>();
    const int64_t count = logs.size(1);
    std::vector<double> scores;
    for (size_t h = 0; h < open.size(); ++h)
      for (int64_t k = 0; k < count; ++k)
        scores.push_back(open[h].log_probability + p[static_cast<int64_t>(h) * count + k]);
    std::vector<Translation> longer;
    std::vector<int64_t> parents(width, 0);
    std::ranges::fill(tokens, Vocabulary::kEnd);
    for (const size_t at : largest(scores, 2 * static_cast<size_t>(width))) {
      if (static_cast<int64_t>(longer.size()) == width) break;
      const auto h = static_cast<int64_t>(at) / count, k = static_cast<int64_t>(at) % count;
      if (!std::isfinite(scores[at])) continue;
      Translation grown = open[h];
      grown.log_probability = scores[at];
      const Tensor row = index(next.attention, {Slice{h, h + 1}});
      grown.attention = grown.attention.defined() ? concat({grown.attention, row}) : row;
      if (k == Vocabulary::kEnd) {
        done.push_back(std::move(grown));
        continue;
      }
      grown.tokens.push_back(k);
      tokens[longer.size()] = k;
      parents[longer.size()] = h;
      longer.push_back(std::move(grown));
    }
    open = std::move(longer);
    state = index(next.state, {from_vector(parents, {width})});
    // Nothing that is still open can become better than the worst that is kept.
    std::ranges::stable_sort(done, std::greater(), &Translation::log_probability);
    if (static_cast<int64_t>(done.size()) > width) done.resize(width);
    if (static_cast<int64_t>(done.size()) == width && !open.empty() &&
        open[0].log_probability <= done.back().log_probability)
      open.clear();
  }
  std::ranges::move(open, std::back_inserter(done));
  std::ranges::stable_sort(done, std::greater(), &Translation::log_probability);
  if (static_cast<int64_t>(done.size()) > width) done.resize(width);
  for (Translation& d : done)
    if (!d.attention.defined()) d.attention = zeros({0, length});
  return done;
}

}  // namespace glia::text
