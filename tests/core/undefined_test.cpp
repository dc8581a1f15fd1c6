// Every public function on tensors, given one that names nothing: an error that says the function
// and the caller's line.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <regex>
#include <set>
#include <sstream>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/sparse.h"
#include "tests/support/values.h"

namespace glia {
namespace {

// A call, and which of its operands t is.
struct Call {
  std::string function;
  std::function<void(const Tensor& t)> with;
};

#define CALL(name, ...)                                  \
  {                                                      \
#name, [=](const Tensor& t) { (void)(__VA_ARGS__); } \
  }
#define UNARY(name) CALL(name, name(t))
#define BINARY(name) CALL(name, name(t, x)), CALL(name, name(x, t))
#define OPERATOR(op) CALL(operator op, t op x), CALL(operator op, x op t)

std::vector<Call> calls() {
  const Tensor x = ones({2, 2}), rows = zeros({2}, kI64), image = ones({1, 4, 4, 2});
  const Tensor kernel = ones({2, 1, 1, 2}), cells = ones({8, 2}), steps = ones({3, 1, 2});
  const Tensor bits = ones({2, 2}, kBool), whole = ones({2, 2}, kI64);
  const Tensor indices = zeros({2, 2}, kI64), classes = zeros({2}, kI64);
  const auto change = [](auto&& f) {
    return [f](const Tensor& t) {
      Tensor a = t;
      f(a);
    };
  };
  return {
      OPERATOR(+),
      OPERATOR(-),
      OPERATOR(*),
      OPERATOR(/),
      OPERATOR(<),
      OPERATOR(<=),
      OPERATOR(>),
      OPERATOR(>=),
      OPERATOR(==),
      OPERATOR(!=),
      CALL(operator&, t & whole),
      CALL(operator|, t | whole),
      CALL(operator^, t ^ whole),
      CALL(operator-, -t),
      CALL(operator~, ~t),
      {"operator+=", change([](Tensor& a) { a += 1; })},
      {"operator-=", change([](Tensor& a) { a -= 1; })},
      {"operator*=", change([](Tensor& a) { a *= 2; })},
      {"operator/=", change([](Tensor& a) { a /= 2; })},
      BINARY(pow),
      BINARY(floor_divide),
      BINARY(remainder),
      BINARY(maximum),
      BINARY(minimum),
      BINARY(atan2),
      CALL(where, where(t, x, x)),
      CALL(where, where(bits, t, x)),
      CALL(where, where(bits, x, t)),
      CALL(clamp, clamp(t, 0, 1)),
      UNARY(abs),
      UNARY(sign),
      UNARY(square),
      UNARY(reciprocal),
      UNARY(sqrt),
      UNARY(rsqrt),
      UNARY(exp),
      UNARY(expm1),
      UNARY(log),
      UNARY(log1p),
      UNARY(sin),
      UNARY(cos),
      UNARY(tanh),
      UNARY(erf),
      UNARY(floor),
      UNARY(ceil),
      UNARY(round),
      UNARY(isnan),
      UNARY(isfinite),
      UNARY(nan_to_num),
      UNARY(logical_not),
      CALL(cast, cast(t, kF64)),
      UNARY(relu),
      UNARY(leaky_relu),
      UNARY(elu),
      UNARY(sigmoid),
      UNARY(log_sigmoid),
      UNARY(softplus),
      UNARY(silu),
      UNARY(gelu),
      CALL(reshape, reshape(t, {4})),
      CALL(reshape, reshape(t, {-1})),
      UNARY(flatten),
      CALL(squeeze, squeeze(t, 0)),
      CALL(unsqueeze, unsqueeze(t, 0)),
      CALL(permute, permute(t, {1, 0})),
      CALL(permute, permute(t, {})),
      UNARY(transpose),
      CALL(expand, expand(t, {2, 2})),
      CALL(pad, pad(t, {{1, 1}})),
      CALL(slice, slice(t, 0, {0, 1})),
      CALL(flip, flip(t, {0})),
      CALL(concat, concat({t, x})),
      CALL(concat, concat({x, t})),
      CALL(stack, stack({t, x})),
      CALL(stack, stack({x, t})),
      CALL(slice_scatter, slice_scatter(t, x, 0, 0)),
      CALL(slice_scatter, slice_scatter(x, t, 0, 0)),
      CALL(split, split(t, 1)),
      UNARY(sum),
      UNARY(prod),
      UNARY(max),
      UNARY(min),
      UNARY(mean),
      UNARY(var),
      UNARY(any),
      UNARY(all),
      UNARY(argmax),
      UNARY(argmin),
      CALL(cumsum, cumsum(t, 0)),
      CALL(cumprod, cumprod(t, 0)),
      UNARY(sort),
      UNARY(argsort),
      CALL(topk, topk(t, 1)),
      CALL(take, take(t, rows)),
      CALL(take, take(x, t)),
      CALL(gather, gather(t, indices, 0)),
      CALL(gather, gather(x, t, 0)),
      CALL(index_add, index_add(t, rows, x)),
      CALL(index_add, index_add(x, t, x)),
      CALL(index_add, index_add(x, rows, t)),
      CALL(scatter_add, scatter_add(t, indices, x, 0)),
      CALL(scatter_add, scatter_add(x, t, x, 0)),
      CALL(scatter_add, scatter_add(x, indices, t, 0)),
      CALL(one_hot, one_hot(t, 3)),
      UNARY(nonzero),
      BINARY(matmul),
      BINARY(linear),
      CALL(lstm, lstm(t, cells, cells)),
      CALL(lstm, lstm(steps, t, cells)),
      CALL(lstm, lstm(steps, cells, t)),
      CALL(gru, gru(t, ones({6, 2}), ones({6, 2}))),
      CALL(gru, gru(steps, t, ones({6, 2}))),
      CALL(gru, gru(steps, ones({6, 2}), t)),
      CALL(rnn, rnn(t, x, x)),
      CALL(rnn, rnn(steps, t, x)),
      CALL(rnn, rnn(steps, x, t)),
      CALL(scaled_dot_product_attention, scaled_dot_product_attention(t, x, x)),
      CALL(scaled_dot_product_attention, scaled_dot_product_attention(x, t, x)),
      CALL(scaled_dot_product_attention, scaled_dot_product_attention(x, x, t)),
      CALL(conv2d, conv2d(t, kernel)),
      CALL(conv2d, conv2d(image, t)),
      CALL(max_pool2d, max_pool2d(t, 2)),
      CALL(max_pool2d, max_pool2d(t, {2, 2})),
      CALL(avg_pool2d, avg_pool2d(t, 2)),
      CALL(avg_pool2d, avg_pool2d(t, {2, 2})),
      UNARY(softmax),
      UNARY(log_softmax),
      UNARY(logsumexp),
      CALL(cross_entropy, cross_entropy(t, classes)),
      CALL(cross_entropy, cross_entropy(x, t)),
      CALL(nll_loss, nll_loss(t, classes)),
      CALL(nll_loss, nll_loss(x, t)),
      BINARY(mse_loss),
      BINARY(l1_loss),
      BINARY(smooth_l1_loss),
      BINARY(binary_cross_entropy_with_logits),
      CALL(layer_norm, layer_norm(t, {}, {})),
      CALL(batch_norm, batch_norm(t, {}, {})),
      UNARY(dropout),
      UNARY(zeros_like),
      UNARY(ones_like),
      UNARY(eval),
      CALL(eval, eval({x, t})),
      UNARY(trainable),
      UNARY(stop_gradient),
      CALL(index, index(t, {0})),
      CALL(index, index(x, {t})),
      CALL(index_update, index_update(t, {0}, x)),
      CALL(index_update, index_update(x, {0}, t)),
      CALL(gradients, gradients(t, {trainable(x)})),
      CALL(gradients, gradients(sum(trainable(x)), {t})),
      CALL(embedding, embedding(t, x)),
      CALL(embedding, embedding(rows, t)),
      CALL(embedding_bag, embedding_bag(t, x)),
      CALL(embedding_bag, embedding_bag(indices, t)),
  };
}

TEST(Undefined, EveryFunctionSaysItsNameAndTheCallersLine) {
  // What an operator or a composed function is called in messages.
  const std::set<std::string> by_another_name{"leaky_relu", "elu",      "log_sigmoid", "softplus",
                                              "silu",       "gelu",     "logical_not", "clamp",
                                              "isnan",      "isfinite", "nan_to_num"};
  for (const Call& c : calls()) {
    const std::string text = test::message_of<Error>([&] { c.with(Tensor()); });
    EXPECT_NE(text.find(" at undefined_test.cpp:"), text.npos) << c.function << ": " << text;
    EXPECT_NE(text.find("not defined"), text.npos) << c.function << ": " << text;
    if (c.function.starts_with("operator") || by_another_name.contains(c.function)) continue;
    EXPECT_TRUE(text.starts_with(c.function + ":")) << c.function << ": " << text;
  }
}

// The headers are read, so that no function is forgotten.
TEST(Undefined, EveryFunctionIsCalled) {
  std::set<std::string> called;
  for (Call c : calls()) {
    std::erase(c.function, ' ');  // "operator +"
    called.insert(c.function);
  }
  const std::regex function(
      R"((?:^|\n)(?:inline )?(?:[A-Z]\w*&?|std::\w+<[^;()]*>|void) (operator.{1,2}|\w+)\(([^;{]*)[;{])");
  for (const char* header : {"ops.h", "tensor.h", "sparse.h"}) {
    std::ifstream file(std::string(GLIA_SOURCE_DIR "/include/glia/") + header);
    std::stringstream text;
    text << file.rdbuf();
    const std::string source = text.str();
    int found = 0;
    for (std::sregex_iterator at(source.begin(), source.end(), function), end; at != end; ++at) {
      const std::string name = (*at)[1], arguments = (*at)[2];
      if (arguments.find("Tensor&") == arguments.npos &&
          arguments.find("Operand&") == arguments.npos)
        continue;
      ++found;
      if (name == "spmm") continue;  // checks on its Csr, which no undefined tensor can make
      EXPECT_TRUE(called.contains(name)) << name << " of " << header;
    }
    EXPECT_GT(found, 1) << header;
  }
}

}  // namespace
}  // namespace glia
