#include "baselines.h"

#include <cmath>

#include "draws.h"
#include "fields.h"

namespace glia::recommend {

Biases biases_of(const RatingMatrix& ratings, const BaselineOptions& options) {
  const bool als = options.method == BaselineMethod::kALS;
  const int64_t epochs = options.n_epochs > 0 ? options.n_epochs : als ? 10 : 20;
  if (als && !(options.reg_u >= 0 && options.reg_i >= 0))
    throw ValueError("BaselineOptions: reg_u or reg_i is negative");
  Biases out{std::vector<double>(static_cast<size_t>(ratings.n_users)),
             std::vector<double>(static_cast<size_t>(ratings.n_items))};
  const double mean = ratings.global_mean;
  if (!als) {
    for (int64_t e = 0; e < epochs; ++e)
      for (int64_t u = 0; u < ratings.n_users; ++u)
        for (const auto& [i, r] : ratings.of_user(u)) {
          double &bu = out.user[static_cast<size_t>(u)], &bi = out.item[static_cast<size_t>(i)];
          const double error = r - (mean + bu + bi);
          bu += options.learning_rate * (error - options.reg * bu);
          bi += options.learning_rate * (error - options.reg * bi);
        }
    return out;
  }
  for (int64_t e = 0; e < epochs; ++e) {
    for (int64_t i = 0; i < ratings.n_items; ++i) {
      const auto row = ratings.of_item(i);
      double sum = 0;
      for (const auto& [u, r] : row) sum += r - mean - out.user[static_cast<size_t>(u)];
      if (!row.empty())
        out.item[static_cast<size_t>(i)] = sum / (options.reg_i + static_cast<double>(row.size()));
    }
    for (int64_t u = 0; u < ratings.n_users; ++u) {
      const auto row = ratings.of_user(u);
      double sum = 0;
      for (const auto& [i, r] : row) sum += r - mean - out.item[static_cast<size_t>(i)];
      if (!row.empty())
        out.user[static_cast<size_t>(u)] = sum / (options.reg_u + static_cast<double>(row.size()));
    }
  }
  return out;
}

// ---- Models -----------------------------------------------------------------------------------

void NormalPredictor::begin() {
  const RatingMatrix& all = ratings();
  double sum = 0;
  for (const auto& e : all.by_user)
    sum += (e.rating - all.global_mean) * (e.rating - all.global_mean);
  deviation_ = std::sqrt(sum / static_cast<double>(all.n_ratings));
}

RatingModel::Estimate NormalPredictor::estimate() const {
  return [this](int64_t u, int64_t i) {
    data::Random random(random_state_, static_cast<uint64_t>(u), static_cast<uint64_t>(i));
    return normal_draws(random, 1, ratings().global_mean, deviation_)[0];
  };
}

void BaselineOnly::begin() {
  assign(bu, zeros({ratings().n_users}, kF64));
  assign(bi, zeros({ratings().n_items}, kF64));
}

void BaselineOnly::run() {
  const Biases found = biases_of(ratings(), options);
  assign(bu, found.user, {ratings().n_users});
  assign(bi, found.item, {ratings().n_items});
}

RatingModel::Estimate BaselineOnly::estimate() const {
  return [u = Read<double>(bu), i = Read<double>(bi), mean = ratings().global_mean](
             int64_t user, int64_t item) { return mean + u[user] + i[item]; };
}

}  // namespace glia::recommend
