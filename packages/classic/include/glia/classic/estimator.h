// What the estimators have in common: scikit-learn's names, defaults and fitted attributes (without
// its underscore at the end), on tensors X of shape (samples, features).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "glia/io.h"
#include "glia/tensor.h"

namespace glia::classic {

// A value of an option: nothing where it is optional and not set, and the name of a choice.
using ParamValue = std::variant<std::monostate, bool, int64_t, double, std::string>;
using ParamValues = std::vector<std::pair<std::string, ParamValue>>;

// "none", "true", "3", "0.5" with as many digits as tell it from others, or the text.
std::string to_text(const ParamValue& value);

// An option of an estimator by its name: read and changed in place, as long as the estimator lives.
class Param {
 public:
  using Get = std::function<ParamValue()>;
  using Set = std::function<bool(const ParamValue&)>;  // false: not of its type

  Param(std::string name, bool* at);
  Param(std::string name, int64_t* at);
  Param(std::string name, uint64_t* at);
  Param(std::string name, double* at);
  Param(std::string name, std::string* at);
  Param(std::string name, std::optional<int64_t>* at);
  Param(std::string name, std::optional<double>* at);
  // An enum by the names of its values, in their order from 0 on.
  template <class E, class = std::enable_if_t<std::is_enum_v<E>>>
  Param(std::string name, E* at, std::vector<std::string> choices)
      : Param(
            std::move(name), [at] { return static_cast<int64_t>(*at); },
            [at](int64_t i) { *at = static_cast<E>(i); }, std::move(choices)) {}
  Param(std::string name, Get get, Set set);

  const std::string& name() const { return name_; }
  const std::vector<std::string>& choices() const { return choices_; }
  ParamValue value() const { return get_(); }
  // An integer is taken for a number. Throws ValueError, which names the option, for another type
  // and for a name that is no choice; whether a number is in range is said by fit().
  void set(const ParamValue& value, Where where = Where::current()) const;
  // The same from text, as to_text() gives it: "none", "true", "0.5", "elkan".
  void set_text(std::string_view text, Where where = Where::current()) const;
  // The same option of a part, "PART__NAME".
  Param of(std::string_view part) const;

 private:
  Param(std::string name, std::function<int64_t()> get, std::function<void(int64_t)> set,
        std::vector<std::string> choices);

  std::string name_, type_;
  std::vector<std::string> choices_;
  Get get_;
  Set set_;
};

class AnyEstimator;
// Estimators by their names.
using NamedEstimators = std::vector<std::pair<std::string, AnyEstimator>>;

enum class EstimatorKind { kClassifier, kRegressor, kClusterer, kTransformer, kDensity, kOutlier };

// A method of classical learning. X is of any dtype: f32 and f64 are taken as they are, 16-bit
// floats as f32, integers as f64; numbers that are not finite are a ValueError unless it says that
// it takes them. When fit() throws, what was fitted before is still there. Estimators are values: a
// copy is independent. What a method is not made for throws Error: "PCA has no predict".
class Estimator {
 public:
  virtual ~Estimator() = default;

  // How many features X had in fit(); 0 before it.
  int64_t n_features_in = 0;

  bool fitted() const { return n_features_in > 0; }
  virtual std::string_view name() const = 0;  // "KMeans"
  virtual EstimatorKind kind() const = 0;
  virtual std::unique_ptr<Estimator> clone() const = 0;  // a copy, with what is fitted
  // All options but tensors and functions. They are checked when fit() begins.
  virtual std::vector<Param> params() = 0;
  // Estimators that this one is made of, by their names, whose options params() has as well, as
  // "PART__NAME"; and replaces them.
  virtual std::vector<std::pair<std::string, const Estimator*>> parts() const { return {}; }
  virtual void set_parts(NamedEstimators parts, Where where = Where::current());

  // Learns from X (samples, features) and, if it is supervised, y: (samples) or (samples, outputs)
  // numbers of a regressor, (samples) integers of a classifier. Others do not look at y.
  // `sample_weight` (samples) is not negative and not all zero; undefined: 1 each. An estimator
  // that cannot weigh samples throws Error if it is given.
  virtual Estimator& fit(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                         Where where = Where::current()) = 0;
  virtual Tensor predict(const Tensor& x, Where where = Where::current()) const;
  // (samples, classes), in the order of `classes`; rows add up to 1.
  virtual Tensor predict_proba(const Tensor& x, Where where = Where::current()) const;
  // (samples) of two classes, above 0 for the second; else (samples, classes).
  virtual Tensor decision_function(const Tensor& x, Where where = Where::current()) const;
  virtual Tensor transform(const Tensor& x, Where where = Where::current()) const;
  virtual Tensor inverse_transform(const Tensor& x, Where where = Where::current()) const;
  // The more the better: accuracy of a classifier, R^2 of a regressor, what they say of others.
  virtual double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                       Where where = Where::current()) const;
  // fit() and what it says of the same samples; the labels of a clusterer.
  virtual Tensor fit_predict(const Tensor& x, const Tensor& y = {},
                             const Tensor& sample_weight = {}, Where where = Where::current());
  virtual Tensor fit_transform(const Tensor& x, const Tensor& y = {},
                               const Tensor& sample_weight = {}, Where where = Where::current());

