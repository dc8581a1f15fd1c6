#include "glia/data/sample.h"

#include <algorithm>

#include "core/node.h"
#include "glia/error.h"

namespace glia::data {
namespace {

std::string quoted(std::string_view name) { return '"' + std::string(name) + '"'; }

void check_names(const std::vector<Value>& values, const Names& names) {
  if (!names) return;
  if (names->size() != values.size())
    throw Error("sample: " + std::to_string(names->size()) + " names for " +
                std::to_string(values.size()) + " fields");
  for (size_t i = 0; i < names->size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (!(*names)[i].empty() && (*names)[i] == (*names)[j])
        throw Error("sample: two fields are called " + quoted((*names)[i]));
}

}  // namespace

int64_t Value::checked(const Number& number) {
  require_fit("sample", number, kI64);
  return number.integer();
}

std::string Value::str() const {
  switch (kind()) {
    case Kind::kTensor: {
      const Tensor& t = *tensor();
      return t.defined() ? std::string(glia::name(t.dtype())) + " " + t.shape().str() : "undefined";
    }
    case Kind::kInteger:
      return "integer";
    case Kind::kFloat:
      return "number";
    case Kind::kText:
      return "text";
    default:
      return std::to_string(texts()->size()) + " texts";
  }
}

Sample::Sample(std::initializer_list<Tensor> tensors) {
  for (const Tensor& t : tensors) values_.emplace_back(t);
}

Sample::Sample(std::initializer_list<Field> fields) {
  std::vector<std::string> names;
  for (const Field& field : fields) {
    values_.push_back(field.value);
    names.push_back(field.name);
  }
  names_ = std::make_shared<const std::vector<std::string>>(std::move(names));
  check_names(values_, names_);
}

Sample::Sample(std::vector<Value> values, Names names)
    : values_(std::move(values)), names_(std::move(names)) {
  check_names(values_, names_);
}

std::string Sample::str() const {
  std::string all;
  for (size_t i = 0; i < values_.size(); ++i) {
    const bool has_name = names_ && !(*names_)[i].empty();
    all += (i ? ", " : "") + (has_name ? (*names_)[i] : "#" + std::to_string(i)) + ": " +
           values_[i].str();
  }
  return all.empty() ? "nothing" : all;
}

void Sample::fail(const std::string& what) const {
  throw Error("sample: " + what + "; it has " + str());
}

bool Sample::has(std::string_view name) const {
  return names_ && !name.empty() && std::ranges::find(*names_, name) != names_->end();
}

size_t Sample::place(std::string_view name) const {
  if (!has(name)) fail("there is no field " + quoted(name));
  return std::ranges::find(*names_, name) - names_->begin();
}

const Value& Sample::value(size_t i) const {
  if (i >= values_.size()) fail("there is no field #" + std::to_string(i));
  return values_[i];
}

Tensor Sample::tensor_of(size_t i, const Value& value) const {
  if (const Tensor* t = value.tensor()) return *t;
  if (const int64_t* n = value.integer()) return glia::tensor(*n);
  if (const double* n = value.number()) return glia::tensor(*n);
  fail((names_ && !(*names_)[i].empty() ? quoted((*names_)[i]) : "#" + std::to_string(i)) +
       " is no tensor");
}

Tensor Sample::at(std::string_view name) const {
  const size_t i = place(name);
  return tensor_of(i, values_[i]);
}

const std::string& Sample::text(std::string_view name) const {
  if (const std::string* text = value(name).text()) return *text;
  fail(quoted(name) + " is no text");
}

const Texts& Sample::texts(std::string_view name) const {
  if (const Texts* texts = value(name).texts()) return *texts;
  fail(quoted(name) + " is no list of texts");
}

int64_t Sample::integer(std::string_view name) const {
  if (const int64_t* n = value(name).integer()) return *n;
  fail(quoted(name) + " is no integer");
}

double Sample::number(std::string_view name) const {
  if (const double* n = value(name).number()) return *n;
  if (const int64_t* n = value(name).integer()) return static_cast<double>(*n);
  fail(quoted(name) + " is no number");
}

Ragged Sample::ragged(std::string_view name) const {
  return {at(std::string(name) + ".values"), at(std::string(name) + ".starts")};
}

void Sample::set(std::string_view name, Value value) {
  if (has(name)) {
    values_[place(name)] = std::move(value);
    return;
  }
  auto names = names_ ? *names_ : std::vector<std::string>(values_.size());
  names.emplace_back(name);
  values_.push_back(std::move(value));
  names_ = std::make_shared<const std::vector<std::string>>(std::move(names));
}

void Sample::push_back(Value value) {
  if (names_) return set("", std::move(value));
  values_.push_back(std::move(value));
}

void Sample::erase(std::string_view name) {
  const auto i = static_cast<int64_t>(place(name));
  auto names = *names_;
  names.erase(names.begin() + i);
  values_.erase(values_.begin() + i);
  names_ = std::make_shared<const std::vector<std::string>>(std::move(names));
}

void Sample::append(const Sample& other) {
  Names names = names_;
  if (names_ || other.names_) {
    auto both = names_ ? *names_ : std::vector<std::string>(values_.size());
    if (other.names_) both.insert(both.end(), other.names_->begin(), other.names_->end());
    both.resize(size() + other.size());
    names = std::make_shared<const std::vector<std::string>>(std::move(both));
  }
  auto values = values_;
  values.insert(values.end(), other.values_.begin(), other.values_.end());
  *this = Sample(std::move(values), std::move(names));
}

}  // namespace glia::data
