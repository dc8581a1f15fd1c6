#include "glia/classic/compose.h"

#include <algorithm>
#include <set>

#include "checks.h"
#include "columns.h"
#include "glia/ops.h"
#include "named_parts.h"

namespace glia::classic {
// ---- Pipeline ---------------------------------------------------------------------------------

Pipeline::Pipeline(NamedEstimators steps, Where where) { set_parts(std::move(steps), where); }

EstimatorKind Pipeline::kind() const {
  return steps_.empty() ? EstimatorKind::kTransformer : steps_.back().second->kind();
}
std::vector<Param> Pipeline::params() { return params_of(steps_); }
std::vector<std::pair<std::string, const Estimator*>> Pipeline::parts() const {
  return seen(steps_);
}

void Pipeline::set_parts(NamedEstimators parts, Where where) {
  check_names("Pipeline", parts, where);
  for (size_t i = 0; i + 1 < parts.size(); ++i)
    if (parts[i].second->kind() != EstimatorKind::kTransformer)
      throw ValueError("Pipeline: " + parts[i].first + " is no transformer, and not the last step",
                       where);
  steps_ = std::move(parts);
  n_features_in = 0;
}

Tensor Pipeline::fit_steps(const Tensor& x, const Tensor& y, Where where, const Last& last) {
  require_parts("Pipeline.fit", !steps_.empty(), where);
  if (x.defined() && x.rank() != 2)
    throw ShapeError("Pipeline.fit: X is (samples, features), not " + x.shape().str(), where);
  NamedEstimators fresh = steps_;
  Tensor now = x;
  for (size_t i = 0; i + 1 < fresh.size(); ++i)
    now = fresh[i].second->fit_transform(now, y, {}, where);
  const Tensor result = last(*fresh.back().second, now);
  steps_ = std::move(fresh);
  n_features_in = x.size(1);
  return result;
}
Pipeline& Pipeline::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                        Where where) {
  fit_steps(x, y, where, [&](Estimator& step, const Tensor& now) {
    step.fit(now, y, sample_weight, where);
    return Tensor();
  });
  return *this;
}
Tensor Pipeline::fit_transform(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                               Where where) {
  return fit_steps(x, y, where, [&](Estimator& step, const Tensor& now) {
    return step.fit_transform(now, y, sample_weight, where);
  });
}
Tensor Pipeline::fit_predict(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                             Where where) {
  return fit_steps(x, y, where, [&](Estimator& step, const Tensor& now) {
    return step.fit_predict(now, y, sample_weight, where);
  });
}

Tensor Pipeline::prepared(const Tensor& x, Where where) const {
  require_fitted("Pipeline", fitted(), where);
  Tensor now = x;
  for (size_t i = 0; i + 1 < steps_.size(); ++i) now = steps_[i].second->transform(now, where);
  return now;
}

Tensor Pipeline::predict(const Tensor& x, Where where) const {
  const Tensor now = prepared(x, where);
  return steps_.back().second->predict(now, where);
}
Tensor Pipeline::predict_proba(const Tensor& x, Where where) const {
  const Tensor now = prepared(x, where);
  return steps_.back().second->predict_proba(now, where);
}
Tensor Pipeline::decision_function(const Tensor& x, Where where) const {
  const Tensor now = prepared(x, where);
  return steps_.back().second->decision_function(now, where);
}
Tensor Pipeline::transform(const Tensor& x, Where where) const {
  const Tensor now = prepared(x, where);
  return steps_.back().second->transform(now, where);
}
Tensor Pipeline::inverse_transform(const Tensor& x, Where where) const {
  require_fitted("Pipeline.inverse_transform", fitted(), where);
  Tensor now = x;
  for (size_t i = steps_.size(); i-- > 0;) now = steps_[i].second->inverse_transform(now, where);
  return now;
}
double Pipeline::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                       Where where) const {
  const Tensor now = prepared(x, where);
  return steps_.back().second->score(now, y, sample_weight, where);
}

StateDict Pipeline::state_dict(Where where) const {
  require_fitted("Pipeline.state_dict", fitted(), where);
  return states_of(steps_, n_features_in);
}

void Pipeline::load_state_dict(const StateDict& state, Where where) {
  require_parts("Pipeline.load_state_dict", !steps_.empty(), where);
  int64_t width = 0;
  NamedEstimators fresh = loaded("Pipeline", steps_, state, width, where);
  steps_ = std::move(fresh);
  n_features_in = width;
}

const Estimator& Pipeline::step(std::string_view name, Where where) const {
  for (const auto& [key, part] : steps_)
    if (key == name) return *part;
  throw ValueError("Pipeline: there is no step " + std::string(name), where);
}

