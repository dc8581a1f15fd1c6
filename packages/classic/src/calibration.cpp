#include "glia/classic/calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "columns.h"
#include "copies.h"
#include "fit_and_score.h"
#include "fitted.h"
#include "glia/classic/svm.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "linear.h"
#include "metrics/inputs.h"

namespace glia::classic {
namespace {

using Vector = std::vector<double>;

double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))); }

}  // namespace

// ---- Platt
// ----------------------------------------------------------------------------------------

SigmoidCalibration sigmoid_calibration(const Tensor& scores, const Tensor& y,
                                       const Tensor& sample_weight, Where where) {
  const char* op = "sigmoid_calibration";
  const Grid f = grid_of(op, scores, "scores", where), is = grid_of(op, y, "y", where);
  require_same_shape(op, f, is, where);
  require_flags(op, is, "y", where);
  const Vector weight = weights_of(op, sample_weight, f.rows, where);
  double of[2] = {0, 0};
  for (int64_t i = 0; i < f.rows; ++i) of[is.at(i) > 0] += weight[i];
  const double targets[2] = {1 / (of[0] + 2), (of[1] + 1) / (of[1] + 2)};
  // In units of the largest score, so that a step means something.
  const double unit = std::max(largest(f.values), 1e-300);
  // Of the margin z = -(a f + b): log(1 + e^z) - t z.
  const auto loss = [&](double a, double b) {
    double sum = 0;
    for (int64_t i = 0; i < f.rows; ++i) {
      const double z = -(a * (f.at(i) / unit) + b);
      sum += weight[i] * (softplus(z) - targets[is.at(i) > 0] * z);
    }
    return sum;
  };
  double a = 0, b = std::log((of[0] + 1) / (of[1] + 1)), value = loss(a, b);
  for (int iteration = 0; iteration < 100; ++iteration) {
    double ga = 0, gb = 0, aa = 0, ab = 0, bb = 0;
    for (int64_t i = 0; i < f.rows; ++i) {
      const double x = f.at(i) / unit, z = -(a * x + b);
      const double e = std::exp(-std::abs(z)), p = (z >= 0 ? 1 : e) / (1 + e);
      const double slope = weight[i] * (targets[is.at(i) > 0] - p);
      const double curve = weight[i] * e / ((1 + e) * (1 + e));
      ga += slope * x, gb += slope;
      aa += curve * x * x, ab += curve * x, bb += curve;
    }
    const double ridge = 1e-12 * (aa + bb) + 1e-300;
    const double det = (aa + ridge) * (bb + ridge) - ab * ab;
    double da = -((bb + ridge) * ga - ab * gb) / det, db = -((aa + ridge) * gb - ab * ga) / det;
    if (!std::isfinite(da) || !std::isfinite(db)) break;
    const double promised = -(ga * da + gb * db);
    double step = 1, next = loss(a + da, b + db);
    // So near the end the value has no digits left to judge by, and a full step is right.
    const bool near = promised <= 1e-9 * std::max(std::abs(value), 1.0);
    while (!near && step > 1e-10 && !(next <= value - 1e-4 * step * promised)) {
      step /= 2;
      next = loss(a + step * da, b + step * db);
    }
    if (!near && !(next <= value)) break;
    a += step * da, b += step * db;
    value = next;
    if (promised <= 1e-24 * std::max(std::abs(value), 1.0)) break;
  }
  return {a / unit, b};
}

// ---- Temperature
// ------------------------------------------------------------------------------------

double fit_temperature(const Tensor& logits, const Tensor& y, const Tensor& sample_weight,
                       Where where) {
  const char* op = "fit_temperature";
  const Grid z = grid_of(op, logits, "logits", where), of = grid_of(op, y, "y", where);
  require_rows(op, z, of, where);
  const std::vector<int64_t> labels = labels_of(op, of, "y", where);
  for (const int64_t label : labels)
    if (label < 0 || label >= z.columns)
      throw ValueError(std::string(op) + ": y has the class " + std::to_string(label) + " of " +
                           std::to_string(z.columns),
                       where);
  const Vector weight = weights_of(op, sample_weight, z.rows, where);
  // How the loss grows with beta = 1 / T, which grows itself: the mean logit less the true one.
  const auto slope = [&](double beta) {
    double sum = 0;
    Vector p(static_cast<size_t>(z.columns));
    for (int64_t i = 0; i < z.rows; ++i) {
      const double* row = z.values.data() + i * z.columns;
      const double most = *std::max_element(row, row + z.columns);
      double total = 0, mean = 0;
      for (int64_t c = 0; c < z.columns; ++c) {
        const double e = std::exp(beta * (row[c] - most));
        total += e;
        mean += e * (row[c] - most);
      }
      sum += weight[i] * (mean / total - (row[labels[i]] - most));
    }
    return sum;
  };
  double low = -10, high = 10;  // of log beta
  if (slope(std::exp(low)) >= 0) return std::exp(-low);
  if (slope(std::exp(high)) <= 0) return std::exp(-high);
  while (high - low > 1e-15 * std::max(1.0, std::abs(low))) {
    const double middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    (slope(std::exp(middle)) < 0 ? low : high) = middle;
  }
  return std::exp(-(low + high) / 2);
}

