// What estimators that are made of one other have in common.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "glia/classic/estimator.h"

namespace glia::classic {

// Fitted estimators, which are never changed: copies of a model share them.
using FittedEstimators = std::vector<std::shared_ptr<const Estimator>>;

// A Base (Estimator, Classifier or Regressor) whose one part is called "estimator": its options are
// "estimator__OPTION". With another part it is not fitted any more.
template <class Base>
class MetaEstimator : public Base {
 public:
  std::vector<Param> params() override;
  std::vector<std::pair<std::string, const Estimator*>> parts() const override;
  void set_parts(NamedEstimators parts, Where where = Where::current()) override;
  const Estimator& estimator() const { return *estimator_; }

 protected:
  explicit MetaEstimator(const Estimator& estimator) : estimator_(estimator) {}
  virtual std::vector<Param> own_params() { return {}; }

  AnyEstimator estimator_;
};
extern template class MetaEstimator<Estimator>;
extern template class MetaEstimator<Classifier>;
extern template class MetaEstimator<Regressor>;

}  // namespace glia::classic
