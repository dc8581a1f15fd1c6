// Expressions of digits as trees: drawn, read and evaluated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/data.h"
#include "glia/nn/tree.h"

namespace glia::recipes {

// Numbers below `modulus` and the operators +, - and *, whose values are taken modulo it.
struct Expression : nn::Tree {
  std::vector<int64_t> tokens;  // of each node: a number, or modulus + which operator
  std::vector<int64_t> values;  // of each node's part
  std::string text() const;     // with all brackets
  int64_t modulus = 0;
};

// One whose longest way from the root to a number is `depth` steps.
Expression draw_expression(int64_t modulus, int64_t depth, data::Random& random);
// "(1 + 2) * 3", with the usual precedence. Throws ValueError, "column 3: fault".
Expression read_expression(const std::string& text, int64_t modulus);

// All of them as one batch.
struct ExpressionBatch {
  nn::Forest forest;
  Tensor tokens, values;  // (nodes) i64
};
ExpressionBatch batch_of(const std::vector<Expression>& expressions);

}  // namespace glia::recipes
