#include "glia/classic/metrics/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "glia/error.h"
#include "glia/ops.h"
#include "metrics/inputs.h"
#include "nan.h"

namespace glia::classic {
namespace {

// Both sides: classes (N), or labels (N, L).
struct Guesses {
  Grid truth, guess;
  std::vector<double> weight;
  bool multilabel = false;
  std::vector<int64_t> t, g;  // the classes of each sample, unless multilabel

  Guesses(const char* op, const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
          Where where)
      : truth(grid_of(op, y_true, "y_true", where)), guess(grid_of(op, y_pred, "y_pred", where)) {
    require_same_shape(op, truth, guess, where);
    weight = weights_of(op, sample_weight, truth.rows, where);
    multilabel = truth.columns > 1;
    if (multilabel) {
      require_flags(op, truth, "y_true", where);
      require_flags(op, guess, "y_pred", where);
    } else {
      t = labels_of(op, truth, "y_true", where);
      g = labels_of(op, guess, "y_pred", where);
    }
  }

  std::vector<int64_t> labels() const {
    std::vector<int64_t> all = t;
    all.insert(all.end(), g.begin(), g.end());
    if (multilabel)
      for (int64_t j = 0; j < truth.columns; ++j) all.push_back(j);
    return distinct(std::move(all));
  }
  void refuse_multilabel(const char* op, Where where) const {
    if (multilabel) throw ShapeError(std::string(op) + ": classes are (N)", where);
  }
  double total() const {
    double sum = 0;
    for (const double w : weight) sum += w;
    return sum;
  }
};

// (classes, classes) of weights.
std::vector<double> confusion(const Guesses& y, const std::vector<int64_t>& labels) {
  const size_t k = labels.size();
  std::vector<double> out(k * k);
  std::vector<int64_t> sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  std::vector<size_t> place(k);  // of a sorted label among `labels`
  for (size_t i = 0; i < k; ++i) place[static_cast<size_t>(position(sorted, labels[i]))] = i;
  for (size_t i = 0; i < y.t.size(); ++i) {
    const int64_t a = position(sorted, y.t[i]), b = position(sorted, y.g[i]);
    if (a >= 0 && b >= 0)
      out[place[static_cast<size_t>(a)] * k + place[static_cast<size_t>(b)]] += y.weight[i];
  }
  return out;
}

std::vector<int64_t> chosen_labels(const char* op, const Guesses& y,
                                   const std::vector<int64_t>& labels, Where where) {
  if (labels.empty()) return y.labels();
  if (distinct(labels).size() != labels.size())
    throw ValueError(std::string(op) + ": a label twice", where);
  const std::vector<int64_t> known = y.labels();
  for (const int64_t label : labels)
    if (y.multilabel && position(known, label) < 0)
      throw ValueError(std::string(op) + ": label " + std::to_string(label) + " of " +
                           std::to_string(y.truth.columns),
                       where);
  return labels;
}

// Of each class, or of each sample, what is right and what was said and true.
struct Counts {
  std::vector<int64_t> labels;
  std::vector<double> hits, said, truly;
};

Counts counts_of(const Guesses& y, std::vector<int64_t> labels, bool of_samples) {
  Counts c;
  c.labels = std::move(labels);
  const size_t size = of_samples ? static_cast<size_t>(y.truth.rows) : c.labels.size();
  c.hits.resize(size);
  c.said.resize(size);
  c.truly.resize(size);
  const auto add = [&](size_t at, bool truth, bool guess, double w) {
    if (truth && guess) c.hits[at] += w;
    if (guess) c.said[at] += w;
    if (truth) c.truly[at] += w;
  };
  if (y.multilabel) {
    for (int64_t i = 0; i < y.truth.rows; ++i)
      for (size_t l = 0; l < c.labels.size(); ++l)
        add(of_samples ? static_cast<size_t>(i) : l, y.truth.at(i, c.labels[l]) > 0,
            y.guess.at(i, c.labels[l]) > 0, of_samples ? 1 : y.weight[static_cast<size_t>(i)]);
    return c;
  }
  std::vector<int64_t> sorted = c.labels;
  std::sort(sorted.begin(), sorted.end());
  std::vector<size_t> place(sorted.size());
  for (size_t i = 0; i < sorted.size(); ++i)
    place[static_cast<size_t>(position(sorted, c.labels[i]))] = i;
  for (size_t i = 0; i < y.t.size(); ++i) {
    const int64_t a = position(sorted, y.t[i]), b = position(sorted, y.g[i]);
    if (a >= 0) add(place[static_cast<size_t>(a)], true, a == b, y.weight[i]);
    if (b >= 0 && a != b) add(place[static_cast<size_t>(b)], false, true, y.weight[i]);
  }
  return c;
}

Counts counts_for(const char* op, const Guesses& y, const ScoreOptions& options, Where where) {
  if (options.average == Average::kBinary) {
    if (y.multilabel || y.labels().size() > 2)
      throw ValueError(
          std::string(op) + ": there are more than two classes; choose another average", where);
    const std::vector<int64_t> present = y.labels();
    if (present.size() == 2 && position(present, options.pos_label) < 0)
      throw ValueError(std::string(op) + ": pos_label = " + std::to_string(options.pos_label) +
                           " is none of the classes",
                       where);
    return counts_of(y, {options.pos_label}, false);
  }
  if (options.average == Average::kSamples && !y.multilabel)
    throw ValueError(std::string(op) + ": the average over samples is of (N, labels)", where);
  return counts_of(y, chosen_labels(op, y, options.labels, where),
                   options.average == Average::kSamples);
}

double ratio(double a, double b, double zero_division) { return b == 0 ? zero_division : a / b; }

// The mean of the classes' scores.
template <class F>
double averaged(const Guesses& y, Counts c, const ScoreOptions& options, F&& score) {
  if (options.average == Average::kMicro) {
    const auto sum = [](std::vector<double>& v) {
      double s = 0;
      for (const double x : v) s += x;
      v = {s};
    };
    sum(c.hits);
    sum(c.said);
    sum(c.truly);
  }
  double sum = 0, total = 0;
  bool any = false;
  for (const double n : c.truly) any |= n != 0;
  for (size_t i = 0; i < c.hits.size(); ++i) {
    const double s = score(c.hits[i], c.said[i], c.truly[i]);
    if (std::isnan(s)) continue;
    const double w = options.average == Average::kWeighted && any ? c.truly[i]
                     : options.average == Average::kSamples       ? y.weight[i]
                                                                  : 1;
    sum += w * s;
    total += w;
  }
  return total == 0 ? kNaN : sum / total;
}

double fbeta(double hits, double said, double truly, double beta, double zero_division) {
  if (std::isinf(beta)) return ratio(hits, truly, zero_division);
  if (beta == 0) return ratio(hits, said, zero_division);
  const double b = beta * beta;
  return ratio((1 + b) * hits, b * truly + said, zero_division);
}

double score(const char* op, const Tensor& y_true, const Tensor& y_pred, double beta,
             const ScoreOptions& options, Where where) {
  if (!(beta >= 0)) throw ValueError(std::string(op) + ": beta = " + std::to_string(beta), where);
  const Guesses y(op, y_true, y_pred, options.sample_weight, where);
  return averaged(y, counts_for(op, y, options, where), options,
                  [&](double hits, double said, double truly) {
                    return fbeta(hits, said, truly, beta, options.zero_division);
                  });
}

}  // namespace

// ---- Right or wrong ---------------------------------------------------------------------------

double accuracy_score(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                      Where where) {
  const Guesses y("accuracy_score", y_true, y_pred, sample_weight, where);
  double right = 0;
  for (int64_t i = 0; i < y.truth.rows; ++i) {
    bool all = true;
    for (int64_t j = 0; j < y.truth.columns; ++j) all &= y.truth.at(i, j) == y.guess.at(i, j);
    if (all) right += y.weight[static_cast<size_t>(i)];
  }
  return right / y.total();
}

double zero_one_loss(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                     Where where) {
  return 1 - accuracy_score(y_true, y_pred, sample_weight, where);
}

double hamming_loss(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                    Where where) {
  const Guesses y("hamming_loss", y_true, y_pred, sample_weight, where);
  double wrong = 0;
  for (int64_t i = 0; i < y.truth.rows; ++i)
    for (int64_t j = 0; j < y.truth.columns; ++j)
      if (y.truth.at(i, j) != y.guess.at(i, j)) wrong += y.weight[static_cast<size_t>(i)];
  return wrong / (y.total() * static_cast<double>(y.truth.columns));
}

double balanced_accuracy_score(const Tensor& y_true, const Tensor& y_pred,
                               const Tensor& sample_weight, bool adjusted, Where where) {
  const Guesses y("balanced_accuracy_score", y_true, y_pred, sample_weight, where);
  y.refuse_multilabel("balanced_accuracy_score", where);
  const Counts c = counts_of(y, y.labels(), false);
  double sum = 0, classes = 0;
  for (size_t i = 0; i < c.hits.size(); ++i) {
    if (c.truly[i] == 0) continue;
    sum += c.hits[i] / c.truly[i];
    ++classes;
  }
  const double score = sum / classes, chance = 1 / classes;
  return adjusted ? (score - chance) / (1 - chance) : score;
}

double cohen_kappa_score(const Tensor& y1, const Tensor& y2, KappaWeights weights,
                         const Tensor& sample_weight, Where where) {
  const Guesses y("cohen_kappa_score", y1, y2, sample_weight, where);
  y.refuse_multilabel("cohen_kappa_score", where);
  const std::vector<int64_t> labels = y.labels();
  const size_t k = labels.size();
  const std::vector<double> table = confusion(y, labels);
  std::vector<double> rows(k), columns(k);
  for (size_t i = 0; i < k; ++i)
    for (size_t j = 0; j < k; ++j) {
      rows[i] += table[i * k + j];
      columns[j] += table[i * k + j];
    }
  double seen = 0, expected = 0;
  for (size_t i = 0; i < k; ++i)
    for (size_t j = 0; j < k; ++j) {
      const double apart = std::abs(static_cast<double>(i) - static_cast<double>(j));
      const double w = weights == KappaWeights::kNone     ? (i == j ? 0 : 1)
                       : weights == KappaWeights::kLinear ? apart
                                                          : apart * apart;
      seen += w * table[i * k + j];
      expected += w * rows[i] * columns[j] / y.total();
    }
  return expected == 0 ? kNaN : 1 - seen / expected;
}

double matthews_corrcoef(const Tensor& y_true, const Tensor& y_pred, const Tensor& sample_weight,
                         Where where) {
  const Guesses y("matthews_corrcoef", y_true, y_pred, sample_weight, where);
  y.refuse_multilabel("matthews_corrcoef", where);
  const Counts c = counts_of(y, y.labels(), false);
  const double n = y.total();
  double right = 0, both = 0, said = 0, truly = 0;
  for (size_t i = 0; i < c.hits.size(); ++i) {
    right += c.hits[i];
    both += c.said[i] * c.truly[i];
    said += c.said[i] * c.said[i];
    truly += c.truly[i] * c.truly[i];
  }
  const double spread = (n * n - said) * (n * n - truly);
  return spread == 0 ? 0 : (right * n - both) / std::sqrt(spread);
}

// ---- Counts -----------------------------------------------------------------------------------

Tensor confusion_matrix(const Tensor& y_true, const Tensor& y_pred, const ConfusionOptions& options,
                        Where where) {
  const char* op = "confusion_matrix";
  const Guesses y(op, y_true, y_pred, options.sample_weight, where);
  y.refuse_multilabel(op, where);
  const std::vector<int64_t> labels = chosen_labels(op, y, options.labels, where);
  const size_t k = labels.size();
  std::vector<double> table = confusion(y, labels);
  const Shape shape{static_cast<int64_t>(k), static_cast<int64_t>(k)};
  if (options.normalize == Normalize::kNone) {
    const Tensor out = from_vector(table, shape);
    return options.sample_weight.defined() ? out : cast(out, kI64);
  }
  std::vector<double> rows(k), columns(k);
  double all = 0;
  for (size_t i = 0; i < k; ++i)
    for (size_t j = 0; j < k; ++j) {
      rows[i] += table[i * k + j];
      columns[j] += table[i * k + j];
      all += table[i * k + j];
    }
  for (size_t i = 0; i < k; ++i)
    for (size_t j = 0; j < k; ++j) {
      const double by = options.normalize == Normalize::kTrue   ? rows[i]
                        : options.normalize == Normalize::kPred ? columns[j]
                                                                : all;
      table[i * k + j] = ratio(table[i * k + j], by, 0);
    }
  return from_vector(table, shape);
}

Tensor multilabel_confusion_matrix(const Tensor& y_true, const Tensor& y_pred,
                                   const ConfusionOptions& options, Where where) {
  const char* op = "multilabel_confusion_matrix";
  const Guesses y(op, y_true, y_pred, options.sample_weight, where);
  const Counts c = counts_of(y, chosen_labels(op, y, options.labels, where), false);
  std::vector<double> out;
  for (size_t i = 0; i < c.hits.size(); ++i) {
    const double wrong = c.said[i] - c.hits[i], missed = c.truly[i] - c.hits[i];
    for (const double v : {y.total() - c.hits[i] - wrong - missed, wrong, missed, c.hits[i]})
      out.push_back(v);
  }
  return from_vector(out, {static_cast<int64_t>(c.hits.size()), 2, 2});
}

double precision_score(const Tensor& y_true, const Tensor& y_pred, const ScoreOptions& options,
                       Where where) {
  return score("precision_score", y_true, y_pred, 0, options, where);
}

double recall_score(const Tensor& y_true, const Tensor& y_pred, const ScoreOptions& options,
                    Where where) {
  return score("recall_score", y_true, y_pred, std::numeric_limits<double>::infinity(), options,
               where);
}

double f1_score(const Tensor& y_true, const Tensor& y_pred, const ScoreOptions& options,
                Where where) {
  return score("f1_score", y_true, y_pred, 1, options, where);
}

double fbeta_score(const Tensor& y_true, const Tensor& y_pred, double beta,
                   const ScoreOptions& options, Where where) {
  return score("fbeta_score", y_true, y_pred, beta, options, where);
}

double jaccard_score(const Tensor& y_true, const Tensor& y_pred, const ScoreOptions& options,
                     Where where) {
  const Guesses y("jaccard_score", y_true, y_pred, options.sample_weight, where);
  return averaged(y, counts_for("jaccard_score", y, options, where), options,
                  [&](double hits, double said, double truly) {
                    return ratio(hits, said + truly - hits, options.zero_division);
                  });
}

ClassScores precision_recall_fscore_support(const Tensor& y_true, const Tensor& y_pred, double beta,
                                            const ScoreOptions& options, Where where) {
  const char* op = "precision_recall_fscore_support";
  if (!(beta >= 0)) throw ValueError(std::string(op) + ": beta = " + std::to_string(beta), where);
  const Guesses y(op, y_true, y_pred, options.sample_weight, where);
  const Counts c = counts_of(y, chosen_labels(op, y, options.labels, where), false);
  std::vector<double> p, r, f;
  for (size_t i = 0; i < c.hits.size(); ++i) {
    p.push_back(ratio(c.hits[i], c.said[i], options.zero_division));
    r.push_back(ratio(c.hits[i], c.truly[i], options.zero_division));
    f.push_back(fbeta(c.hits[i], c.said[i], c.truly[i], beta, options.zero_division));
  }
  return {c.labels, to_tensor(p), to_tensor(r), to_tensor(f), to_tensor(c.truly)};
}

LikelihoodRatios class_likelihood_ratios(const Tensor& y_true, const Tensor& y_pred,
                                         const Tensor& sample_weight, Where where) {
  const char* op = "class_likelihood_ratios";
  const Guesses y(op, y_true, y_pred, sample_weight, where);
  const std::vector<int64_t> labels = y.labels();
  if (y.multilabel || labels.size() != 2)
    throw ValueError(std::string(op) + ": there are not two classes", where);
  const std::vector<double> m = confusion(y, labels);  // tn fp fn tp
  const double positives = m[2] + m[3], negatives = m[0] + m[1];
  LikelihoodRatios out{kNaN, kNaN};
  if (positives == 0) return out;
  if (m[1] != 0) out.positive = (m[3] / positives) / (m[1] / negatives);
  if (m[0] != 0) out.negative = (m[2] / positives) / (m[0] / negatives);
  return out;
}

std::string classification_report(const Tensor& y_true, const Tensor& y_pred,
                                  const ReportOptions& options, Where where) {
  const char* op = "classification_report";
  const Guesses y(op, y_true, y_pred, options.sample_weight, where);
  const Counts c = counts_of(y, chosen_labels(op, y, options.labels, where), false);
  std::vector<std::string> names = options.target_names;
  if (names.empty())
    for (const int64_t label : c.labels) names.push_back(std::to_string(label));
  if (names.size() != c.labels.size())
    throw ValueError(
        fmt::format("{}: {} target_names for {} classes", op, names.size(), c.labels.size()),
        where);
  if (options.digits < 0)
    throw ValueError(fmt::format("{}: digits = {}", op, options.digits), where);
  size_t width = std::max<size_t>(12, static_cast<size_t>(options.digits));  // "weighted avg"
  double support = 0;
  for (const std::string& name : names) width = std::max(width, name.size());
  for (const double n : c.truly) support += n;
  const auto count = [&](double n) {
    return options.sample_weight.defined() ? fmt::format("{}", n)
                                           : fmt::format("{}", static_cast<int64_t>(n));
  };
  const auto row = [&](const std::string& name, double p, double r, double f, double n) {
    return fmt::format("{:>{}}  {:>9.{}f} {:>9.{}f} {:>9.{}f} {:>9}\n", name, width, p,
                       options.digits, r, options.digits, f, options.digits, count(n));
  };
  std::string out = fmt::format("{:>{}}  {:>9} {:>9} {:>9} {:>9}\n\n", "", width, "precision",
                                "recall", "f1-score", "support");
  const double zero = options.zero_division;
  for (size_t i = 0; i < names.size(); ++i)
    out += row(names[i], ratio(c.hits[i], c.said[i], zero), ratio(c.hits[i], c.truly[i], zero),
               fbeta(c.hits[i], c.said[i], c.truly[i], 1, zero), c.truly[i]);
  out += '\n';

  // Where all classes are listed, the micro average is the accuracy.
  bool all = !y.multilabel;
  const std::vector<int64_t> listed = distinct(c.labels);
  for (const int64_t label : y.labels()) all &= position(listed, label) >= 0;
  std::vector<std::pair<std::string, Average>> averages = {
      {all ? "accuracy" : "micro avg", Average::kMicro},
      {"macro avg", Average::kMacro},
      {"weighted avg", Average::kWeighted}};
  if (y.multilabel) averages.emplace_back("samples avg", Average::kSamples);
  for (const auto& [name, average] : averages) {
    ScoreOptions how{.average = average, .labels = c.labels, .zero_division = zero};
    const Counts of = counts_of(y, c.labels, average == Average::kSamples);
    const auto mean = [&](double beta) {
      return averaged(y, of, how, [&](double hits, double said, double truly) {
        return fbeta(hits, said, truly, beta, zero);
      });
    };
    const double f = mean(1);
    if (name == "accuracy")
      out += fmt::format("{:>{}}  {:>9} {:>9} {:>9.{}f} {:>9}\n", name, width, "", "", f,
                         options.digits, count(support));
    else
      out += row(name, mean(0), mean(std::numeric_limits<double>::infinity()), f, support);
  }
  return out;
}

}  // namespace glia::classic
