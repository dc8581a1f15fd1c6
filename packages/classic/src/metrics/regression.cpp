#include "glia/classic/metrics/regression.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "glia/error.h"
#include "metrics/inputs.h"
#include "nan.h"

namespace glia::classic {
namespace {

// Both sides and the weights.
struct Targets {
  Grid truth, guess;
  std::vector<double> weight;

  Targets(const char* op, const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
          Where where)
      : truth(grid_of(op, y_true, "y_true", where)), guess(grid_of(op, y_pred, "y_pred", where)) {
    require_same_shape(op, truth, guess, where);
    weight = weights_of(op, sample_weight, truth.rows, where);
  }

  // The weighted mean of loss(truth, guess) of one output.
  template <class F>
  double mean(int64_t output, F&& loss) const {
    double sum = 0, total = 0;
    for (int64_t i = 0; i < truth.rows; ++i) {
      const double w = weight[static_cast<size_t>(i)];
      sum += w * loss(truth.at(i, output), guess.at(i, output));
      total += w;
    }
    return sum / total;
  }
  // And the mean over the outputs.
  template <class F>
  double loss(F&& f) const {
    double sum = 0;
    for (int64_t j = 0; j < truth.columns; ++j) sum += mean(j, f);
    return sum / static_cast<double>(truth.columns);
  }
  void require_one(const char* op, Where where) const {
    if (truth.columns != 1)
      throw ShapeError(std::string(op) + ": takes one output, not " + std::to_string(truth.columns),
                       where);
  }
};

// 1 - numerator / denominator, of what is constant 1 if it is met.
double explained(double numerator, double denominator) {
  if (denominator != 0) return 1 - numerator / denominator;
  return numerator == 0 ? 1 : 0;
}

double pinball(double y, double guess, double alpha) {
  const double d = y - guess;
  return d >= 0 ? alpha * d : (alpha - 1) * d;
}

double xlogy(double x, double y) { return x == 0 ? 0 : x * std::log(y); }

double tweedie(double y, double mu, double p) {
  if (p == 0) return (y - mu) * (y - mu);
  if (p == 1) return 2 * (xlogy(y, y / mu) - y + mu);
  if (p == 2) return 2 * (std::log(mu / y) + y / mu - 1);
  const double base = p < 0 ? std::max(y, 0.0) : y;
  return 2 * (std::pow(base, 2 - p) / ((1 - p) * (2 - p)) - y * std::pow(mu, 1 - p) / (1 - p) +
              std::pow(mu, 2 - p) / (2 - p));
}

void check_tweedie(const char* op, const Targets& t, double power, Where where) {
  t.require_one(op, where);
  if (!std::isfinite(power) || (power > 0 && power < 1))
    throw ValueError(std::string(op) + ": power = " + std::to_string(power) +
                         ", and no distribution has one between 0 and 1",
                     where);
  const auto require = [&](const Grid& g, bool zero, const char* what) {
    for (const double v : g.values)
      if (v < 0 || (v == 0 && !zero))
        throw ValueError(std::string(op) + ": " + what + " contains " + std::to_string(v) +
                             ", not for power = " + std::to_string(power),
                         where);
  };
  if (power != 0) require(t.guess, false, "y_pred");
  if (power >= 1) require(t.truth, power < 2, "y_true");
}

}  // namespace

double r2_score(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                Where where) {
  const Targets t("r2_score", y_true, y_pred, sample_weight, where);
  if (t.truth.rows < 2) return kNaN;
  double sum = 0;
  for (int64_t j = 0; j < t.truth.columns; ++j) {
    const double center = t.mean(j, [](double y, double) { return y; });
    sum += explained(t.mean(j, [](double y, double g) { return (y - g) * (y - g); }),
                     t.mean(j, [&](double y, double) { return (y - center) * (y - center); }));
  }
  return sum / static_cast<double>(t.truth.columns);
}

double explained_variance_score(const Tensor& y_true, const Tensor& y_pred,
                                const Tensor& sample_weight, Where where) {
  const Targets t("explained_variance_score", y_true, y_pred, sample_weight, where);
  double sum = 0;
  for (int64_t j = 0; j < t.truth.columns; ++j) {
    const double shift = t.mean(j, [](double y, double g) { return y - g; });
    const double center = t.mean(j, [](double y, double) { return y; });
    sum +=
        explained(t.mean(j, [&](double y, double g) { return (y - g - shift) * (y - g - shift); }),
                  t.mean(j, [&](double y, double) { return (y - center) * (y - center); }));
  }
  return sum / static_cast<double>(t.truth.columns);
}

double mean_squared_error(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                          Where where) {
  const Targets t("mean_squared_error", y_true, y_pred, sample_weight, where);
  return t.loss([](double y, double g) { return (y - g) * (y - g); });
}

double root_mean_squared_error(const Tensor& y_true, const Tensor& y_pred,
                               const Tensor& sample_weight, Where where) {
  const Targets t("root_mean_squared_error", y_true, y_pred, sample_weight, where);
  double sum = 0;
  for (int64_t j = 0; j < t.truth.columns; ++j)
    sum += std::sqrt(t.mean(j, [](double y, double g) { return (y - g) * (y - g); }));
  return sum / static_cast<double>(t.truth.columns);
}

namespace {

Targets logs(const char* op, const Tensor& y_true, const Tensor& y_pred,
             const Tensor& sample_weight, Where where) {
  Targets t(op, y_true, y_pred, sample_weight, where);
  for (Grid* grid : {&t.truth, &t.guess})
    for (double& v : grid->values) {
      if (v <= -1)
        throw ValueError(std::string(op) + ": " + std::to_string(v) + " is not above -1", where);
      v = std::log1p(v);
    }
  return t;
}

}  // namespace

double mean_squared_log_error(const Tensor& y_true, const Tensor& y_pred,
                              const Tensor& sample_weight, Where where) {
  return logs("mean_squared_log_error", y_true, y_pred, sample_weight, where)
      .loss([](double y, double g) { return (y - g) * (y - g); });
}

double root_mean_squared_log_error(const Tensor& y_true, const Tensor& y_pred,
                                   const Tensor& sample_weight, Where where) {
  const Targets t = logs("root_mean_squared_log_error", y_true, y_pred, sample_weight, where);
  double sum = 0;
  for (int64_t j = 0; j < t.truth.columns; ++j)
    sum += std::sqrt(t.mean(j, [](double y, double g) { return (y - g) * (y - g); }));
  return sum / static_cast<double>(t.truth.columns);
}

double mean_absolute_error(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                           Where where) {
  const Targets t("mean_absolute_error", y_true, y_pred, sample_weight, where);
  return t.loss([](double y, double g) { return std::abs(y - g); });
}

double median_absolute_error(const Tensor& y_true, const Tensor& y_pred,
                             const Tensor& sample_weight, Where where) {
  const Targets t("median_absolute_error", y_true, y_pred, sample_weight, where);
  double sum = 0;
  for (int64_t j = 0; j < t.truth.columns; ++j) {
    std::vector<double> errors;
    for (int64_t i = 0; i < t.truth.rows; ++i)
      errors.push_back(std::abs(t.truth.at(i, j) - t.guess.at(i, j)));
    sum += weighted_percentile(std::move(errors), t.weight, 0.5);
  }
  return sum / static_cast<double>(t.truth.columns);
}

double mean_absolute_percentage_error(const Tensor& y_true, const Tensor& y_pred,
                                      const Tensor& sample_weight, Where where) {
  const Targets t("mean_absolute_percentage_error", y_true, y_pred, sample_weight, where);
  constexpr double kEps = std::numeric_limits<double>::epsilon();
  return t.loss([&](double y, double g) { return std::abs(y - g) / std::max(std::abs(y), kEps); });
}

double max_error(const Tensor& y_true, const Tensor& y_pred, Where where) {
  const Targets t("max_error", y_true, y_pred, {}, where);
  t.require_one("max_error", where);
  double most = 0;
  for (size_t i = 0; i < t.truth.values.size(); ++i)
    most = std::max(most, std::abs(t.truth.values[i] - t.guess.values[i]));
  return most;
}

namespace {

void check_alpha(const char* op, double alpha, Where where) {
  if (!(alpha >= 0 && alpha <= 1))
    throw ValueError(std::string(op) + ": alpha = " + std::to_string(alpha) + " is not in [0, 1]",
                     where);
}

double pinball_score(const char* op, const Tensor& y_true, const Tensor& y_pred, double alpha,
                     const Tensor& sample_weight, Where where) {
  check_alpha(op, alpha, where);
  const Targets t(op, y_true, y_pred, sample_weight, where);
  if (t.truth.rows < 2) return kNaN;
  double sum = 0;
  for (int64_t j = 0; j < t.truth.columns; ++j) {
    std::vector<double> values;
    for (int64_t i = 0; i < t.truth.rows; ++i) values.push_back(t.truth.at(i, j));
    const double best = weighted_percentile(std::move(values), t.weight, alpha);
    sum += explained(t.mean(j, [&](double y, double g) { return pinball(y, g, alpha); }),
                     t.mean(j, [&](double y, double) { return pinball(y, best, alpha); }));
  }
  return sum / static_cast<double>(t.truth.columns);
}

}  // namespace

double mean_pinball_loss(const Tensor& y_true, const Tensor& y_pred, double alpha,
                         const Tensor& sample_weight, Where where) {
  check_alpha("mean_pinball_loss", alpha, where);
  const Targets t("mean_pinball_loss", y_true, y_pred, sample_weight, where);
  return t.loss([&](double y, double g) { return pinball(y, g, alpha); });
}

double mean_tweedie_deviance(const Tensor& y_true, const Tensor& y_pred, double power,
                             const Tensor& sample_weight, Where where) {
  const Targets t("mean_tweedie_deviance", y_true, y_pred, sample_weight, where);
  check_tweedie("mean_tweedie_deviance", t, power, where);
  return t.mean(0, [&](double y, double g) { return tweedie(y, g, power); });
}

double mean_poisson_deviance(const Tensor& y_true, const Tensor& y_pred,
                             const Tensor& sample_weight, Where where) {
  return mean_tweedie_deviance(y_true, y_pred, 1, sample_weight, where);
}

double mean_gamma_deviance(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                           Where where) {
  return mean_tweedie_deviance(y_true, y_pred, 2, sample_weight, where);
}

double d2_tweedie_score(const Tensor& y_true, const Tensor& y_pred, double power,
                        const Tensor& sample_weight, Where where) {
  const Targets t("d2_tweedie_score", y_true, y_pred, sample_weight, where);
  check_tweedie("d2_tweedie_score", t, power, where);
  if (t.truth.rows < 2) return kNaN;
  const double center = t.mean(0, [](double y, double) { return y; });
  const double loss = t.mean(0, [&](double y, double g) { return tweedie(y, g, power); });
  return 1 - loss / t.mean(0, [&](double y, double) { return tweedie(y, center, power); });
}

double d2_pinball_score(const Tensor& y_true, const Tensor& y_pred, double alpha,
                        const Tensor& sample_weight, Where where) {
  return pinball_score("d2_pinball_score", y_true, y_pred, alpha, sample_weight, where);
}

double d2_absolute_error_score(const Tensor& y_true, const Tensor& y_pred,
                               const Tensor& sample_weight, Where where) {
  return pinball_score("d2_absolute_error_score", y_true, y_pred, 0.5, sample_weight, where);
}

}  // namespace glia::classic
