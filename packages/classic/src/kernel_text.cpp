// Covariance functions as texts.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "glia/classic/estimator.h"
#include "kernel_node.h"

namespace glia::classic {
namespace {

using detail::Hyperparameter;
using detail::KernelForm;
using detail::KernelKind;
using detail::KernelNode;
using NodePtr = std::shared_ptr<const KernelNode>;

std::string digits(double x) { return to_text(ParamValue(x)); }

const KernelForm& form_of(KernelKind kind) {
  return *std::ranges::find(detail::kernel_forms(), kind, &KernelForm::kind);
}

std::string leaf_text(const KernelNode& node) {
  std::string text = std::string(form_of(node.kind).name) + "(", comma;
  const auto add = [&](const std::string& name, const std::string& value) {
    text += comma + name + "=" + value;
    comma = ", ";
  };
  for (const Hyperparameter& h : node.own) {
    std::string value;
    for (const double x : h.value) value += (value.empty() ? "" : ", ") + digits(x);
    add(h.name, h.value.size() == 1 ? value : "[" + value + "]");
    const KernelBounds usual;
    if (h.bounds.fixed)
      add(h.name + "_bounds", "fixed");
    else if (h.bounds.low != usual.low || h.bounds.high != usual.high)
      add(h.name + "_bounds", "(" + digits(h.bounds.low) + ", " + digits(h.bounds.high) + ")");
  }
  if (node.kind == KernelKind::kMatern)
    add("nu", std::isinf(node.number) ? "inf" : digits(node.number));
  return text + ")";
}

std::string text_of(const KernelNode& node) {
  const auto inner = [](const KernelNode& part, bool wrapped) {
    const std::string text = text_of(part);
    return wrapped ? "(" + text + ")" : text;
  };
  switch (node.kind) {
    case KernelKind::kSum:
      return text_of(*node.a) + " + " + inner(*node.b, node.b->kind == KernelKind::kSum);
    case KernelKind::kProduct:
      return inner(*node.a, node.a->kind == KernelKind::kSum) + " * " +
             inner(*node.b,
                   node.b->kind == KernelKind::kSum || node.b->kind == KernelKind::kProduct);
    case KernelKind::kPower:
      return "(" + text_of(*node.a) + ") ** " + digits(node.number);
    default:
      return leaf_text(node);
  }
}

// Sums of products of powers of leaves.
class Parser {
 public:
  Parser(std::string_view text, Where where) : text_(text), left_(text), where_(where) {}

  Kernel kernel() {
    const Kernel k = sum(0);
    if (!left_.empty()) fail("'" + std::string(left_) + "' is too much");
    return k;
  }

 private:
  static constexpr int kDeepest = 50;

  [[noreturn]] void fail(const std::string& fault) const {
    throw ValueError("'" + std::string(text_) + "' is no kernel: " + fault, where_);
  }

  void skip() {
    while (!left_.empty() && left_.front() == ' ') left_.remove_prefix(1);
  }
  bool take(std::string_view word) {
    skip();
    if (!left_.starts_with(word)) return false;
    left_.remove_prefix(word.size());
    skip();
    return true;
  }
  void expect(std::string_view word) {
    if (!take(word))
      fail("'" + std::string(word) + "' is missing before '" + std::string(left_) + "'");
  }
  bool at_number() const {
    return !left_.empty() &&
           (left_.front() == '.' || (left_.front() >= '0' && left_.front() <= '9'));
  }
  double number() {
    skip();
    double value = 0;
    const auto read = std::from_chars(left_.data(), left_.data() + left_.size(), value);
    if (read.ec != std::errc()) fail("'" + std::string(left_) + "' is no number");
    left_.remove_prefix(static_cast<size_t>(read.ptr - left_.data()));
    skip();
    return value;
  }
  std::string word() {
    skip();
    size_t end = 0;
    while (end < left_.size() &&
           (std::isalnum(static_cast<unsigned char>(left_[end])) || left_[end] == '_'))
      ++end;
    std::string name(left_.substr(0, end));
    left_.remove_prefix(end);
    skip();
    return name;
  }

  Kernel sum(int depth) {
    if (depth > kDeepest) fail("it is nested too deeply");
    Kernel k = product(depth);
    for (int terms = 0; take("+"); ++terms) {
      if (terms > kDeepest) fail("it has too many terms");
      k = k + product(depth);
    }
    return k;
  }
  Kernel product(int depth) {
    Kernel k = power(depth);
    for (int factors = 0; left_.starts_with("*") && !left_.starts_with("**"); ++factors) {
      if (factors > kDeepest) fail("it has too many factors");
      expect("*");
      k = k * power(depth);
    }
    return k;
  }
  Kernel power(int depth) {
    skip();
    if (at_number()) {  // a constant, by its root if it is squared
      const double value = number();
      return take("**") ? Kernel(std::pow(value, number())) : Kernel(value);
    }
    Kernel k = 1;
    if (take("(")) {
      k = sum(depth + 1);
      expect(")");
    } else {
      k = leaf();
    }
    return take("**") ? pow(k, number()) : k;
  }
  Kernel leaf() {
    const std::string name = word();
    const auto& forms = detail::kernel_forms();
    const auto form = std::ranges::find(forms, name, &KernelForm::name);
    if (form == forms.end()) {
      std::string known;
      for (const KernelForm& f : forms) known += (known.empty() ? "" : ", ") + std::string(f.name);
      fail("'" + name + "' is none of " + known);
    }
    KernelNode node{.kind = form->kind, .number = 1.5};
    for (const std::string_view h : form->hyperparameters)
      node.own.push_back({std::string(h), {1}});
    expect("(");
    while (!take(")")) {
      const std::string option = word();
      expect("=");
      const bool bounds = option.ends_with("_bounds");
      const std::string of = bounds ? option.substr(0, option.size() - 7) : option;
      const auto h = std::ranges::find(node.own, of, &Hyperparameter::name);
      if (option == "nu" && form->kind == KernelKind::kMatern)
        node.number = take("inf") ? std::numeric_limits<double>::infinity() : number();
      else if (h == node.own.end())
        fail(name + " has no " + option);
      else if (bounds)
        h->bounds = bounds_of();
      else
        h->value = values();
      if (!take(",") && !left_.starts_with(")")) fail("')' is missing");
    }
    return Kernel(detail::checked(std::move(node), where_));
  }
  KernelBounds bounds_of() {
    if (take("fixed")) return {.fixed = true};
    expect("(");
    KernelBounds bounds;
    bounds.low = number();
    expect(",");
    bounds.high = number();
    expect(")");
    return bounds;
  }
  std::vector<double> values() {
    if (!take("[")) return {number()};
    std::vector<double> all;
    do all.push_back(number());
    while (take(","));
    expect("]");
    return all;
  }

  std::string_view text_, left_;
  Where where_;
};

}  // namespace

std::string to_text(const Kernel& kernel) { return text_of(kernel.node()); }

Kernel parse_kernel(std::string_view text, Where where) { return Parser(text, where).kernel(); }

}  // namespace glia::classic
