#include "recipes/src/expressions.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "glia/error.h"

namespace glia::recipes {
namespace {

constexpr char kOperators[] = {'+', '-', '*'};
constexpr int64_t kLongest = 10000;  // characters of an expression

int64_t apply(int64_t which, int64_t a, int64_t b, int64_t modulus) {
  const int64_t value = which == 0 ? a + b : which == 1 ? a - b : a * b;
  return (value % modulus + modulus) % modulus;
}

int64_t add_node(Expression* e, int64_t token, int64_t value) {
  e->parents.push_back(-1);
  e->tokens.push_back(token);
  e->values.push_back(value);
  return static_cast<int64_t>(e->parents.size()) - 1;
}
// The left part is always complete before the right one, so that its root's number is lower.
int64_t join(Expression* e, int64_t which, int64_t left, int64_t right) {
  const int64_t value = apply(which, e->values[left], e->values[right], e->modulus);
  const int64_t node = add_node(e, e->modulus + which, value);
  e->parents[left] = e->parents[right] = node;
  return node;
}

int64_t draw(Expression* e, int64_t depth, data::Random& random) {
  if (depth == 0) {
    const auto digit = static_cast<int64_t>(random.below(e->modulus));
    return add_node(e, digit, digit);
  }
  const auto which = static_cast<int64_t>(random.below(3));
  const auto other = static_cast<int64_t>(random.below(depth));
  const bool deep_left = random.below(2) == 0;
  const int64_t left = draw(e, deep_left ? depth - 1 : other, random);
  const int64_t right = draw(e, deep_left ? other : depth - 1, random);
  return join(e, which, left, right);
}

}  // namespace

Expression draw_expression(int64_t modulus, int64_t depth, data::Random& random) {
  Expression e;
  e.modulus = modulus;
  draw(&e, depth, random);
  return e;
}

std::string Expression::text() const {
  std::vector<std::string> parts(tokens.size());
  std::vector<std::vector<size_t>> below(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    parts[i] =
        tokens[i] < modulus
            ? std::to_string(tokens[i])
            : fmt::format("({} {} {})", std::exchange(parts[below[i][0]], ""),
                          kOperators[tokens[i] - modulus], std::exchange(parts[below[i][1]], ""));
    if (parents[i] >= 0) below[parents[i]].push_back(i);
  }
  return parts.empty() ? "" : parts.back();
}

Expression read_expression(const std::string& text, int64_t modulus) {
  const auto fail = [](size_t at, const std::string& fault) {
    throw ValueError(fmt::format("column {}: {}", at + 1, fault));
  };
  if (static_cast<int64_t>(text.size()) > kLongest)
    throw ValueError(fmt::format("an expression of more than {} characters", kLongest));
  Expression e;
  e.modulus = modulus;
  std::vector<int64_t> operands, waiting;  // operators; -1: a bracket
  const auto apply_last = [&] {
    const int64_t right = operands.back();
    operands.pop_back();
    operands.back() = join(&e, waiting.back(), operands.back(), right);
    waiting.pop_back();
  };
  bool wants_operand = true;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto* which = std::ranges::find(kOperators, c);
    if (c == ' ') continue;
    if (wants_operand && c == '(') {
      waiting.push_back(-1);
    } else if (wants_operand && c >= '0' && c < '0' + std::min<int64_t>(modulus, 10)) {
      operands.push_back(add_node(&e, c - '0', c - '0'));
      wants_operand = false;
    } else if (!wants_operand && c == ')') {
      while (!waiting.empty() && waiting.back() >= 0) apply_last();
      if (waiting.empty()) fail(i, "a bracket is closed that is not open");
      waiting.pop_back();
    } else if (!wants_operand && which != std::end(kOperators)) {
      const int64_t number = which - kOperators;
      while (!waiting.empty() && waiting.back() >= 0 && (number < 2 || waiting.back() == 2))
        apply_last();
      waiting.push_back(number);
      wants_operand = true;
    } else {
      fail(i, fmt::format("{} is wanted",
                          wants_operand ? fmt::format("a number below {} or a bracket", modulus)
                                        : "an operator or the end"));
    }
  }
  if (wants_operand) fail(text.size(), "a number is wanted");
  while (!waiting.empty()) {
    if (waiting.back() < 0) fail(text.size(), "a bracket is not closed");
    apply_last();
  }
  return e;
}

ExpressionBatch batch_of(const std::vector<Expression>& expressions) {
  std::vector<nn::Tree> trees;
  std::vector<int64_t> tokens, values;
  for (const Expression& e : expressions) {
    trees.push_back({e.parents});
    tokens.insert(tokens.end(), e.tokens.begin(), e.tokens.end());
    values.insert(values.end(), e.values.begin(), e.values.end());
  }
  const auto count = static_cast<int64_t>(tokens.size());
  return {nn::Forest(trees), from_vector(tokens, {count}), from_vector(values, {count})};
}

}  // namespace glia::recipes
