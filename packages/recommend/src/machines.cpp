// Factorisation machines.
#include "glia/ops.h"
#include "network.h"

namespace glia::recommend {
namespace {

constexpr int64_t kAtOnce = 1 << 16;

Tensor fields_of(const std::vector<int32_t>& users, const std::vector<int32_t>& items, size_t from,
                 size_t to) {
  std::vector<int64_t> out;
  for (size_t k = from; k < to; ++k) {
    out.push_back(users[k]);
    out.push_back(items[k]);
  }
  return from_vector(out, {static_cast<int64_t>(to - from), 2});
}

template <class Net>
std::vector<double> estimates_of(const Net& net, const std::vector<int32_t>& users,
                                 const std::vector<int32_t>& items) {
  const NoGrad none;
  std::vector<double> out;
  for (size_t at = 0; at < users.size(); at += kAtOnce) {
    const Tensor y = net(fields_of(users, items, at, std::min(users.size(), at + kAtOnce)));
    for (const double v : y.template to_vector<double>()) out.push_back(v);
  }
  return out;
}

// By the mean square of errors, of ratings less their mean, which the bias has.
template <class Net>
void fit_squares(nn::Module& model, const Net& net, const RatingMatrix& all,
                 const NetworkOptions& o, const std::function<bool(int64_t, double)>& told) {
  const Pairs pairs(all);
  train_network(
      model, o, all.n_ratings,
      [&](std::span<const int64_t> batch, data::Random&) {
        std::vector<int64_t> fields;
        std::vector<float> wanted;
        for (const int64_t k : batch) {
          const auto i = static_cast<size_t>(k);
          fields.push_back(pairs.users[i]);
          fields.push_back(pairs.items[i]);
          wanted.push_back(static_cast<float>(all.by_user[i].rating));
        }
        const auto n = static_cast<int64_t>(batch.size());
        return mse_loss(net(from_vector(fields, {n, 2})), from_vector(wanted, {n}));
      },
      told);
}

}  // namespace

FactorizationMachine::FactorizationMachine(const std::vector<int64_t>& field_sizes,
                                           int64_t factors) {
  if (field_sizes.empty() || factors < 1)
    throw ValueError("FactorizationMachine: there are no fields or no factors");
  std::vector<int64_t> starts;
  int64_t all = 0;
  for (const int64_t size : field_sizes) {
    if (size < 1) throw ValueError("FactorizationMachine: a field has no values");
    starts.push_back(all);
    all += size;
  }
  offsets = indices(starts);
  bias = Parameter(zeros({}));
  linear = Parameter(zeros({all, 1}));
  v = Parameter(normal({all, factors}, 0, 0.05));
}

Tensor FactorizationMachine::factors_of(const Tensor& fields) const {
  return embedding(fields + offsets, v);
}

Tensor FactorizationMachine::operator()(const Tensor& fields) const {
  const Tensor each = factors_of(fields);
  const Tensor pairs = square(sum(each, {1})) - sum(square(each), {1});
  return bias + sum(embedding(fields + offsets, linear), {1, 2}) + 0.5 * sum(pairs, {1});
}

DeepFactorizationMachine::DeepFactorizationMachine(const std::vector<int64_t>& field_sizes,
                                                   int64_t factors,
                                                   const std::vector<int64_t>& hidden,
                                                   double dropout)
    : fm(field_sizes, factors),
      deep([&] {
        std::vector<int64_t> sizes = {static_cast<int64_t>(field_sizes.size()) * factors};
        sizes.insert(sizes.end(), hidden.begin(), hidden.end());
        return MLP(sizes);
      }()),
      out(hidden.empty() ? static_cast<int64_t>(field_sizes.size()) * factors : hidden.back(), 1),
      drop(dropout) {}

Tensor DeepFactorizationMachine::operator()(const Tensor& fields) const {
  return fm(fields) + squeeze(out(drop(deep(flatten(fm.factors_of(fields), 1)))), 1);
}

void FM::begin() {
  const Seeded seeded(options.network.random_state);
  net.emplace(std::vector<int64_t>{ratings().n_users, ratings().n_items}, options.factors);
  net->bias = full({}, ratings().global_mean);
}
void FM::run() {
  fit_squares(*this, *net, ratings(), options.network,
              [this](int64_t epoch, double loss) { return told(epoch, loss); });
}
std::vector<double> FM::estimates(const std::vector<int32_t>& users,
                                  const std::vector<int32_t>& items) const {
  return estimates_of(*net, users, items);
}

void DeepFM::begin() {
  const Seeded seeded(options.network.random_state);
  net.emplace(std::vector<int64_t>{ratings().n_users, ratings().n_items}, options.factors,
              options.hidden, options.dropout);
  net->fm.bias = full({}, ratings().global_mean);
}
void DeepFM::run() {
  fit_squares(*this, *net, ratings(), options.network,
              [this](int64_t epoch, double loss) { return told(epoch, loss); });
}
std::vector<double> DeepFM::estimates(const std::vector<int32_t>& users,
                                      const std::vector<int32_t>& items) const {
  return estimates_of(*net, users, items);
}

}  // namespace glia::recommend
