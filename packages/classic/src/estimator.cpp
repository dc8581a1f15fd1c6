#include "glia/classic/estimator.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "checks.h"
#include "glia/classic/metrics.h"
#include "glia/ops.h"

namespace glia::classic {

// ---- Options ----------------------------------------------------------------------------------

namespace {

constexpr double kBeyondI64 = 0x1p63;

template <class T>
bool assign(T* at, const ParamValue& value) {
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* integer = std::get_if<int64_t>(&value)) {
      *at = static_cast<double>(*integer);
      return true;
    }
  }
  if constexpr (std::is_same_v<T, int64_t>) {
    const auto* number = std::get_if<double>(&value);
    if (number && std::trunc(*number) == *number && std::abs(*number) < kBeyondI64) {
      *at = static_cast<int64_t>(*number);
      return true;
    }
  }
  const T* same = std::get_if<T>(&value);
  if (same) *at = *same;
  return same != nullptr;
}

template <class T>
bool assign(std::optional<T>* at, const ParamValue& value) {
  if (std::holds_alternative<std::monostate>(value)) {
    at->reset();
    return true;
  }
  T given{};
  const bool fits = assign(&given, value);
  if (fits) *at = given;
  return fits;
}

template <class T>
ParamValue value_of(const std::optional<T>& option) {
  return option ? ParamValue(*option) : ParamValue();
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& one : names) text += (text.empty() ? "" : ", ") + one;
  return text;
}

}  // namespace

std::string to_text(const ParamValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  const auto* number = std::get_if<double>(&value);
  if (!number) return "none";
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, *number).ptr};
}

Param::Param(std::string name, Get get, Set set)
    : name_(std::move(name)), type_("of its type"), get_(std::move(get)), set_(std::move(set)) {}

Param::Param(std::string name, bool* at)
    : Param(
          std::move(name), [at] { return *at; },
          [at](const ParamValue& v) { return assign(at, v); }) {
  type_ = "true or false";
}
Param::Param(std::string name, int64_t* at)
    : Param(
          std::move(name), [at] { return *at; },
          [at](const ParamValue& v) { return assign(at, v); }) {
  type_ = "an integer";
}
Param::Param(std::string name, uint64_t* at)
    : Param(
          std::move(name), [at] { return static_cast<int64_t>(*at); },
          [at](const ParamValue& v) {
            int64_t given = 0;
            const bool fits = assign(&given, v) && given >= 0;
            if (fits) *at = static_cast<uint64_t>(given);
            return fits;
          }) {
  type_ = "an integer of at least 0";
}
Param::Param(std::string name, double* at)
    : Param(
          std::move(name), [at] { return *at; },
          [at](const ParamValue& v) { return assign(at, v); }) {
  type_ = "a number";
}
Param::Param(std::string name, std::string* at)
    : Param(
          std::move(name), [at] { return *at; },
          [at](const ParamValue& v) { return assign(at, v); }) {
  type_ = "text";
}
Param::Param(std::string name, std::optional<int64_t>* at)
    : Param(
          std::move(name), [at] { return value_of(*at); },
          [at](const ParamValue& v) { return assign(at, v); }) {
  type_ = "an integer or none";
}
Param::Param(std::string name, std::optional<double>* at)
    : Param(
          std::move(name), [at] { return value_of(*at); },
          [at](const ParamValue& v) { return assign(at, v); }) {
  type_ = "a number or none";
}
Param::Param(std::string name, std::function<int64_t()> get, std::function<void(int64_t)> set,
             std::vector<std::string> choices)
    : name_(std::move(name)),
      type_("one of " + listed(choices)),
      choices_(choices),
      get_([get = std::move(get), choices] { return choices.at(static_cast<size_t>(get())); }),
      set_([set = std::move(set), choices = std::move(choices)](const ParamValue& value) {
        const auto* text = std::get_if<std::string>(&value);
        const auto at = text ? std::find(choices.begin(), choices.end(), *text) : choices.end();
        if (at == choices.end()) return false;
        set(at - choices.begin());
        return true;
      }) {}

void Param::set(const ParamValue& value, Where where) const {
  if (!set_(value)) throw ValueError(name_ + " is " + type_ + ", not " + to_text(value), where);
}

void Param::set_text(std::string_view text, Where where) const {
  if (text == "none" && set_(ParamValue())) return;
  if ((text == "true" || text == "false") && set_(text == "true")) return;
  int64_t integer = 0;
  const char* end = text.data() + text.size();
  const auto whole = std::from_chars(text.data(), end, integer);
  if (whole.ec == std::errc() && whole.ptr == end && set_(integer)) return;
  double number = 0;
  const auto real = std::from_chars(text.data(), end, number);
  if (real.ec == std::errc() && real.ptr == end && set_(number)) return;
  set(std::string(text), where);
}

Param Param::of(std::string_view part) const {
  Param whole = *this;
  whole.name_ = std::string(part) + "__" + name_;
  return whole;
}

// ---- What an estimator is not made for ---------------------------------------------------------

void Estimator::has_no(std::string_view method, Where where) const {
  throw Error(std::string(name()) + " has no " + std::string(method), where);
}