// ---- FeatureUnion -----------------------------------------------------------------------------

FeatureUnion::FeatureUnion(NamedEstimators transformers, Where where) {
  set_parts(std::move(transformers), where);
}

std::vector<Param> FeatureUnion::params() { return params_of(transformers_); }
std::vector<std::pair<std::string, const Estimator*>> FeatureUnion::parts() const {
  return seen(transformers_);
}
void FeatureUnion::set_parts(NamedEstimators parts, Where where) {
  check_names("FeatureUnion", parts, where);
  transformers_ = std::move(parts);
  n_features_in = 0;
}

FeatureUnion& FeatureUnion::fit(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                Where where) {
  fit_transform(x, y, sample_weight, where);
  return *this;
}

Tensor FeatureUnion::fit_transform(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                   Where where) {
  require_parts("FeatureUnion.fit", !transformers_.empty(), where);
  NamedEstimators fresh = transformers_;
  std::vector<Tensor> outputs;
  for (auto& [name, part] : fresh)
    outputs.push_back(part->fit_transform(x, y, sample_weight, where));
  transformers_ = std::move(fresh);
  n_features_in = x.size(1);
  return concat(outputs, 1);
}

Tensor FeatureUnion::transform(const Tensor& x, Where where) const {
  require_fitted("FeatureUnion.transform", fitted(), where);
  std::vector<Tensor> outputs;
  for (const auto& [name, part] : transformers_) outputs.push_back(part->transform(x, where));
  return concat(outputs, 1);
}

StateDict FeatureUnion::state_dict(Where where) const {
  require_fitted("FeatureUnion.state_dict", fitted(), where);
  return states_of(transformers_, n_features_in);
}

void FeatureUnion::load_state_dict(const StateDict& state, Where where) {
  require_parts("FeatureUnion.load_state_dict", !transformers_.empty(), where);
  int64_t width = 0;
  NamedEstimators fresh = loaded("FeatureUnion", transformers_, state, width, where);
  transformers_ = std::move(fresh);
  n_features_in = width;
}

// ---- ColumnTransformer ------------------------------------------------------------------------

namespace {

// As estimators by their names, which the functions above take.
NamedEstimators named(const std::vector<ColumnPart>& parts) {
  NamedEstimators out;
  for (const ColumnPart& part : parts) out.emplace_back(part.name, part.transformer);
  return out;
}

}  // namespace

ColumnTransformer::ColumnTransformer(std::vector<ColumnPart> parts, Remainder remainder,
                                     Where where)
    : remainder_(remainder) {
  for (const ColumnPart& part : parts) {
    if (!part.transformer.defined())
      throw ValueError("ColumnTransformer: " + part.name + " has no transformer", where);
    for (const int64_t c : part.columns)
      if (c < 0)
        throw ValueError("ColumnTransformer: " + part.name + " has the column " + std::to_string(c),
                         where);
  }
  check_names("ColumnTransformer", named(parts), where);
  parts_ = std::move(parts);
}

std::vector<Param> ColumnTransformer::params() {
  std::vector<Param> out = {{"remainder", &remainder_, {"drop", "passthrough"}}};
  for (const ColumnPart& part : parts_)
    for (const Param& p : part.transformer->params()) out.push_back(p.of(part.name));
  return out;
}

std::vector<std::pair<std::string, const Estimator*>> ColumnTransformer::parts() const {
  std::vector<std::pair<std::string, const Estimator*>> out;
  for (const ColumnPart& part : parts_) out.emplace_back(part.name, &*part.transformer);
  return out;
}

void ColumnTransformer::set_parts(NamedEstimators parts, Where where) {
  check_names("ColumnTransformer", parts, where);
  std::vector<ColumnPart> fresh;
  for (auto& [name, part] : parts) {
    // A part that it has keeps its columns; another one gets them from a state.
    const auto old = std::ranges::find(parts_, name, &ColumnPart::name);
    fresh.push_back(
        {name, std::move(part), old == parts_.end() ? std::vector<int64_t>() : old->columns});
  }
  parts_ = std::move(fresh);
  n_features_in = 0;
}

std::vector<std::vector<int64_t>> ColumnTransformer::columns() const {
  std::vector<std::vector<int64_t>> out;
  for (const ColumnPart& part : parts_) out.push_back(part.columns);
  return out;
}

