#include "glm_families.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tails.h"

namespace glia::classic {
namespace {

constexpr double kTiny = 1e-15;

double times_log(double a, double b) { return a == 0 ? 0 : a * std::log(b); }

}  // namespace

Link link_of(const GLMOptions& options) {
  if (options.link != GLMLink::kDefault) return {options.link};
  switch (options.family) {
    case GLMFamily::kGaussian:
      return {GLMLink::kIdentity};
    case GLMFamily::kBinomial:
      return {GLMLink::kLogit};
    case GLMFamily::kGamma:
      return {GLMLink::kInverse};
    case GLMFamily::kInverseGaussian:
      return {GLMLink::kInverseSquared};
    default:
      return {GLMLink::kLog};
  }
}

double Link::predictor(double mean) const {
  switch (kind) {
    case GLMLink::kLog:
      return std::log(mean);
    case GLMLink::kLogit:
      return std::log(mean) - std::log1p(-mean);
    case GLMLink::kProbit:
      return normal_quantile(mean);
    case GLMLink::kCLogLog:
      return std::log(-std::log1p(-mean));
    case GLMLink::kInverse:
      return 1 / mean;
    case GLMLink::kInverseSquared:
      return 1 / (mean * mean);
    case GLMLink::kSqrt:
      return std::sqrt(mean);
    default:
      return mean;
  }
}

double Link::mean(double predictor) const {
  switch (kind) {
    case GLMLink::kLog:
      return std::exp(predictor);
    case GLMLink::kLogit:
      return 1 / (1 + std::exp(-predictor));
    case GLMLink::kProbit:
      return 0.5 * std::erfc(-predictor / std::sqrt(2.0));
    case GLMLink::kCLogLog:
      return -std::expm1(-std::exp(predictor));
    case GLMLink::kInverse:
      return 1 / predictor;
    case GLMLink::kInverseSquared:
      return 1 / std::sqrt(predictor);
    case GLMLink::kSqrt:
      return predictor * predictor;
    default:
      return predictor;
  }
}

double Link::slope(double predictor) const {
  switch (kind) {
    case GLMLink::kLog:
      return std::exp(predictor);
    case GLMLink::kLogit: {
      const double e = std::exp(-std::abs(predictor));
      return e / ((1 + e) * (1 + e));
    }
    case GLMLink::kProbit:
      return std::exp(-predictor * predictor / 2) / std::sqrt(2 * M_PI);
    case GLMLink::kCLogLog:
      return std::exp(predictor - std::exp(predictor));
    case GLMLink::kInverse:
      return -1 / (predictor * predictor);
    case GLMLink::kInverseSquared:
      return -0.5 * std::pow(predictor, -1.5);
    case GLMLink::kSqrt:
      return 2 * predictor;
    default:
      return 1;
  }
}

double tweedie_deviance(double y, double mean, double power) {
  if (power == 0) return (y - mean) * (y - mean);
  if (power == 1) return 2 * (times_log(y, y / mean) - (y - mean));
  if (power == 2) return 2 * (std::log(mean / y) + y / mean - 1);
  const double own = std::pow(std::max(y, 0.0), 2 - power) / ((1 - power) * (2 - power));
  return 2 *
         ((power > 2 || y > 0 || power < 0 ? own : 0) -
          y * std::pow(mean, 1 - power) / (1 - power) + std::pow(mean, 2 - power) / (2 - power));
}

const char* Family::refuses(double y) const {
  switch (kind) {
    case GLMFamily::kBinomial:
      return y >= 0 && y <= 1 ? nullptr : "y is between 0 and 1";
    case GLMFamily::kPoisson:
    case GLMFamily::kNegativeBinomial:
      return y >= 0 ? nullptr : "y is not negative";
    case GLMFamily::kGamma:
    case GLMFamily::kInverseGaussian:
      return y > 0 ? nullptr : "y is above 0";
    case GLMFamily::kTweedie:
      if (power == 0) return nullptr;
      if (power >= 2) return y > 0 ? nullptr : "y is above 0";
      return power < 0 || y >= 0 ? nullptr : "y is not negative";
    default:
      return nullptr;
  }
}

double Family::variance(double mean) const {
  switch (kind) {
    case GLMFamily::kBinomial:
      return mean * (1 - mean);
    case GLMFamily::kPoisson:
      return mean;
    case GLMFamily::kGamma:
      return mean * mean;
    case GLMFamily::kInverseGaussian:
      return mean * mean * mean;
    case GLMFamily::kNegativeBinomial:
      return mean + nb_alpha * mean * mean;
    case GLMFamily::kTweedie:
      return power == 0 ? 1 : std::pow(mean, power);
    default:
      return 1;
  }
}

double Family::deviance(double y, double mean) const {
  switch (kind) {
    case GLMFamily::kBinomial:
      return 2 * (times_log(y, y / mean) + times_log(1 - y, (1 - y) / (1 - mean)));
    case GLMFamily::kPoisson:
      return tweedie_deviance(y, mean, 1);
    case GLMFamily::kGamma:
      return tweedie_deviance(y, mean, 2);
    case GLMFamily::kInverseGaussian:
      return (y - mean) * (y - mean) / (y * mean * mean);
    case GLMFamily::kNegativeBinomial:
      return 2 * (times_log(y, y / mean) -
                  (y + 1 / nb_alpha) * std::log((1 + nb_alpha * y) / (1 + nb_alpha * mean)));
    case GLMFamily::kTweedie:
      return tweedie_deviance(y, mean, power);
    default:
      return (y - mean) * (y - mean);
  }
}

double Family::start(double y, double mean) const {
  return kind == GLMFamily::kBinomial ? (y + 0.5) / 2 : (y + mean) / 2;
}

double Family::inside(double mean) const {
  if (kind == GLMFamily::kGaussian || (kind == GLMFamily::kTweedie && power == 0)) return mean;
  if (kind == GLMFamily::kBinomial) return std::clamp(mean, kTiny, 1 - kTiny);
  return std::max(mean, std::numeric_limits<double>::min() * 1e10);
}

double Family::log_likelihood(double y, double mean, double scale) const {
  switch (kind) {
    case GLMFamily::kBinomial:
      return times_log(y, mean) + times_log(1 - y, 1 - mean);
    case GLMFamily::kPoisson:
      return times_log(y, mean) - mean - std::lgamma(y + 1);
    case GLMFamily::kGamma: {
      const double shape = 1 / scale;
      return shape * std::log(shape * y / mean) - shape * y / mean - std::log(y) -
             std::lgamma(shape);
    }
    case GLMFamily::kInverseGaussian:
      return -0.5 * ((y - mean) * (y - mean) / (y * mean * mean * scale) +
                     std::log(2 * M_PI * scale * y * y * y));
    case GLMFamily::kNegativeBinomial: {
      const double size = 1 / nb_alpha;
      return std::lgamma(y + size) - std::lgamma(size) - std::lgamma(y + 1) +
             times_log(y, nb_alpha * mean / (1 + nb_alpha * mean)) -
             size * std::log1p(nb_alpha * mean);
    }
    case GLMFamily::kTweedie:
      return std::numeric_limits<double>::quiet_NaN();
    default:
      return -0.5 * ((y - mean) * (y - mean) / scale + std::log(2 * M_PI * scale));
  }
}

}  // namespace glia::classic