// ---- CalibratedClassifierCV
// -------------------------------------------------------------------------

namespace {

// Scores as logits (N, classes): of two classes from (N).
Tensor logits_of(const Response& r) {
  Tensor z = r.values;
  if (z.rank() == 1) z = r.probabilities ? stack({1 - z, z}, 1) : stack({-z, z}, 1);
  const bool shares =
      all((z >= 0) & (z <= 1)).item<bool>() && all(abs(sum(z, {1}) - 1) < 1e-5).item<bool>();
  return shares ? log(z + 1e-12) : z;
}

Tensor columns_of(const Tensor& values) {
  return values.rank() == 1 ? unsqueeze(values, 1) : values;
}

}  // namespace

// An estimator with its scores of samples that it has not seen, their classes and weights.
struct CalibratedClassifierCV::Scored {
  std::shared_ptr<const Estimator> estimator;
  Response response;
  Tensor codes;   // of all classes
  Tensor weight;  // or undefined
};

CalibratedClassifierCV::CalibratedClassifierCV()
    : CalibratedClassifierCV(SVC({{.kernel = SvmKernel::kLinear}})) {}

CalibratedClassifierCV::CalibratedClassifierCV(const Estimator& estimator,
                                               const CalibratedClassifierOptions& options, Where)
    : MetaEstimator(estimator), options_(options) {}

std::vector<Param> CalibratedClassifierCV::own_params() {
  return {{"method", &options_.method, {"sigmoid", "isotonic", "temperature"}},
          cv_param(&options_.cv),
          {"ensemble", &options_.ensemble},
          {"prefit", &options_.prefit}};
}

// Which class each score is of; of two classes the second.
std::vector<int64_t> CalibratedClassifierCV::columns(const Estimator& fitted) const {
  const Tensor* own = classes_of(fitted);
  if (!own || !own->defined())
    throw ValueError("CalibratedClassifierCV: " + std::string(fitted.name()) + " is no classifier");
  const auto all = classes.to_vector<int64_t>();
  std::vector<int64_t> of;
  for (const int64_t c : own->to_vector<int64_t>()) {
    of.push_back(position(all, c));
    if (of.back() < 0)
      throw ValueError("CalibratedClassifierCV: the estimator has the class " + std::to_string(c) +
                       ", which is not among those of y");
  }
  return of.size() == 2 ? std::vector<int64_t>{of[1]} : of;
}

void CalibratedClassifierCV::learn(const std::vector<Scored>& all, Where where) {
  Vector slopes, offsets, betas;
  for (const Scored& one : all) {
    estimators.push_back(one.estimator);
    const Tensor values = one.response.values;
    if (options_.method == CalibrationMethod::kTemperature) {
      const Tensor z = logits_of(one.response);
      if (z.size(1) != classes.size(0))
        throw ValueError("CalibratedClassifierCV.fit: a part of the samples lacks a class", where);
      betas.push_back(1 / fit_temperature(z, one.codes, one.weight, where));
      continue;
    }
    const std::vector<int64_t> of = columns(*one.estimator);
    const Tensor scores = columns_of(values);
    if (scores.size(1) != static_cast<int64_t>(of.size()))
      throw ValueError("CalibratedClassifierCV.fit: the estimator gives " +
                           std::to_string(scores.size(1)) + " scores for " +
                           std::to_string(of.size()) + " classes",
                       where);
    std::vector<IsotonicRegression> own;
    for (size_t c = 0; c < of.size(); ++c) {
      const Tensor score = index(scores, {Slice{}, static_cast<int64_t>(c)});
      const Tensor is = cast(one.codes == of[c], kF64);
      if (options_.method == CalibrationMethod::kIsotonic) {
        own.emplace_back(IsotonicRegressionOptions{.out_of_bounds = OutOfBounds::kClip});
        own.back().fit(score, is, one.weight, where);
      } else {
        const SigmoidCalibration s = sigmoid_calibration(score, is, one.weight, where);
        slopes.push_back(s.a);
        offsets.push_back(s.b);
      }
    }
    if (options_.method == CalibrationMethod::kIsotonic) curves.push_back(std::move(own));
  }
  const auto n = static_cast<int64_t>(all.size());
  if (!betas.empty()) beta = vector_of(betas);
  if (!slopes.empty()) {
    const int64_t scores = static_cast<int64_t>(slopes.size()) / n;
    if (scores * n != static_cast<int64_t>(slopes.size()))
      throw ValueError("CalibratedClassifierCV.fit: a part of the samples lacks a class", where);
    a = from_vector(slopes, {n, scores});
    b = from_vector(offsets, {n, scores});
  }
}