Tensor ColumnTransformer::outputs(const std::function<Tensor(const ColumnPart&, const Tensor&)>& of,
                                  const char* op, const Tensor& x, int64_t width,
                                  Where where) const {
  if (!x.defined() || x.rank() != 2 || x.size(0) == 0)
    throw ShapeError(std::string(op) + ": X is (samples, features), not " +
                         (x.defined() ? x.shape().str() : "undefined"),
                     where);
  if (width > 0 && x.size(1) != width)
    throw ShapeError(std::string(op) + ": X has " + std::to_string(x.size(1)) +
                         " features, but fit saw " + std::to_string(width),
                     where);
  std::vector<Tensor> all;
  std::set<int64_t> used;
  for (const ColumnPart& part : parts_) {
    used.insert(part.columns.begin(), part.columns.end());
    for (const int64_t c : part.columns)
      if (c >= x.size(1))
        throw ShapeError(std::string(op) + ": " + part.name + " has the column " +
                             std::to_string(c) + " of " + std::to_string(x.size(1)),
                         where);
    if (!part.columns.empty())
      all.push_back(of(part, take(stop_gradient(x), vector_of(part.columns), 1)));
  }
  if (remainder_ == Remainder::kPassthrough) {
    std::vector<int64_t> rest;
    for (int64_t c = 0; c < x.size(1); ++c)
      if (!used.contains(c)) rest.push_back(c);
    if (!rest.empty()) all.push_back(take(stop_gradient(x), vector_of(rest), 1));
  }
  if (all.empty()) throw ValueError(std::string(op) + ": no column is left", where);
  return concat(all, 1);
}

ColumnTransformer& ColumnTransformer::fit(const Tensor& x, const Tensor& y,
                                          const Tensor& sample_weight, Where where) {
  fit_transform(x, y, sample_weight, where);
  return *this;
}

Tensor ColumnTransformer::fit_transform(const Tensor& x, const Tensor& y,
                                        const Tensor& sample_weight, Where where) {
  ColumnTransformer fresh = *this;
  const Tensor out = outputs(
      [&](const ColumnPart& part, const Tensor& own) {
        const auto at = std::ranges::find(fresh.parts_, part.name, &ColumnPart::name);
        return at->transformer->fit_transform(own, y, sample_weight, where);
      },
      "ColumnTransformer.fit", x, 0, where);
  parts_ = std::move(fresh.parts_);
  n_features_in = x.size(1);
  return out;
}

Tensor ColumnTransformer::transform(const Tensor& x, Where where) const {
  require_fitted("ColumnTransformer.transform", fitted(), where);
  return outputs([&](const ColumnPart& part,
                     const Tensor& own) { return part.transformer->transform(own, where); },
                 "ColumnTransformer.transform", x, n_features_in, where);
}

StateDict ColumnTransformer::state_dict(Where where) const {
  require_fitted("ColumnTransformer.state_dict", fitted(), where);
  StateDict state = {{"n_features_in", tensor(n_features_in)}};
  for (const ColumnPart& part : parts_) {
    if (part.columns.empty()) continue;
    state.emplace_back("columns/" + part.name, vector_of(part.columns));
    io::append(state, part.name + ".", part.transformer->state_dict());
  }
  return state;
}

void ColumnTransformer::load_state_dict(const StateDict& state, Where where) {
  const char* op = "ColumnTransformer";
  StateDict own;
  for (const auto& [key, value] : state)
    if (std::ranges::none_of(parts_,
                             [&, &k = key](const auto& p) { return k.starts_with(p.name + "."); }))
      own.emplace_back(key, value);
  StateReader read(op, own, where);
  const int64_t width = read.count("n_features_in");
  std::vector<ColumnPart> fresh = parts_;
  for (ColumnPart& part : fresh) {
    const bool has =
        std::ranges::any_of(own, [&](const auto& e) { return e.first == "columns/" + part.name; });
    part.columns.clear();
    if (!has) continue;
    part.columns = read.take("columns/" + part.name, kI64, {-1}).to_vector<int64_t>();
    for (const int64_t c : part.columns)
      if (c < 0 || c >= width)
        throw Error(std::string(op) + ".load_state_dict: " + part.name + " has the column " +
                        std::to_string(c),
                    where);
    part.transformer->load_state_dict(io::with_prefix(state, part.name + "."), where);
    if (part.transformer->n_features_in != static_cast<int64_t>(part.columns.size()))
      throw Error(std::string(op) + ".load_state_dict: " + part.name +
                      " has not as many features as columns",
                  where);
  }
  read.finish();
  if (width == 0) throw Error(std::string(op) + ".load_state_dict: n_features_in is 0", where);
  parts_ = std::move(fresh);
  n_features_in = width;
}

}  // namespace glia::classic