void Estimator::set_parts(NamedEstimators parts, Where where) {
  if (!parts.empty()) has_no("parts", where);
}
Tensor Estimator::predict(const Tensor&, Where where) const { has_no("predict", where); }
Tensor Estimator::predict_proba(const Tensor&, Where where) const {
  has_no("predict_proba", where);
}
Tensor Estimator::decision_function(const Tensor&, Where where) const {
  has_no("decision_function", where);
}
Tensor Estimator::transform(const Tensor&, Where where) const { has_no("transform", where); }
Tensor Estimator::inverse_transform(const Tensor&, Where where) const {
  has_no("inverse_transform", where);
}
double Estimator::score(const Tensor&, const Tensor&, const Tensor&, Where where) const {
  has_no("score", where);
}
Tensor Estimator::fit_predict(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                              Where where) {
  return fit(x, y, sample_weight, where).predict(x, where);
}
Tensor Estimator::fit_transform(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                                Where where) {
  return fit(x, y, sample_weight, where).transform(x, where);
}

Tensor Classifier::predict(const Tensor& x, Where where) const {
  const NoGrad no_grad;
  return take(classes, argmax(predict_proba(x, where), 1));
}

double Classifier::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                         Where where) const {
  return accuracy_score(y, predict(x, where), sample_weight, where);
}

double Regressor::score(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                        Where where) const {
  return r2_score(y, predict(x, where), sample_weight, where);
}

Tensor Clusterer::fit_predict(const Tensor& x, const Tensor& y, const Tensor& sample_weight,
                              Where where) {
  fit(x, y, sample_weight, where);
  return labels;
}

// ---- By name ----------------------------------------------------------------------------------

ParamValues get_params(const Estimator& estimator) {
  ParamValues values;
  const std::unique_ptr<Estimator> copy = estimator.clone();  // lives as long as its options
  for (const Param& p : copy->params()) values.emplace_back(p.name(), p.value());
  return values;
}

void set_params(Estimator& estimator, const ParamValues& values, Where where) {
  const std::vector<Param> params = estimator.params();
  const auto find = [&](const std::string& name) -> const Param& {
    std::vector<std::string> names;
    for (const Param& p : params) {
      if (p.name() == name) return p;
      names.push_back(p.name());
    }
    throw ValueError(std::string(estimator.name()) + " has no option " + name +
                         (names.empty() ? ", and no other" : "; it has " + listed(names)),
                     where);
  };
  std::vector<ParamValue> before;
  for (const auto& [name, value] : values) before.push_back(find(name).value());
  size_t done = 0;
  try {
    for (; done < values.size(); ++done) find(values[done].first).set(values[done].second, where);
  } catch (...) {
    while (done-- > 0) find(values[done].first).set(before[done], where);
    throw;
  }
}

std::string to_text(const Estimator& estimator) {
  ParamValues defaults;
  if (estimator.parts().empty()) defaults = get_params(*make_estimator(estimator.name()));
  std::string text;
  for (const auto& entry : get_params(estimator))
    if (std::find(defaults.begin(), defaults.end(), entry) == defaults.end())
      text += (text.empty() ? "" : ", ") + entry.first + "=" + to_text(entry.second);
  return std::string(estimator.name()) + "(" + text + ")";
}

// ---- Files ------------------------------------------------------------------------------------

namespace {

constexpr std::string_view kKey = "estimator";

// A part is "KEY/NUMBER:NAME": files give keys in their order, and parts have one of their own.
void describe(const Estimator& estimator, const std::string& key, io::Metadata& metadata) {
  metadata.emplace_back(key, estimator.name());
  int64_t number = 1000000;
  for (const auto& [name, part] : estimator.parts())
    describe(*part, key + "/" + std::to_string(number++).substr(1) + ":" + name, metadata);
}

std::unique_ptr<Estimator> described(const std::string& key, const io::Metadata& metadata) {
  std::unique_ptr<Estimator> estimator;
  NamedEstimators parts;
  for (const auto& [name, value] : metadata) {
    if (name == key) estimator = make_estimator(value);
    if (name.size() > key.size() + 1 && name.starts_with(key + "/") &&
        name.find('/', key.size() + 1) == std::string::npos)
      parts.emplace_back(name.substr(std::min(name.find(':', key.size()), name.size() - 1) + 1),
                         described(name, metadata));
  }
  if (!estimator) throw Error("it holds no estimator");
  estimator->set_parts(std::move(parts));
  return estimator;
}

}  // namespace

void write_estimator(const std::string& path, const Estimator& estimator,
                     const io::Metadata& metadata) {
  io::Metadata all;
  describe(estimator, std::string(kKey), all);
  for (const auto& [name, value] : get_params(estimator))
    all.emplace_back("param." + name, to_text(value));
  all.insert(all.end(), metadata.begin(), metadata.end());
  io::write_safetensors(path, estimator.state_dict(), all);
}

std::unique_ptr<Estimator> read_estimator(const std::string& path, io::Metadata* metadata) {
  io::Metadata all;
  const StateDict state = io::read_safetensors(path, &all);
  try {
    std::unique_ptr<Estimator> estimator = described(std::string(kKey), all);
    for (const Param& p : estimator->params())
      for (const auto& [name, value] : all)
        if (name == "param." + p.name()) p.set_text(value);
    estimator->load_state_dict(state);
    if (metadata) *metadata = std::move(all);
    return estimator;
  } catch (const IoError&) {
    throw;
  } catch (const Error& fault) {
    throw IoError(path + ": " + fault.what());
  }
}

}  // namespace glia::classic