CalibratedClassifierCV& CalibratedClassifierCV::fit(const Tensor& x, const Tensor& y,
                                                    const Tensor& sample_weight, Where where) {
  const std::string op = "CalibratedClassifierCV.fit";
  const NoGrad no_grad;
  const Extent size = extent_of(op, x, where);
  const ClassTargets targets = check_classes(op, y, size.samples, where);
  if (targets.classes.size(0) < 2)
    throw ValueError(op + ": y has one class, where at least two are needed", where);
  const Tensor weight = check_sample_weight(op, sample_weight, size.samples, kF64, where);
  CalibratedClassifierCV fresh(*estimator_, options_);
  fresh.classes = targets.classes;
  std::vector<Scored> all;
  if (options_.prefit) {
    require_fitted(op, estimator_->fitted(), where);
    fresh.classes = classes_of(*estimator_) ? *classes_of(*estimator_) : targets.classes;
    const auto known = fresh.classes.to_vector<int64_t>();
    std::vector<int64_t> place;
    for (const int64_t c : targets.classes.to_vector<int64_t>()) {
      place.push_back(position(known, c));
      if (place.back() < 0)
        throw ValueError(
            op + ": y has the class " + std::to_string(c) + ", which the estimator does not know",
            where);
    }
    all.push_back({estimator_->clone(), response_of(*estimator_, x, where),
                   take(vector_of(place), targets.codes), weight});
  } else {
    if (const auto folds = options_.cv.n_splits()) {
      const Tensor counts = sum(one_hot(targets.codes, targets.classes.size(0), kF64), {0});
      if (min(counts).item() < static_cast<double>(*folds))
        throw ValueError(op + ": a class has less than cv = " + std::to_string(*folds) + " samples",
                         where);
    }
    const auto splits = all_splits(op, options_.cv, *estimator_, x, y, {}, where);
    std::vector<Response> parts;
    for (const TrainTest& split : splits) {
      const std::shared_ptr<Estimator> copy = estimator_->clone();
      copy->fit(take(x, split.train), take(y, split.train), rows(sample_weight, split.train),
                where);
      Response response = response_of(*copy, take(x, split.test), where);
      if (options_.ensemble)
        all.push_back({copy, response, take(targets.codes, split.test), rows(weight, split.test)});
      else
        parts.push_back(std::move(response));
    }
    if (!options_.ensemble) {
      // What the splits say of their tests, in the order of the samples.
      std::vector<Tensor> values, order;
      for (size_t s = 0; s < splits.size(); ++s) {
        values.push_back(parts[s].values);
        order.push_back(splits[s].test);
        if (parts[s].values.rank() != parts[0].values.rank() ||
            (parts[s].values.rank() == 2 && parts[s].values.size(1) != parts[0].values.size(1)))
          throw ValueError(op + ": a part of the samples lacks a class", where);
      }
      const Tensor place = argsort(concat(order, 0));
      if (place.size(0) != size.samples)
        throw ValueError(op + ": each sample must be in one test of cv", where);
      const std::shared_ptr<Estimator> whole = estimator_->clone();
      whole->fit(x, y, sample_weight, where);
      all.push_back(
          {whole, {take(concat(values, 0), place), parts[0].probabilities}, targets.codes, weight});
    }
  }
  fresh.learn(all, where);
  fresh.n_features_in = size.features;
  *this = std::move(fresh);
  return *this;
}