  // The fitted attributes by their names, numbers as tensors of rank 0. Throws Error before fit().
  virtual StateDict state_dict(Where where = Where::current()) const = 0;
  // Makes it fitted by what state_dict() gave, all or nothing: throws Error for names that are
  // missing or unknown, and for shapes or dtypes that do not fit each other or the options.
  virtual void load_state_dict(const StateDict& state, Where where = Where::current()) = 0;

 protected:
  Estimator() = default;
  Estimator(const Estimator&) = default;
  Estimator(Estimator&&) noexcept = default;
  Estimator& operator=(const Estimator&) = default;
  Estimator& operator=(Estimator&&) noexcept = default;

  [[noreturn]] void has_no(std::string_view method, Where where) const;
};

// An estimator of any class, by value: a copy has its own. Undefined until it is given one.
class AnyEstimator {
 public:
  AnyEstimator() = default;
  AnyEstimator(const Estimator& estimator) : at_(estimator.clone()) {}
  template <class E, class = std::enable_if_t<std::is_base_of_v<Estimator, E>>>
  AnyEstimator(std::unique_ptr<E> estimator) : at_(std::move(estimator)) {}
  AnyEstimator(const AnyEstimator& other) : at_(other.at_ ? other.at_->clone() : nullptr) {}
  AnyEstimator(AnyEstimator&&) noexcept = default;
  AnyEstimator& operator=(AnyEstimator other) noexcept {
    at_ = std::move(other.at_);
    return *this;
  }

  bool defined() const { return at_ != nullptr; }
  Estimator& operator*() const { return *at_; }
  Estimator* operator->() const { return at_.get(); }

 private:
  std::unique_ptr<Estimator> at_;
};

// A classifier gives integers, those of y; which class is which number is `classes`.
class Classifier : public Estimator {
 public:
  Tensor classes;  // (classes) i64, ascending: the different values of y

  EstimatorKind kind() const override { return EstimatorKind::kClassifier; }
  // The class of the largest probability, by predict_proba(); the first of equal ones.
  Tensor predict(const Tensor& x, Where where = Where::current()) const override;
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;  // accuracy
};

class Regressor : public Estimator {
 public:
  EstimatorKind kind() const override { return EstimatorKind::kRegressor; }
  double score(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
               Where where = Where::current()) const override;  // R^2, the mean of all outputs
};

class Transformer : public Estimator {
 public:
  EstimatorKind kind() const override { return EstimatorKind::kTransformer; }
};

class Clusterer : public Estimator {
 public:
  Tensor labels;  // of the samples that were fitted: (samples) i64, -1 for noise

  EstimatorKind kind() const override { return EstimatorKind::kClusterer; }
  Tensor fit_predict(const Tensor& x, const Tensor& y = {}, const Tensor& sample_weight = {},
                     Where where = Where::current()) override;
};

// ---- By name --------------------------------------------------------------------------------

// An estimator with its defaults, by its class's name. Throws Error, which lists what there is.
std::unique_ptr<Estimator> make_estimator(std::string_view name, Where where = Where::current());
std::vector<std::string> estimator_names();  // sorted
// All options by their names, in the order of their declaration.
ParamValues get_params(const Estimator& estimator);
// Sets options: all of them or, throwing ValueError for one that is unknown or of another type,
// none. It is not fitted again.
void set_params(Estimator& estimator, const ParamValues& values, Where where = Where::current());
// "KMeans(n_clusters=3, tol=0.001)": what differs from the defaults.
std::string to_text(const Estimator& estimator);

// ---- Files ----------------------------------------------------------------------------------

// A fitted estimator as safetensors, with its name and options. More metadata may be added.
void write_estimator(const std::string& path, const Estimator& estimator,
                     const io::Metadata& metadata = {});
// Throws IoError for files that hold none, or one that does not fit its own options.
std::unique_ptr<Estimator> read_estimator(const std::string& path,
                                          io::Metadata* metadata = nullptr);

}  // namespace glia::classic
