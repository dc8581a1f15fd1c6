// What rules that go back through a graph have in common.
#pragma once

#include <vector>

#include "glia/gradient_rule.h"
#include "glia/op.h"

namespace glia::explain {

// All inputs of an operation; and which of them lead to what is explained.
std::vector<Tensor> inputs_of(const Recorded& one);
std::vector<int> movers(const Vjp& v);
// The operation on other inputs of the same shapes.
Tensor again(const Recorded& one, const std::vector<Tensor>& inputs);
// The gradients of inputs `by` of the operation on these inputs, by its own rule.
std::vector<Tensor> pulled_back(const Recorded& one, std::vector<Tensor> inputs,
                                const std::vector<int>& by, const Tensor& g);
bool is_named(const Recorded& one, std::initializer_list<std::string_view> names);

}  // namespace glia::explain
