// GRU4Rec and SASRec.
#include <algorithm>

#include "glia/ops.h"
#include "network.h"

namespace glia::recommend {

void SequenceModel::begin_items(int64_t factors) {
  if (factors < 1) throw ValueError("a sequence model has no factors");
  const Interactions& all = interactions();
  std::vector<int64_t> rows(all.user.size());
  for (size_t k = 0; k < rows.size(); ++k) rows[k] = static_cast<int64_t>(k);
  if (!all.time.empty())
    std::ranges::stable_sort(rows, {}, [&](int64_t r) { return all.time[static_cast<size_t>(r)]; });
  sequences_.assign(all.users.size(), {});
  for (const int64_t r : rows)
    sequences_[static_cast<size_t>(all.user[static_cast<size_t>(r)])].push_back(
        all.item[static_cast<size_t>(r)]);
  item = Parameter(normal({all.n_items() + 1, factors}, 0, 0.02));
}

// The last max_length_ items of each, i64 (N, T).
Tensor SequenceModel::batch(const std::vector<std::vector<int32_t>>& sequences) const {
  std::vector<int64_t> out(sequences.size() * static_cast<size_t>(max_length_), 0);
  for (size_t r = 0; r < sequences.size(); ++r) {
    const auto& s = sequences[r];
    const size_t count = std::min(s.size(), static_cast<size_t>(max_length_));
    for (size_t t = 0; t < count; ++t)
      out[r * static_cast<size_t>(max_length_) + t] = s[s.size() - count + t] + 1;
  }
  return from_vector(out, {static_cast<int64_t>(sequences.size()), max_length_});
}

void SequenceModel::run_sequences(const NetworkOptions& network, int64_t max_length) {
  // Stretches of max_length steps, with the item behind each.
  std::vector<std::vector<int32_t>> stretches;
  for (const auto& s : sequences_)
    for (int64_t end = static_cast<int64_t>(s.size()); end > 1; end -= max_length) {
      const int64_t start = std::max<int64_t>(0, end - max_length - 1);
      stretches.emplace_back(s.begin() + start, s.begin() + end);
    }
  if (stretches.empty()) throw ValueError("no user has two items: there is nothing to foretell");
  train_network(
      *this, network, static_cast<int64_t>(stretches.size()),
      [&](std::span<const int64_t> rows, data::Random&) {
        std::vector<std::vector<int32_t>> in;
        const auto width = static_cast<size_t>(max_length);
        std::vector<int64_t> wanted(rows.size() * width, -100);
        for (size_t r = 0; r < rows.size(); ++r) {
          const auto& s = stretches[static_cast<size_t>(rows[r])];
          in.emplace_back(s.begin(), s.end() - 1);
          for (size_t t = 0; t + 1 < s.size(); ++t) wanted[r * width + t] = s[t + 1];
        }
        const Tensor known = slice(item.tensor(), 0, {.start = 1});
        const Tensor logits = matmul(states(batch(in)), transpose(known));
        return cross_entropy(logits,
                             from_vector(wanted, {static_cast<int64_t>(rows.size()), max_length}));
      },
      [this](int64_t epoch, double loss) { return told(epoch, loss); });
}

// The scores behind each one's last item; (N, I).
Tensor SequenceModel::last(const std::vector<std::vector<int32_t>>& sequences) const {
  std::vector<int64_t> at;
  for (size_t r = 0; r < sequences.size(); ++r) {
    const auto count =
        std::clamp<int64_t>(static_cast<int64_t>(sequences[r].size()), 1, max_length_);
    at.push_back(static_cast<int64_t>(r) * max_length_ + count - 1);
  }
  const Tensor all = flatten(states(batch(sequences)), 0, 1);
  return matmul(take(all, indices(at)), transpose(slice(item.tensor(), 0, {.start = 1})));
}

Tensor SequenceModel::score(const std::vector<int32_t>& users) const {
  std::vector<std::vector<int32_t>> own;
  for (const int32_t u : users) own.push_back(sequences_[static_cast<size_t>(u)]);
  return last(own);
}

Tensor SequenceModel::next(const std::vector<int32_t>& items) const {
  if (items.empty()) throw ValueError("next: there are no items");
  for (const int32_t i : items)
    if (i < 0 || i >= ratings().n_items)
      throw ValueError("next: there is no item " + std::to_string(i));
  const NoGrad none;
  return squeeze(last({items}), 0);
}

// ---- GRU4Rec ----------------------------------------------------------------------------------

void GRU4Rec::begin() {
  const auto& o = options;
  if (o.max_length < 1) throw ValueError("GRU4RecOptions: max_length is not positive");
  const Seeded seeded(o.network.random_state);
  max_length_ = o.max_length;
  begin_items(o.factors);
  gru.emplace(o.factors, o.hidden,
              nn::RecurrentOptions{.num_layers = o.num_layers, .batch_first = true});
  out.emplace(o.hidden, o.factors);
  drop.emplace(o.dropout);
}

Tensor GRU4Rec::states(const Tensor& items) const {
  return (*out)((*gru)((*drop)(embedding(items, item))).out);
}

// ---- SASRec -----------------------------------------------------------------------------------

void SASRec::begin() {
  const auto& o = options;
  if (o.max_length < 1 || o.n_layers < 1)
    throw ValueError("SASRecOptions: max_length or n_layers is not positive");
  const Seeded seeded(o.network.random_state);
  max_length_ = o.max_length;
  begin_items(o.factors);
  position = Parameter(normal({o.max_length, o.factors}, 0, 0.02));
  encoder.emplace(nn::TransformerEncoderLayer(
                      o.factors, o.n_heads,
                      {.dim_feedforward = o.inner_size, .dropout = o.dropout, .activation = gelu}),
                  o.n_layers);
  norm.emplace(o.factors);
  drop.emplace(o.dropout);
}

Tensor SASRec::states(const Tensor& items) const {
  const Tensor x = embedding(items, item) + position;
  return (*encoder)((*drop)((*norm)(x)), {}, {}, true);
}

}  // namespace glia::recommend
