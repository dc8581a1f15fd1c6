#include "copies.h"

#include "glia/io.h"
#include "glia/ops.h"

namespace glia::classic {
namespace {

constexpr const char* kPart = "estimator";

}  // namespace

std::vector<Param> with_part_params(std::vector<Param> own, const AnyEstimator& estimator) {
  for (const Param& option : estimator->params()) own.push_back(option.of(kPart));
  return own;
}

template <class Base>
std::vector<Param> MetaEstimator<Base>::params() {
  return with_part_params(own_params(), estimator_);
}

template <class Base>
std::vector<std::pair<std::string, const Estimator*>> MetaEstimator<Base>::parts() const {
  return {{kPart, &*estimator_}};
}

template <class Base>
void MetaEstimator<Base>::set_parts(NamedEstimators parts, Where where) {
  if (parts.size() != 1 || parts[0].first != kPart || !parts[0].second.defined())
    throw Error(std::string(this->name()) + ": its one part is called estimator", where);
  estimator_ = std::move(parts[0].second);
  this->n_features_in = 0;
}

template class MetaEstimator<Estimator>;
template class MetaEstimator<Classifier>;
template class MetaEstimator<Regressor>;

void require_kind(std::string_view op, const Estimator& estimator, EstimatorKind kind,
                  Where where) {
  if (estimator.kind() != kind)
    throw ValueError(std::string(op) + ": " + std::string(estimator.name()) + " is no " +
                         (kind == EstimatorKind::kClassifier ? "classifier" : "regressor"),
                     where);
}

Param cv_param(CV* at) {
  return {"cv",
          [at] {
            const std::optional<int64_t> folds = at->n_splits();
            return folds ? ParamValue(*folds) : ParamValue();
          },
          [at](const ParamValue& value) {
            const auto* folds = std::get_if<int64_t>(&value);
            if (folds) *at = CV(*folds);
            return folds || std::holds_alternative<std::monostate>(value);
          }};
}

void append_copies(StateDict& state, const FittedEstimators& copies) {
  for (size_t i = 0; i < copies.size(); ++i)
    if (copies[i])
      io::append(state, "estimators." + std::to_string(i) + ".", copies[i]->state_dict());
}

FittedEstimators loaded_copies(const Estimator& part, const StateDict& state, int64_t count,
                               Where where, const std::vector<bool>& absent) {
  FittedEstimators copies;
  size_t seen = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (!absent.empty() && absent[static_cast<size_t>(i)]) {
      copies.emplace_back();
      continue;
    }
    const StateDict own = io::with_prefix(state, "estimators." + std::to_string(i) + ".");
    seen += own.size();
    std::unique_ptr<Estimator> copy = part.clone();
    copy->load_state_dict(own, where);
    copies.push_back(std::move(copy));
  }
  if (seen != io::with_prefix(state, "estimators.").size())
    throw Error("load_state_dict: there are more estimators than " + std::to_string(count), where);
  return copies;
}

StateDict own_state(const StateDict& state, const std::string& prefix) {
  StateDict own = state;
  std::erase_if(own, [&](const auto& entry) { return entry.first.starts_with(prefix); });
  return own;
}

Response response_of(const Estimator& estimator, const Tensor& x, Where where) {
  try {
    return {cast(estimator.decision_function(x, where), kF64), false};
  } catch (const Error& fault) {
    if (std::string_view(fault.what()).find("has no decision_function") == std::string_view::npos)
      throw;
  }
  const Tensor p = cast(estimator.predict_proba(x, where), kF64);
  return {p.size(1) == 2 ? index(p, {Slice{}, 1}) : p, true};
}

Extent extent_of(std::string_view op, const Tensor& x, Where where) {
  if (!x.defined() || x.rank() != 2 || x.numel() == 0)
    throw ShapeError(std::string(op) + ": X is (samples, features), not " +
                         (x.defined() ? x.shape().str() : "undefined"),
                     where);
  return {x.size(0), x.size(1)};
}

}  // namespace glia::classic
