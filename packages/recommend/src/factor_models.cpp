// Implicit ALS and BPR.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "draws.h"
#include "fields.h"
#include "glia/ops.h"
#include "glia/parallel.h"
#include "glia/recommend/implicit.h"
#include "vectors.h"

namespace glia::recommend {
namespace {

constexpr int64_t kChunk = 64;

std::vector<float> floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

// y'y, rows filled up as those of y.
GLIA_ALWAYS_INLINE void add_gram(const Rows<float>& y, int64_t from, int64_t to, int64_t width,
                                 float* gram) {
  const int64_t n = y.stride();
  for (int64_t r = from; r < to; ++r)
    for (int64_t i = 0; i < width; ++i) add(gram + i * n, y[r][i], y[r], n);
}
std::vector<float> gram_of(const Rows<float>& y, int64_t count, int64_t width, double diagonal) {
  const int64_t n = y.stride(), parts = (count + 511) / 512;
  std::vector<std::vector<float>> some(static_cast<size_t>(parts));
  parallel_for(parts, [&](int64_t p) {
    auto& own = some[static_cast<size_t>(p)];
    own.assign(static_cast<size_t>(width * n), 0.0f);
    simd::at_level<add_gram>(y, p * 512, std::min(count, (p + 1) * 512), width, own.data());
  });
  std::vector<double> sum(static_cast<size_t>(width * n), 0.0);
  for (const auto& own : some)
    for (size_t i = 0; i < own.size(); ++i) sum[i] += static_cast<double>(own[i]);
  for (int64_t i = 0; i < width; ++i) sum[static_cast<size_t>(i * n + i)] += diagonal;
  return floats(sum);
}

struct Side {
  const Rows<float>& y;
  const float* gram;  // y'y + regularization
  int64_t width;
  float alpha;
  int64_t cg_steps;
};

// to += sum over the row of (wanted - (|c| - 1) y . v) y, times `sign`; four at a time, so that
// sums of lanes overlap and `to` is read and written once for all.
GLIA_ALWAYS_INLINE void add_rows(const Side& s, std::span<const RatingMatrix::Entry> row,
                                 const float* v, float* to, bool with_wanted, float sign) {
  constexpr size_t kAtOnce = 4;
  const int64_t n = s.y.stride();
  for (size_t k = 0; k < row.size(); k += kAtOnce) {
    const float* y[kAtOnce];
    float weight[kAtOnce];
    F32 products[kAtOnce] = {};
    for (size_t j = 0; j < kAtOnce; ++j) y[j] = s.y[row[std::min(k + j, row.size() - 1)].index];
    for (int64_t i = 0; i < n; i += 16) {
      const F32 x = load(v + i);
      for (size_t j = 0; j < kAtOnce; ++j) products[j] += load(y[j] + i) * x;
    }
    for (size_t j = 0; j < kAtOnce; ++j) {
      const float c = k + j < row.size() ? s.alpha * static_cast<float>(row[k + j].rating) : 1;
      const float wanted = with_wanted && k + j < row.size() ? std::max(c, 0.0f) : 0;
      weight[j] = sign * (wanted - (std::abs(c) - 1) * simd::sum_of_lanes(products[j]));
    }
    for (int64_t i = 0; i < n; i += 16)
      store(load(to + i) + (weight[0] * load(y[0] + i) + weight[1] * load(y[1] + i)) +
                (weight[2] * load(y[2] + i) + weight[3] * load(y[3] + i)),
            to + i);
  }
}
// to = gram v; its rows four at a time.
GLIA_ALWAYS_INLINE void gram_product(const Side& s, const float* v, float* to) {
  const int64_t n = s.y.stride();
  std::memset(to, 0, static_cast<size_t>(n) * sizeof(float));
  int64_t i = 0;
  for (; i + 4 <= s.width; i += 4) {
    const float* g = s.gram + i * n;
    for (int64_t f = 0; f < n; f += 16)
      store(load(to + f) + (v[i] * load(g + f) + v[i + 1] * load(g + n + f)) +
                (v[i + 2] * load(g + 2 * n + f) + v[i + 3] * load(g + 3 * n + f)),
            to + f);
  }
  for (; i < s.width; ++i) add(to, v[i], s.gram + i * n, n);
}

// Conjugate gradients of one row x of the other side.
GLIA_ALWAYS_INLINE void solve(const Side& s, std::span<const RatingMatrix::Entry> row, float* x,
                              float* r, float* p, float* ap) {
  const int64_t n = s.y.stride();
  const auto inner = [n](const float* a, const float* b) GLIA_INLINED { return dot(a, b, n); };
  gram_product(s, x, r);
  for (int64_t i = 0; i < n; ++i) r[i] = -r[i];
  add_rows(s, row, x, r, true, 1);
  std::memcpy(p, r, static_cast<size_t>(n) * sizeof(float));
  float old = inner(r, r);
  for (int64_t step = 0; step < s.cg_steps && old >= 1e-20f; ++step) {
    gram_product(s, p, ap);
    add_rows(s, row, p, ap, false, -1);
    const float along = old / inner(p, ap);
    add(x, along, static_cast<const float*>(p), n);
    add(r, -along, static_cast<const float*>(ap), n);
    const float now = inner(r, r);
    scale_add(p, now / old, static_cast<const float*>(r), n);
    old = now;
  }
}

// The rows of x that fit y best.
void half_sweep(const RatingMatrix& all, bool users, Rows<float>& x, const Rows<float>& y,
                const ALSOptions& o) {
  const int64_t rows = users ? all.n_users : all.n_items,
                columns = users ? all.n_items : all.n_users;
  const std::vector<float> gram = gram_of(y, columns, o.factors, o.regularization);
  const Side side{y, gram.data(), o.factors, static_cast<float>(o.alpha), o.cg_steps};
  parallel_for((rows + kChunk - 1) / kChunk, [&](int64_t chunk) {
    const auto n = static_cast<size_t>(y.stride());
    std::vector<float> room(3 * n);
    for (int64_t u = chunk * kChunk; u < std::min(rows, (chunk + 1) * kChunk); ++u) {
      const auto row = users ? all.of_user(u) : all.of_item(u);
      if (row.empty())
        std::fill_n(x[u], n, 0.0f);
      else
        simd::at_level<solve>(side, row, x[u], room.data(), room.data() + n, room.data() + 2 * n);
    }
  });
}

double als_loss(const RatingMatrix& all, const Rows<float>& x, const Rows<float>& y,
                const ALSOptions& o) {
  const std::vector<float> gram = gram_of(y, all.n_items, o.factors, 0);
  const int64_t f = o.factors, n = y.stride();
  double loss = 0, norms = 0, confidence = 0;
  for (int64_t u = 0; u < all.n_users; ++u) {
    for (int64_t i = 0; i < f; ++i) {
      double along = 0;
      for (int64_t j = 0; j < f; ++j)
        along += static_cast<double>(gram[static_cast<size_t>(i * n + j)] * x[u][j]);
      loss += along * static_cast<double>(x[u][i]);
      norms += static_cast<double>(x[u][i] * x[u][i]);
    }
    for (const auto& [index, rating] : all.of_user(u)) {
      const double c = o.alpha * rating, weight = std::abs(c), wanted = c > 0 ? 1 : 0;
      double said = 0;
      for (int64_t j = 0; j < f; ++j) said += static_cast<double>(x[u][j] * y[index][j]);
      // In the place of the square that counts for all pairs alike.
      loss += weight * (wanted - said) * (wanted - said) - said * said;
      confidence += weight;
    }
  }
  for (int64_t i = 0; i < all.n_items; ++i)
    for (int64_t j = 0; j < f; ++j) norms += static_cast<double>(y[i][j] * y[i][j]);
  return (loss + o.regularization * norms) /
         (confidence + static_cast<double>(all.n_users * all.n_items - all.n_ratings));
}

}  // namespace

Tensor FactorModel::score(const std::vector<int32_t>& users) const {
  const Tensor rows = from_vector(users, {static_cast<int64_t>(users.size())});
  return matmul(take(user_factors.tensor(), rows), transpose(item_factors.tensor()));
}

double FactorModel::reason(int64_t item, int64_t had, double) const {
  const Read<float> y(item_factors);
  const int64_t f = item_factors.shape().size(1);
  double ab = 0, aa = 0, bb = 0;
  for (int64_t k = 0; k < f; ++k) {
    const auto a = static_cast<double>(y.row(item, f)[k]),
               b = static_cast<double>(y.row(had, f)[k]);
    ab += a * b;
    aa += a * a;
    bb += b * b;
  }
  return ab / std::sqrt(aa * bb);
}

// ---- ALS --------------------------------------------------------------------------------------

void ALS::begin() {
  const auto& o = options;
  if (o.factors < 1 || o.iterations < 0 || !(o.regularization >= 0) || !(o.alpha > 0) ||
      o.cg_steps < 1)
    throw ValueError("ALSOptions: an option is out of range");
  data::Random random(o.random_state);
  const int64_t users = ratings().n_users, items = ratings().n_items;
  assign(user_factors, floats(uniform_draws(random, users * o.factors, 0, 0.01)),
         {users, o.factors});
  assign(item_factors, floats(uniform_draws(random, items * o.factors, 0, 0.01)),
         {items, o.factors});
}

void ALS::run() {
  const RatingMatrix& all = ratings();
  Rows<float> x(user_factors.tensor().to_vector<float>(), options.factors),
      y(item_factors.tensor().to_vector<float>(), options.factors);
  for (int64_t i = 1; i <= options.iterations; ++i) {
    half_sweep(all, true, x, y, options);
    half_sweep(all, false, y, x, options);
    if (on_epoch && !told(i, als_loss(all, x, y, options))) break;
  }
  assign(user_factors, x.packed(), {all.n_users, options.factors});
  assign(item_factors, y.packed(), {all.n_items, options.factors});
}

double ALS::loss() const {
  return als_loss(ratings(), Rows<float>(user_factors.tensor().to_vector<float>(), options.factors),
                  Rows<float>(item_factors.tensor().to_vector<float>(), options.factors), options);
}

// ---- BPR --------------------------------------------------------------------------------------

namespace {

// A step on the difference of two items; its loss.
GLIA_ALWAYS_INLINE double bpr_step(float* u, float* has, float* lacks, float rate, float reg,
                                   int64_t n) {
  float score = 0;
  score = dot(static_cast<const float*>(u), static_cast<const float*>(has), n) -
          dot(static_cast<const float*>(u), static_cast<const float*>(lacks), n);
  const float z = 1 / (1 + std::exp(score));
  for (int64_t f = 0; f < n; f += 16) {
    const F32 a = load(u + f), b = load(has + f), c = load(lacks + f);
    store(a + rate * (z * (b - c) - reg * a), u + f);
    store(b + rate * (z * a - reg * b), has + f);
    store(c + rate * (-z * a - reg * c), lacks + f);
  }
  return static_cast<double>(std::log1p(std::exp(-score)));
}

}  // namespace

void BPR::begin() {
  const auto& o = options;
  if (o.factors < 1 || o.iterations < 0 || !(o.learning_rate >= 0) || !(o.regularization >= 0))
    throw ValueError("BPROptions: an option is out of range");
  data::Random random(o.random_state);
  const int64_t users = ratings().n_users, items = ratings().n_items, f = o.factors + 1;
  const double most = 0.5 / static_cast<double>(o.factors);
  std::vector<double> u = uniform_draws(random, users * f, -most, most),
                      i = uniform_draws(random, items * f, -most, most);
  for (int64_t r = 0; r < users; ++r) u[static_cast<size_t>(r * f + f - 1)] = 1;
  for (int64_t r = 0; r < items; ++r) i[static_cast<size_t>(r * f + f - 1)] = 0;
  assign(user_factors, floats(u), {users, f});
  assign(item_factors, floats(i), {items, f});
}

void BPR::run() {
  const RatingMatrix& all = ratings();
  const int64_t f = user_factors.shape().size(1);
  Rows<float> u(user_factors.tensor().to_vector<float>(), f),
      i(item_factors.tensor().to_vector<float>(), f);
  std::vector<int32_t> user_of;  // of each entry by user
  std::vector<std::vector<int32_t>> sorted(static_cast<size_t>(all.n_users));
  for (int64_t r = 0; r < all.n_users; ++r)
    for (const auto& e : all.of_user(r)) {
      user_of.push_back(static_cast<int32_t>(r));
      sorted[static_cast<size_t>(r)].push_back(e.index);
    }
  for (auto& row : sorted) std::ranges::sort(row);
  for (int64_t epoch = 1; epoch <= options.iterations; ++epoch) {
    data::Random random(options.random_state, static_cast<uint64_t>(epoch));
    double loss = 0;
    int64_t steps = 0;
    for (int64_t k = 0; k < all.n_ratings; ++k) {
      const auto at = static_cast<size_t>(random.below(all.n_ratings));
      const int32_t user = user_of[at], has = all.by_user[at].index;
      const auto lacks = static_cast<int32_t>(random.below(all.n_items));
      if (std::ranges::binary_search(sorted[static_cast<size_t>(user)], lacks)) continue;
      float* factors = u[user];
      loss += simd::at_level<bpr_step>(factors, i[has], i[lacks],
                                       static_cast<float>(options.learning_rate),
                                       static_cast<float>(options.regularization), u.stride());
      factors[f - 1] = 1;
      ++steps;
    }
    if (!told(epoch, loss / static_cast<double>(std::max<int64_t>(steps, 1)))) break;
  }
  assign(user_factors, u.packed(), {all.n_users, f});
  assign(item_factors, i.packed(), {all.n_items, f});
}

}  // namespace glia::recommend