Tensor CalibratedClassifierCV::probabilities(size_t split, const Tensor& x, Where where) const {
  const Response r = response_of(*estimators[split], x, where);
  const auto at = static_cast<int64_t>(split);
  if (options_.method == CalibrationMethod::kTemperature)
    return softmax(logits_of(r) * index(beta, {at}), 1);
  const std::vector<int64_t> of = columns(*estimators[split]);
  const Tensor scores = columns_of(r.values);
  const int64_t k = classes.size(0), n = scores.size(0);
  std::vector<Tensor> p(static_cast<size_t>(k), zeros({n}, kF64));
  for (size_t c = 0; c < of.size(); ++c) {
    const auto column = static_cast<int64_t>(c);
    const Tensor score = index(scores, {Slice{}, column});
    p[of[c]] = options_.method == CalibrationMethod::kIsotonic
                   ? curves[split][c].predict(score, where)
                   : sigmoid(-(index(a, {at, column}) * score + index(b, {at, column})));
  }
  if (k == 2) {
    p[0] = 1 - p[1];
    return stack(p, 1);
  }
  const Tensor all = stack(p, 1), total = sum(all, {1}, true);
  return glia::where(total > 0, all / glia::where(total > 0, total, 1), 1 / static_cast<double>(k));
}

Tensor CalibratedClassifierCV::predict_proba(const Tensor& x, Where where) const {
  const std::string op = "CalibratedClassifierCV.predict_proba";
  const NoGrad no_grad;
  require_fitted(op, fitted(), where);
  Tensor sum;
  for (size_t i = 0; i < estimators.size(); ++i) {
    const Tensor p = probabilities(i, x, where);
    sum = i == 0 ? p : sum + p;
  }
  return sum / static_cast<double>(estimators.size());
}

StateDict CalibratedClassifierCV::state_dict(Where where) const {
  CalibratedClassifierCV copy = *this;
  int64_t count = static_cast<int64_t>(estimators.size());
  StateDict state = fitted_state(*this,
                                 {{"n_estimators", &count, {}},
                                  {"a", &copy.a, {}},
                                  {"b", &copy.b, {}},
                                  {"beta", &copy.beta, {}}},
                                 where);
  append_copies(state, estimators);
  for (size_t i = 0; i < curves.size(); ++i)
    for (size_t c = 0; c < curves[i].size(); ++c)
      io::append(state, "curves." + std::to_string(i) + "." + std::to_string(c) + ".",
                 curves[i][c].state_dict());
  return state;
}

void CalibratedClassifierCV::load_state_dict(const StateDict& state, Where where) {
  const std::string op = "CalibratedClassifierCV.load_state_dict";
  CalibratedClassifierCV fresh(*estimator_, options_);
  int64_t count = 0;
  const bool sigmoid = options_.method == CalibrationMethod::kSigmoid,
             isotonic = options_.method == CalibrationMethod::kIsotonic;
  load_fitted_state(fresh,
                    {{"n_estimators", &count, {}},
                     {"a", &fresh.a, {-1, -1}, kF64, !sigmoid},
                     {"b", &fresh.b, {-1, -1}, kF64, !sigmoid},
                     {"beta", &fresh.beta, {-1}, kF64, sigmoid || isotonic}},
                    own_state(own_state(state), "curves."), where);
  fresh.estimators = loaded_copies(*estimator_, state, count, where);
  for (int64_t i = 0; i < count; ++i) {
    const auto scores = static_cast<int64_t>(fresh.columns(*fresh.estimators[i]).size());
    if (sigmoid && (fresh.a.shape() != Shape{count, scores} || fresh.b.shape() != fresh.a.shape()))
      throw Error(op + ": a and b do not fit the estimators", where);
    if (!isotonic) continue;
    std::vector<IsotonicRegression> own;
    for (int64_t c = 0; c < scores; ++c) {
      own.emplace_back(IsotonicRegressionOptions{.out_of_bounds = OutOfBounds::kClip});
      own.back().load_state_dict(
          io::with_prefix(state, "curves." + std::to_string(i) + "." + std::to_string(c) + "."),
          where);
    }
    fresh.curves.push_back(std::move(own));
  }
  if (count == 0 || (!sigmoid && !isotonic && fresh.beta.size(0) != count))
    throw Error(op + ": there are " + std::to_string(count) + " estimators", where);
  *this = std::move(fresh);
}

// ---- How well they are
// ------------------------------------------------------------------------------

