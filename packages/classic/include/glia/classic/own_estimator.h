#pragma once

#include <memory>
#include <utility>

#include "glia/classic/estimator.h"

namespace glia::classic {

// An estimator by value: a copy has its own.
class OwnEstimator {
 public:
  explicit OwnEstimator(std::unique_ptr<Estimator> estimator) : at_(std::move(estimator)) {}
  OwnEstimator(const OwnEstimator& other) : at_(other.at_->clone()) {}
  OwnEstimator(OwnEstimator&&) noexcept = default;
  OwnEstimator& operator=(const OwnEstimator& other) {
    at_ = other.at_->clone();
    return *this;
  }
  OwnEstimator& operator=(OwnEstimator&&) noexcept = default;
  Estimator& operator*() const { return *at_; }
  Estimator* operator->() const { return at_.get(); }

 private:
  std::unique_ptr<Estimator> at_;
};

}  // namespace glia::classic
