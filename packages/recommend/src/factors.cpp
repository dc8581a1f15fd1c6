// SVD, SVD++ and NMF: products of factors by steps on one rating after the other.
#include <cmath>

#include "draws.h"
#include "fields.h"
#include "glia/recommend/explicit.h"
#include "vectors.h"

namespace glia::recommend {
namespace {

struct Rates {
  double lr, reg;
};
// One user's ratings: bias and factors of the user and of the items are changed.
struct Pass {
  double base;  // what is foretold without biases and factors
  bool biased;
  Rates by;
  double *bu, *bi, *pu;
  Rows<double>* qi;
};

// Sum of squared errors before each step.
GLIA_ALWAYS_INLINE double svd_pass(const Pass& s, std::span<const RatingMatrix::Entry> row) {
  const int64_t n = s.qi->stride();
  const double lr = s.by.lr, reg = s.by.reg;
  double squares = 0;
  for (const auto& [i, rating] : row) {
    double* q = (*s.qi)[i];
    double* p = s.pu;
    const double error = rating - (s.base + *s.bu + s.bi[i] + dot(q, p, n));
    squares += error * error;
    if (s.biased) {
      *s.bu += lr * (error - reg * *s.bu);
      s.bi[i] += lr * (error - reg * s.bi[i]);
    }
    for (int64_t f = 0; f < n; f += 8) {
      const F64 pf = load(p + f), qf = load(q + f);
      store(pf + lr * (error * qf - reg * pf), p + f);
      store(qf + lr * (error * pf - reg * qf), q + f);
    }
  }
  return squares;
}

// The same of SVD++: `sum` is that of the user's y_j / sqrt(n), which become a y_j + c.
GLIA_ALWAYS_INLINE double svdpp_pass(const Pass& s, std::span<const RatingMatrix::Entry> row,
                                     double* sum, double* c, double* a) {
  const int64_t n = s.qi->stride();
  const double lr = s.by.lr, reg = s.by.reg;
  const double root = std::sqrt(static_cast<double>(row.size()));
  double squares = 0, factor = 1;
  for (const auto& [i, rating] : row) {
    double* q = (*s.qi)[i];
    double* p = s.pu;
    const double error = rating - (s.base + *s.bu + s.bi[i] + (dot(q, p, n) + dot(q, sum, n)));
    squares += error * error;
    *s.bu += lr * (error - reg * *s.bu);
    s.bi[i] += lr * (error - reg * s.bi[i]);
    const double keep = 1 - lr * reg;
    for (int64_t f = 0; f < n; f += 8) {
      const F64 pf = load(p + f), qf = load(q + f), y = load(sum + f);
      store(pf + lr * (error * qf - reg * pf), p + f);
      store(qf + lr * (error * (pf + y) - reg * qf), q + f);
      const F64 step = lr * error / root * qf;  // what each y_j gets
      store(keep * load(c + f) + step, c + f);
      store(keep * y + root * step, sum + f);
    }
    factor *= keep;
  }
  *a = factor;
  return squares;
}

GLIA_ALWAYS_INLINE void sum_rows(const Rows<double>& y, std::span<const RatingMatrix::Entry> row,
                                 double factor, double* to) {
  const int64_t n = y.stride();
  for (const auto& e : row) add(to, factor, y[e.index], n);
}
GLIA_ALWAYS_INLINE void move_rows(Rows<double>& y, std::span<const RatingMatrix::Entry> row,
                                  double a, const double* c) {
  const int64_t n = y.stride();
  for (const auto& e : row) scale_add(y[e.index], a, c, n);
}

void check(const char* what, int64_t factors, int64_t epochs, double lr) {
  if (factors < 1 || epochs < 0 || !(lr >= 0))
    throw ValueError(std::string(what) + ": factors, epochs or a rate is out of range");
}

// Those of users and items without ratings are zeros: what is not known adds nothing.
void draw(Buffer& field, data::Random& random, const RatingMatrix& all, bool of_users,
          int64_t factors, bool normal, double a, double b) {
  const int64_t rows = of_users ? all.n_users : all.n_items;
  std::vector<double> values = normal ? normal_draws(random, rows * factors, a, b)
                                      : uniform_draws(random, rows * factors, a, b);
  for (int64_t r = 0; r < rows; ++r)
    if (!(of_users ? all.knows_user(r) : all.knows_item(r)))
      std::fill_n(values.begin() + r * factors, factors, 0.0);
  assign(field, values, {rows, factors});
}

double mean_square(double squares, const RatingMatrix& all) {
  return squares / static_cast<double>(all.n_ratings);
}

}  // namespace

// ---- SVD --------------------------------------------------------------------------------------

void SVD::begin() {
  const auto& o = options;
  check("SVDOptions", o.n_factors, o.n_epochs, o.lr_all);
  data::Random random(o.random_state);
  assign(bu, zeros({ratings().n_users}, kF64));
  assign(bi, zeros({ratings().n_items}, kF64));
  draw(pu, random, ratings(), true, o.n_factors, true, o.init_mean, o.init_std_dev);
  draw(qi, random, ratings(), false, o.n_factors, true, o.init_mean, o.init_std_dev);
}

void SVD::run() {
  const RatingMatrix& all = ratings();
  const int64_t f = pu.shape().size(1);
  std::vector<double> user = bu.tensor().to_vector<double>(),
                      item = bi.tensor().to_vector<double>();
  Rows<double> p(pu.tensor().to_vector<double>(), f), q(qi.tensor().to_vector<double>(), f);
  for (int64_t epoch = 1; epoch <= options.n_epochs; ++epoch) {
    double squares = 0;
    for (int64_t u = 0; u < all.n_users; ++u)
      squares += simd::at_level<svd_pass>({options.biased ? all.global_mean : 0,
                                           options.biased,
                                           {options.lr_all, options.reg_all},
                                           &user[static_cast<size_t>(u)],
                                           item.data(),
                                           p[u],
                                           &q},
                                          all.of_user(u));
    if (!told(epoch, mean_square(squares, all))) break;
  }
  assign(bu, user, {all.n_users});
  assign(bi, item, {all.n_items});
  assign(pu, p.packed(), {all.n_users, f});
  assign(qi, q.packed(), {all.n_items, f});
}

RatingModel::Estimate SVD::estimate() const {
  return [this, bu = Read<double>(bu), bi = Read<double>(bi), pu = Read<double>(pu),
          qi = Read<double>(qi), f = pu.shape().size(1)](int64_t u, int64_t i) {
    const RatingMatrix& all = ratings();
    if (!options.biased && !(all.knows_user(u) && all.knows_item(i))) return all.global_mean;
    double out = options.biased ? all.global_mean + bu[u] + bi[i] : 0;
    const double *p = pu.row(u, f), *q = qi.row(i, f);
    double dot = 0;
    for (int64_t k = 0; k < f; ++k) dot += p[k] * q[k];
    return out + dot;
  };
}

// ---- SVD++ ------------------------------------------------------------------------------------

void SVDpp::begin() {
  const auto& o = options;
  check("SVDppOptions", o.n_factors, o.n_epochs, o.lr_all);
  data::Random random(o.random_state);
  assign(bu, zeros({ratings().n_users}, kF64));
  assign(bi, zeros({ratings().n_items}, kF64));
  draw(pu, random, ratings(), true, o.n_factors, true, o.init_mean, o.init_std_dev);
  draw(qi, random, ratings(), false, o.n_factors, true, o.init_mean, o.init_std_dev);
  draw(yj, random, ratings(), false, o.n_factors, true, o.init_mean, o.init_std_dev);
}

void SVDpp::run() {
  const RatingMatrix& all = ratings();
  const int64_t f = pu.shape().size(1);
  std::vector<double> user = bu.tensor().to_vector<double>(),
                      item = bi.tensor().to_vector<double>();
  Rows<double> p(pu.tensor().to_vector<double>(), f), q(qi.tensor().to_vector<double>(), f),
      y(yj.tensor().to_vector<double>(), f);
  std::vector<double> sum(static_cast<size_t>(q.stride())), c(sum.size());
  for (int64_t epoch = 1; epoch <= options.n_epochs; ++epoch) {
    double squares = 0;
    for (int64_t u = 0; u < all.n_users; ++u) {
      const auto row = all.of_user(u);
      if (row.empty()) continue;
      std::ranges::fill(sum, 0.0);
      std::ranges::fill(c, 0.0);
      simd::at_level<sum_rows>(y, row, 1 / std::sqrt(static_cast<double>(row.size())), sum.data());
      double a = 1;
      squares += simd::at_level<svdpp_pass>({all.global_mean,
                                             true,
                                             {options.lr_all, options.reg_all},
                                             &user[static_cast<size_t>(u)],
                                             item.data(),
                                             p[u],
                                             &q},
                                            row, sum.data(), c.data(), &a);
      simd::at_level<move_rows>(y, row, a, c.data());
    }
    if (!told(epoch, mean_square(squares, all))) break;
  }
  assign(bu, user, {all.n_users});
  assign(bi, item, {all.n_items});
  assign(pu, p.packed(), {all.n_users, f});
  assign(qi, q.packed(), {all.n_items, f});
  assign(yj, y.packed(), {all.n_items, f});
}

RatingModel::Estimate SVDpp::estimate() const {
  // p_u with what the user's items add.
  const RatingMatrix& all = ratings();
  const int64_t f = pu.shape().size(1);
  auto whole = std::make_shared<std::vector<double>>(pu.tensor().to_vector<double>());
  const Read<double> y(yj);
  for (int64_t u = 0; u < all.n_users; ++u)
    for (const auto& e : all.of_user(u))
      for (int64_t k = 0; k < f; ++k)
        (*whole)[static_cast<size_t>(u * f + k)] +=
            y.row(e.index, f)[k] / std::sqrt(static_cast<double>(all.of_user(u).size()));
  return [whole, bu = Read<double>(bu), bi = Read<double>(bi), qi = Read<double>(qi), f,
          mean = all.global_mean](int64_t u, int64_t i) {
    double out = 0;
    for (int64_t k = 0; k < f; ++k)
      out += (*whole)[static_cast<size_t>(u * f + k)] * qi.row(i, f)[k];
    return mean + bu[u] + bi[i] + out;
  };
}

// ---- NMF --------------------------------------------------------------------------------------

namespace {

struct Sums {
  Rows<double> above, below;
  Sums(int64_t count, int64_t width) : above(count, width), below(count, width) {}
};

GLIA_ALWAYS_INLINE double nmf_user(const Pass& s, const NMFOptions& o,
                                   std::span<const RatingMatrix::Entry> row, double* above,
                                   double* below, Sums& items) {
  const int64_t n = s.qi->stride();
  double squares = 0;
  for (const auto& [i, rating] : row) {
    const double* q = (*s.qi)[i];
    const double said = s.base + *s.bu + s.bi[i] + dot(q, static_cast<const double*>(s.pu), n);
    const double error = rating - said;
    squares += error * error;
    if (s.biased) {
      *s.bu += o.lr_bu * (error - o.reg_bu * *s.bu);
      s.bi[i] += o.lr_bi * (error - o.reg_bi * s.bi[i]);
    }
    add(above, rating, q, n);
    add(below, said, q, n);
    add(items.above[i], rating, static_cast<const double*>(s.pu), n);
    add(items.below[i], said, static_cast<const double*>(s.pu), n);
  }
  return squares;
}

GLIA_ALWAYS_INLINE void multiply(double* x, const double* above, const double* below, double weight,
                                 int64_t n) {
  for (int64_t f = 0; f < n; ++f)
    if (x[f] != 0) x[f] *= above[f] / (below[f] + weight * x[f]);
}

}  // namespace

void NMF::begin() {
  const auto& o = options;
  check("NMFOptions", o.n_factors, o.n_epochs, o.lr_bu);
  if (!(o.init_low >= 0 && o.init_high > o.init_low))
    throw ValueError("NMFOptions: init_low is negative, or not below init_high");
  data::Random random(o.random_state);
  assign(bu, zeros({ratings().n_users}, kF64));
  assign(bi, zeros({ratings().n_items}, kF64));
  draw(pu, random, ratings(), true, o.n_factors, false, o.init_low, o.init_high);
  draw(qi, random, ratings(), false, o.n_factors, false, o.init_low, o.init_high);
}

void NMF::run() {
  const RatingMatrix& all = ratings();
  const auto& o = options;
  for (const auto& e : all.by_user)
    if (e.rating < 0) throw ValueError("NMF: a rating is negative");
  const int64_t f = pu.shape().size(1);
  std::vector<double> user = bu.tensor().to_vector<double>(),
                      item = bi.tensor().to_vector<double>();
  Rows<double> p(pu.tensor().to_vector<double>(), f), q(qi.tensor().to_vector<double>(), f);
  for (int64_t epoch = 1; epoch <= o.n_epochs; ++epoch) {
    double squares = 0;
    Sums users(all.n_users, f), items(all.n_items, f);
    for (int64_t u = 0; u < all.n_users; ++u)
      squares += simd::at_level<nmf_user>({o.biased ? all.global_mean : 0,
                                           o.biased,
                                           {},
                                           &user[static_cast<size_t>(u)],
                                           item.data(),
                                           p[u],
                                           &q},
                                          o, all.of_user(u), users.above[u], users.below[u], items);
    for (int64_t u = 0; u < all.n_users; ++u)
      simd::at_level<multiply>(p[u], users.above[u], users.below[u],
                               static_cast<double>(all.of_user(u).size()) * o.reg_pu, f);
    for (int64_t i = 0; i < all.n_items; ++i)
      simd::at_level<multiply>(q[i], items.above[i], items.below[i],
                               static_cast<double>(all.of_item(i).size()) * o.reg_qi, f);
    if (!told(epoch, mean_square(squares, all))) break;
  }
  assign(bu, user, {all.n_users});
  assign(bi, item, {all.n_items});
  assign(pu, p.packed(), {all.n_users, f});
  assign(qi, q.packed(), {all.n_items, f});
}

RatingModel::Estimate NMF::estimate() const {
  return [this, bu = Read<double>(bu), bi = Read<double>(bi), pu = Read<double>(pu),
          qi = Read<double>(qi), f = pu.shape().size(1)](int64_t u, int64_t i) {
    const RatingMatrix& all = ratings();
    if (!options.biased && !(all.knows_user(u) && all.knows_item(i))) return all.global_mean;
    double out = options.biased ? all.global_mean + bu[u] + bi[i] : 0;
    for (int64_t k = 0; k < f; ++k) out += pu.row(u, f)[k] * qi.row(i, f)[k];
    return out;
  };
}

}  // namespace glia::recommend