namespace {

// Sums over bins of the confidence in what is guessed.
struct Bins {
  Vector confidence, right, count;
  double samples = 0;
};

Bins bins_of(const char* op, const Tensor& y_true, const Tensor& y_prob,
             const CalibrationErrorOptions& options, Where where) {
  if (options.n_bins < 1 || options.n_bins > 1000000)
    throw ValueError(std::string(op) + ": n_bins = " + std::to_string(options.n_bins), where);
  const Grid p = grid_of(op, y_prob, "y_prob", where), y = grid_of(op, y_true, "y_true", where);
  require_rows(op, p, y, where);
  const std::vector<int64_t> labels = labels_of(op, y, "y_true", where);
  const int64_t k = p.columns == 1 ? 2 : p.columns;
  Vector confidence;
  std::vector<bool> right;
  for (int64_t i = 0; i < p.rows; ++i) {
    if (labels[i] < 0 || labels[i] >= k)
      throw ValueError(std::string(op) + ": y_true has the class " + std::to_string(labels[i]) +
                           " of " + std::to_string(k),
                       where);
    double most = -1;
    int64_t guess = 0;
    for (int64_t c = 0; c < k; ++c) {
      const double share = p.columns > 1 ? p.at(i, c) : c == 1 ? p.at(i) : 1 - p.at(i);
      if (!(share >= 0 && share <= 1 + 1e-5))
        throw ValueError(std::string(op) + ": " + to_text(ParamValue(share)) + " is no probability",
                         where);
      if (share > most) most = share, guess = c;
    }
    confidence.push_back(std::min(most, 1.0));
    right.push_back(guess == labels[i]);
  }
  Vector edges = linspace(0, 1, options.n_bins + 1);
  if (options.strategy == CalibrationStrategy::kQuantile) {
    Vector sorted = confidence;
    std::sort(sorted.begin(), sorted.end());
    for (double& edge : edges) edge = quantile(sorted, edge);
  }
  const auto count = static_cast<size_t>(options.n_bins);
  Bins bins{Vector(count), Vector(count), Vector(count), static_cast<double>(p.rows)};
  for (size_t i = 0; i < confidence.size(); ++i) {
    const auto at = static_cast<size_t>(
        std::lower_bound(edges.begin() + 1, edges.end() - 1, confidence[i]) - edges.begin() - 1);
    bins.confidence[at] += confidence[i];
    bins.right[at] += right[i] ? 1 : 0;
    bins.count[at] += 1;
  }
  return bins;
}

double gap(const Bins& bins, size_t b) {
  return std::abs(bins.right[b] - bins.confidence[b]) / bins.count[b];
}

}  // namespace

double expected_calibration_error(const Tensor& y_true, const Tensor& y_prob,
                                  const CalibrationErrorOptions& options, Where where) {
  const char* op = "expected_calibration_error";
  require_option(options.norm >= 1 && std::isfinite(options.norm), op, "norm", options.norm, where);
  const Bins bins = bins_of(op, y_true, y_prob, options, where);
  double sum = 0;
  for (size_t b = 0; b < bins.count.size(); ++b)
    if (bins.count[b] > 0)
      sum += bins.count[b] / bins.samples * std::pow(gap(bins, b), options.norm);
  return std::pow(sum, 1 / options.norm);
}

double maximum_calibration_error(const Tensor& y_true, const Tensor& y_prob,
                                 const CalibrationErrorOptions& options, Where where) {
  const Bins bins = bins_of("maximum_calibration_error", y_true, y_prob, options, where);
  double most = 0;
  for (size_t b = 0; b < bins.count.size(); ++b)
    if (bins.count[b] > 0) most = std::max(most, gap(bins, b));
  return most;
}

ReliabilityCurve reliability_curve(const Tensor& y_true, const Tensor& y_prob,
                                   const CalibrationErrorOptions& options, Where where) {
  const Bins bins = bins_of("reliability_curve", y_true, y_prob, options, where);
  Vector confidence, accuracy;
  std::vector<int64_t> count;
  for (size_t b = 0; b < bins.count.size(); ++b) {
    if (bins.count[b] == 0) continue;
    confidence.push_back(bins.confidence[b] / bins.count[b]);
    accuracy.push_back(bins.right[b] / bins.count[b]);
    count.push_back(static_cast<int64_t>(bins.count[b]));
  }
  return {vector_of(confidence), vector_of(accuracy), vector_of(count)};
}

}  // namespace glia::classic
