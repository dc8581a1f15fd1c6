#include "summary.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "glia/ops.h"
#include "tails.h"

namespace glia::classic {
namespace {

constexpr size_t kWidth = 78;

std::string shown(double value, const char* format = "%.4g") {
  char text[64];
  const bool whole = value == std::trunc(value) && std::abs(value) < 1e9;
  std::snprintf(text, sizeof text, whole ? "%.0f" : format, value);
  return text;
}

std::string padded(const std::string& text, size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + text;
}

// A name on the left of a field and a value on its right.
std::string field(const std::string& name, const std::string& value, size_t width) {
  return name + padded(value, width > name.size() ? width - name.size() : 0);
}

}  // namespace

Inference infer(const Tensor& params, const Tensor& cov, bool use_t, double df_resid) {
  const int64_t k = params.size(0);
  const std::vector<double> b = params.to_vector<double>(), v = cov.to_vector<double>();
  std::vector<double> se, t, p;
  for (int64_t j = 0; j < k; ++j) {
    se.push_back(std::sqrt(v[j * k + j]));
    t.push_back(b[j] / se.back());
    p.push_back(use_t ? t_two_tails(t.back(), df_resid) : normal_two_tails(t.back()));
  }
  return {params, from_vector(se, {k}), from_vector(t, {k}), from_vector(p, {k})};
}

double two_sided_quantile(double alpha, bool use_t, double df_resid, Where where) {
  if (!(alpha > 0 && alpha < 1))
    throw ValueError("alpha is between 0 and 1, not " + std::to_string(alpha), where);
  return use_t ? t_quantile(1 - alpha / 2, df_resid) : normal_quantile(1 - alpha / 2);
}

Tensor confidence_intervals(const Tensor& params, const Tensor& bse, double alpha, bool use_t,
                            double df_resid, Where where) {
  const Tensor half = bse * two_sided_quantile(alpha, use_t, df_resid, where);
  return stack({params - half, params + half}, 1);
}

std::vector<std::string> parameter_names(const std::vector<std::string>& names, int64_t count,
                                         bool constant, Where where) {
  if (!names.empty()) {
    if (static_cast<int64_t>(names.size()) != count)
      throw ValueError("summary: " + std::to_string(names.size()) + " names for " +
                           std::to_string(count) + " parameters",
                       where);
    return names;
  }
  std::vector<std::string> usual;
  if (constant) usual.emplace_back("const");
  while (static_cast<int64_t>(usual.size()) < count)
    usual.push_back("x" + std::to_string(usual.size() + (constant ? 0 : 1)));
  return usual;
}

std::string summary_page(const std::string& title,
                         const std::vector<std::pair<std::string, double>>& facts,
                         const std::string& note, const Inference& coefficients,
                         const Tensor& intervals, bool use_t, double alpha,
                         const std::vector<std::string>& names) {
  const std::string line(kWidth, '='), thin(kWidth, '-');
  std::string page =
      std::string((kWidth - std::min(kWidth, title.size())) / 2, ' ') + title + "\n" + line + "\n";
  constexpr size_t kHalf = kWidth / 2 - 2;
  for (size_t i = 0; i < facts.size(); i += 2) {
    page += field(facts[i].first, shown(facts[i].second, "%.5g"), kHalf);
    if (i + 1 < facts.size())
      page += "    " + field(facts[i + 1].first, shown(facts[i + 1].second, "%.5g"), kHalf);
    page += "\n";
  }
  page += note + "\n" + line + "\n";
  size_t widest = 8;
  for (const std::string& name : names) widest = std::max(widest, name.size() + 1);
  const std::string statistic = use_t ? "t" : "z";
  page += std::string(widest, ' ') + padded("coef", 12) + padded("std err", 12) +
          padded(statistic, 10) + padded("P>|" + statistic + "|", 9) +
          padded("[" + shown(alpha / 2), 12) + padded(shown(1 - alpha / 2) + "]", 12) + "\n" +
          thin + "\n";
  const std::vector<double> b = coefficients.params.to_vector<double>(),
                            se = coefficients.bse.to_vector<double>(),
                            t = coefficients.tvalues.to_vector<double>(),
                            p = coefficients.pvalues.to_vector<double>(),
                            ends = intervals.to_vector<double>();
  for (size_t j = 0; j < names.size(); ++j) {
    char tail[32];
    std::snprintf(tail, sizeof tail, "%.3f", p[j]);
    page += names[j] + std::string(widest - names[j].size(), ' ') +
            padded(shown(b[j], "%.5g"), 12) + padded(shown(se[j]), 12) + padded(shown(t[j]), 10) +
            padded(tail, 9) + padded(shown(ends[2 * j]), 12) + padded(shown(ends[2 * j + 1]), 12) +
            "\n";
  }
  return page + line + "\n";
}

}  // namespace glia::classic
