// NeuMF, MultVAE, LightGCN and two towers.
#include <cmath>

#include "glia/ops.h"
#include "network.h"

namespace glia::recommend {
namespace {

std::function<bool(int64_t, double)> teller(const Recommender& model) {
  return [&model](int64_t epoch, double loss) {
    return !model.on_epoch || model.on_epoch(epoch, loss);
  };
}
Tensor users_of(const std::vector<int32_t>& users) {
  return from_vector(users, {static_cast<int64_t>(users.size())});
}

}  // namespace

// ---- NeuMF ------------------------------------------------------------------------------------

void NeuMF::begin() {
  const auto& o = options;
  if (o.factors < 1 || o.layers.empty() || o.layers[0] % 2 != 0 || o.negatives < 1)
    throw ValueError("NeuMFOptions: factors, layers or negatives are out of range");
  const Seeded seeded(o.network.random_state);
  const int64_t users = ratings().n_users, items = ratings().n_items, e = o.layers[0] / 2;
  gmf_user = Parameter(normal({users, o.factors}, 0, 0.01));
  gmf_item = Parameter(normal({items, o.factors}, 0, 0.01));
  mlp_user = Parameter(normal({users, e}, 0, 0.01));
  mlp_item = Parameter(normal({items, e}, 0, 0.01));
  mlp = MLP(o.layers);
  out.emplace(o.factors + o.layers.back(), 1);
}

Tensor NeuMF::logits(const Tensor& users, const Tensor& items) const {
  const Tensor product = embedding(users, gmf_user) * embedding(items, gmf_item);
  const Tensor deep = mlp(concat({embedding(users, mlp_user), embedding(items, mlp_item)}, 1));
  return squeeze((*out)(concat({product, deep}, 1)), 1);
}

void NeuMF::run() {
  const Pairs pairs(ratings());
  const Negatives lacks(ratings());
  train_network(
      *this, options.network, ratings().n_ratings,
      [&](std::span<const int64_t> batch, data::Random& random) {
        std::vector<int64_t> users, items;
        std::vector<float> labels;
        for (const int64_t k : batch)
          for (int64_t n = 0; n <= options.negatives; ++n) {
            const int64_t u = pairs.users[static_cast<size_t>(k)];
            users.push_back(u);
            items.push_back(n == 0 ? pairs.items[static_cast<size_t>(k)] : lacks.draw(u, random));
            labels.push_back(n == 0 ? 1.0f : 0.0f);
          }
        return binary_cross_entropy_with_logits(
            logits(indices(users), indices(items)),
            from_vector(labels, {static_cast<int64_t>(labels.size())}));
      },
      teller(*this));
}

Tensor NeuMF::score(const std::vector<int32_t>& users) const {
  const int64_t n = ratings().n_items;
  std::vector<Tensor> rows;
  for (const int32_t u : users) {
    rows.push_back(logits(full({n}, u, kI64), arange(n)));
    glia::eval(rows.back());
  }
  return stack(rows);
}

// ---- MultVAE ----------------------------------------------------------------------------------

void MultVAE::begin() {
  const auto& o = options;
  if (o.layers.empty() || !(o.dropout >= 0 && o.dropout < 1))
    throw ValueError("MultVAEOptions: layers or dropout are out of range");
  const Seeded seeded(o.network.random_state);
  std::vector<int64_t> in = {ratings().n_items}, back;
  in.insert(in.end(), o.layers.begin(), o.layers.end());
  back.assign(in.rbegin(), in.rend());
  in.back() *= 2;  // means and log variances
  encoder = MLP(in);
  decoder = MLP(back);
}

Tensor MultVAE::row(const std::vector<int32_t>& users) const {
  const int64_t n = ratings().n_items;
  std::vector<float> x(users.size() * static_cast<size_t>(n), 0.0f);
  for (size_t r = 0; r < users.size(); ++r)
    for (const auto& e : ratings().of_user(users[r]))
      x[r * static_cast<size_t>(n) + static_cast<size_t>(e.index)] = 1;
  return from_vector(x, {static_cast<int64_t>(users.size()), n});
}

namespace {

Tensor through(const MLP& mlp, const Tensor& x) {
  Tensor y = x;
  for (size_t i = 0; i < mlp.layers.size(); ++i) {
    y = mlp.layers[i](y);
    if (i + 1 < mlp.layers.size()) y = tanh(y);
  }
  return y;
}
Tensor unit(const Tensor& x) { return x * rsqrt(maximum(sum(square(x), {1}, true), 1e-12)); }

}  // namespace

void MultVAE::run() {
  const int64_t latent = options.layers.back();
  int64_t steps = 0;
  train_network(
      *this, options.network, ratings().n_users,
      [&](std::span<const int64_t> batch, data::Random&) {
        const Tensor x = row({batch.begin(), batch.end()});
        const Tensor h = through(encoder, dropout(unit(x), options.dropout));
        const Tensor mean_z = slice(h, 1, {.stop = latent}),
                     log_var = slice(h, 1, {.start = latent});
        const Tensor z = mean_z + exp(0.5 * log_var) * randn(mean_z.shape());
        const Tensor likely = log_softmax(through(decoder, z), 1);
        const double anneal =
            std::min(options.anneal_cap, static_cast<double>(++steps) /
                                             static_cast<double>(options.total_anneal_steps));
        const Tensor kl = -0.5 * sum(1 + log_var - square(mean_z) - exp(log_var), {1});
        return mean(anneal * kl - sum(likely * x, {1}));
      },
      teller(*this));
}

Tensor MultVAE::score(const std::vector<int32_t>& users) const {
  const Tensor h = through(encoder, unit(row(users)));
  return through(decoder, slice(h, 1, {.stop = options.layers.back()}));
}

// ---- LightGCN ---------------------------------------------------------------------------------

void LightGCN::begin() {
  const auto& o = options;
  if (o.factors < 1 || o.n_layers < 0)
    throw ValueError("LightGCNOptions: factors or layers are out of range");
  const Seeded seeded(o.network.random_state);
  const RatingMatrix& all = ratings();
  const int64_t n = all.n_users + all.n_items;
  std::vector<int64_t> rows, cols;
  std::vector<float> values;
  for (int64_t u = 0; u < all.n_users; ++u)
    for (const auto& e : all.of_user(u)) {
      const double degrees = static_cast<double>(all.of_user(u).size()) *
                             static_cast<double>(all.of_item(e.index).size());
      for (const bool back : {false, true}) {
        rows.push_back(back ? all.n_users + e.index : u);
        cols.push_back(back ? u : all.n_users + e.index);
        values.push_back(static_cast<float>(1 / std::sqrt(degrees)));
      }
    }
  graph_ = Csr::from_coo(indices(rows), indices(cols),
                         from_vector(values, {static_cast<int64_t>(values.size())}), {n, n});
  const double most = std::sqrt(6 / static_cast<double>(n + o.factors));  // Glorot & Bengio 2010
  embedding = Parameter(uniform({n, o.factors}, -most, most));
}

Tensor LightGCN::propagated() const {
  Tensor x = embedding, sum = x;
  for (int64_t l = 0; l < options.n_layers; ++l) {
    x = spmm(*graph_, x);
    sum = sum + x;
  }
  return sum / static_cast<double>(options.n_layers + 1);
}

void LightGCN::run() {
  const RatingMatrix& all = ratings();
  const Pairs pairs(all);
  const Negatives lacks(all);
  train_network(
      *this, options.network, all.n_ratings,
      [&](std::span<const int64_t> batch, data::Random& random) {
        std::vector<int64_t> users, has, drawn;
        for (const int64_t k : batch) {
          const int64_t u = pairs.users[static_cast<size_t>(k)];
          users.push_back(u);
          has.push_back(all.n_users + pairs.items[static_cast<size_t>(k)]);
          drawn.push_back(all.n_users + lacks.draw(u, random));
        }
        const Tensor u = indices(users), i = indices(has), j = indices(drawn), e = propagated();
        const Tensor eu = take(e, u);
        const Tensor apart = sum(eu * (take(e, i) - take(e, j)), {1});
        const Tensor first =
            square(take(embedding, u)) + square(take(embedding, i)) + square(take(embedding, j));
        return mean(softplus(-apart)) +
               options.reg_weight * 0.5 * sum(first) / static_cast<double>(batch.size());
      },
      teller(*this));
}

Tensor LightGCN::score(const std::vector<int32_t>& users) const {
  const Tensor e = propagated();
  return matmul(take(e, users_of(users)), transpose(slice(e, 0, {.start = ratings().n_users})));
}

// ---- Two towers -------------------------------------------------------------------------------

void TwoTower::begin() {
  const auto& o = options;
  if (o.factors < 1 || !(o.temperature > 0))
    throw ValueError("TwoTowerOptions: factors or temperature are out of range");
  const Seeded seeded(o.network.random_state);
  user = Parameter(normal({ratings().n_users, o.factors}, 0, 0.1));
  item = Parameter(normal({ratings().n_items, o.factors}, 0, 0.1));
  std::vector<int64_t> sizes = {o.factors};
  sizes.insert(sizes.end(), o.hidden.begin(), o.hidden.end());
  sizes.push_back(o.factors);
  user_tower = MLP(sizes, false);
  item_tower = MLP(sizes, false);
}

Tensor TwoTower::user_vectors(const Tensor& users) const {
  return unit(user_tower(glia::embedding(users, user)));
}
Tensor TwoTower::item_vectors(const Tensor& items) const {
  return unit(item_tower(glia::embedding(items, item)));
}

void TwoTower::run() {
  const RatingMatrix& all = ratings();
  const Pairs pairs(all);
  train_network(
      *this, options.network, all.n_ratings,
      [&](std::span<const int64_t> batch, data::Random&) {
        std::vector<int64_t> users, items;
        std::vector<float> often;
        for (const int64_t k : batch) {
          users.push_back(pairs.users[static_cast<size_t>(k)]);
          items.push_back(pairs.items[static_cast<size_t>(k)]);
          often.push_back(std::log(static_cast<float>(all.of_item(items.back()).size()) /
                                   static_cast<float>(all.n_ratings)));
        }
        const auto n = static_cast<int64_t>(batch.size());
        const Tensor u = indices(users), i = indices(items);
        const Tensor near =
            matmul(user_vectors(u), transpose(item_vectors(i))) / options.temperature;
        // The item of another row that is this row's own is none to tell from.
        const Tensor same = (unsqueeze(i, 1) == unsqueeze(i, 0)) & (eye(n) == 0);
        return cross_entropy(where(same, -1e9, near - from_vector(often, {1, n})), arange(n));
      },
      teller(*this));
}

Tensor TwoTower::score(const std::vector<int32_t>& users) const {
  return matmul(user_vectors(users_of(users)), transpose(item_vectors(arange(ratings().n_items))));
}

}  // namespace glia::recommend
