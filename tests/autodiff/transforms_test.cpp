// What is made on top of gradients(): jvp, vjp, jacobian, vmap, checkpoint, custom functions, and
// the checks of derivatives themselves.
#include <gtest/gtest.h>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

constexpr double kClose = 1e-10;
using Tensors = std::vector<Tensor>;

struct Eager {
  bool before = eager();
  explicit Eager(bool on) { set_eager(on); }
  ~Eager() { set_eager(before); }
};

// Lazy and eager, since both must do.
template <class F>
void in_both_modes(F&& f) {
  for (bool on : {false, true}) {
    SCOPED_TRACE(on ? "eager" : "lazy");
    const Eager mode(on);
    f();
  }
}

// Two layers and a loss for each example.
Tensor network(const Tensors& in) {
  const Tensor h = tanh(matmul(in[0], in[1]));
  return sum(log_softmax(matmul(h, in[2])) * numbers({3}, 9), {-1});
}
Tensors network_inputs() { return {numbers({5, 4}), numbers({4, 6}, 1), numbers({6, 3}, 2)}; }

// ---- Checks of derivatives ----

TEST(Gradcheck, FindsWrongDerivatives) {
  const auto cube =
      custom_function([](const Tensors& in) { return in[0] * in[0] * in[0]; },
                      [](const Tensors& in, const Tensor&, const Tensor& g) {
                        return Tensors{g * where(in[0] > 0, 3 * square(in[0]), 2 * square(in[0]))};
                      });
  EXPECT_EQ(gradcheck(cube, {tensor<double>({1, 2})}), "");
  const std::string message = gradcheck(cube, {tensor<double>({1, -2, 3})});
  EXPECT_NE(message.find("input 0 (3,), element 1: the gradient is "), std::string::npos)
      << message;
  // Right, but not differentiable: the second derivative is lost.
  const auto once = custom_function([](const Tensors& in) { return in[0] * in[0] * in[0]; },
                                    [](const Tensors& in, const Tensor&, const Tensor& g) {
                                      return Tensors{g * 3 * square(stop_gradient(in[0]))};
                                    });
  EXPECT_EQ(gradcheck(once, {tensor<double>({1, -2})}), "");
  EXPECT_NE(gradgradcheck(once, {tensor<double>({1, -2})}), "");
  EXPECT_THROW(gradcheck(cube, {tensor<float>({1, 2})}), ShapeError);
}

TEST(Gradcheck, LooksAtLargeInputsInPlaces) {
  const auto f = [](const Tensors& in) { return sin(in[0]); };
  EXPECT_EQ(gradcheck(f, {numbers({40, 50})}), "");
}

// ---- jvp, vjp, jacobian ----

// ---- Sums of the gradients of slices ----

// Of parts that fill x in any order, leave holes, interleave, overlap, or lie along two axes.
TEST(Slices, GradientsOfPartsAddUp) {
  const auto part = [](const Tensor& x, int axis, int64_t start, int64_t stop, int64_t step = 1) {
    return slice(x, axis, {start, stop, step});
  };
  const std::function<Tensor(const Tensors&)> functions[] = {
      [&](const Tensors& t) {
        const Tensor x = permute(t[0], {1, 0, 2});
        return square(part(x, 0, 3, 6)) * part(x, 0, 0, 3) * exp(part(x, 0, 6, 9));
      },
      [&](const Tensors& t) { return part(t[0], 1, 0, 3) * square(part(t[0], 1, 5, 8)); },
      [&](const Tensors& t) { return part(t[0], 1, 0, 8, 2) * square(part(t[0], 1, 1, 9, 2)); },
      [&](const Tensors& t) { return part(t[0], 1, 0, 6) * square(part(t[0], 1, 3, 9)); },
      [&](const Tensors& t) {
        return part(part(t[0], 0, 0, 1), 1, 0, 4) * square(part(part(t[0], 0, 1, 2), 1, 5, 9));
      },
      [&](const Tensors& t) { return part(t[0], 1, 0, 5) * sum(square(part(t[0], 1, 5, 9))); },
  };
  for (const auto& f : functions) {
    in_both_modes([&] {
      EXPECT_EQ(gradcheck(f, {numbers({2, 9, 2})}), "");
      EXPECT_EQ(gradgradcheck(f, {numbers({2, 9, 2})}), "");
    });
  }
}

TEST(Slices, GradientsThatFillAnArrayAreJoinedByOneKernel) {
  const Tensor x = trainable(numbers({6, 64}));
  const std::vector<Tensor> parts = split(x, 2);
  const Tensor y = parts[0] + parts[1] + parts[2];
  eval(y);
  const Tensor seed = numbers({2, 64}, 1);
  eval(seed);
  const int64_t before = graph_stats().kernels_run;
  const Tensor g = gradients(y, {x}, seed)[0];
  eval(g);
  EXPECT_EQ(graph_stats().kernels_run - before, 1);
  expect_same(g, concat({seed, seed, seed}));
}

TEST(Transforms, VjpAndJvpAgreeWithTheJacobian) {
  in_both_modes([] {
    const Tensors in = network_inputs();
    const Tensors jacobians = jacobian(network, in);
    ASSERT_EQ(jacobians.size(), 3u);
    EXPECT_EQ(jacobians[1].shape().str(), "(5, 4, 6)");
    const Tensor cotangent = numbers({5}, 3);
    const auto [value, products] = vjp(network, in, cotangent);
    expect_same(value, network(in), kClose);
    Tensor expected = zeros({5}, kF64);
    Tensors tangents;
    for (size_t i = 0; i < in.size(); ++i) {
      const Tensor rows = reshape(jacobians[i], {5, in[i].numel()});
      expect_same(reshape(products[i], {in[i].numel()}), matmul(cotangent, rows), kClose);
      tangents.push_back(numbers(in[i].shape(), 4));
      expected = expected + matmul(rows, reshape(tangents[i], {in[i].numel()}));
    }
    const auto [same, tangent] = jvp(network, in, tangents);
    expect_same(same, value, kClose);
    expect_same(tangent, expected, kClose);
  });
}

TEST(Transforms, OfFunctionsThatForgetTheirInput) {
  const Tensor x = numbers({2});
  const auto constant = [](const Tensors&) { return ones({3}, kF64); };
  expect_values(jvp(constant, {x}, {x}).second, {3}, {0, 0, 0});
  expect_values(vjp(constant, {x}, ones({3}, kF64)).second[0], {2}, {0, 0});
  expect_values(jacobian(constant, {x})[0], {3, 2}, {0, 0, 0, 0, 0, 0});
  // Integers have no derivative.
  const auto chosen = [](const Tensors& in) { return take(in[0], in[1]); };
  const Tensor at = tensor({1});
  expect_values(jvp(chosen, {x, at}, {tensor<double>({3, 4}), at}).second, {1}, {4});
  expect_values(jacobian(chosen, {x, at})[0], {1, 2}, {0, 1});
}

TEST(Transforms, AreDifferentiableAndNest) {
  in_both_modes([] {
    const auto f = [](const Tensors& in) { return sum(sin(in[0]) * square(in[1])); };
    const Tensors in{numbers({3}), numbers({3}, 1)};
    const auto along = [&](const Tensors& at) { return jvp(f, at, in).second; };
    EXPECT_EQ(gradcheck(along, in), "");
    const auto product = [&](const Tensors& at) {
      return sum(square(vjp(f, at, tensor(2.0)).second[0]));
    };
    EXPECT_EQ(gradcheck(product, in), "");
    const auto entries = [&](const Tensors& at) { return jacobian(f, at)[1]; };
    EXPECT_EQ(gradcheck(entries, in), "");
    // Second derivatives in three ways.
    const auto g = [](const Tensors& at) { return sum(at[0] * at[0] * at[0]); };
    const Tensor x = tensor<double>({1, 2});
    const auto first = [&](const Tensors& at) { return jacobian(g, at)[0]; };
    expect_values(jacobian(first, {x})[0], {2, 2}, {6, 0, 0, 12}, kClose);
    expect_values(jvp(first, {x}, {ones({2}, kF64)}).second, {2}, {6, 12}, kClose);
    const auto slope = [&](const Tensors& at) { return jvp(g, at, {x}).second; };
    expect_values(jvp(slope, {x}, {x}).second, {}, {54}, kClose);
  });
}

TEST(Transforms, LeaveNoTraceUnderNoGrad) {
  const NoGrad off;
  const auto f = [](const Tensors& in) { return square(in[0]); };
  const Tensor x = tensor<double>({1, 2});
  const auto [value, tangent] = jvp(f, {x}, {x});
  expect_values(tangent, {2}, {2, 8});
  EXPECT_FALSE(value.requires_grad() || tangent.requires_grad());
  EXPECT_FALSE(vjp(f, {x}, x).second[0].requires_grad());
  EXPECT_FALSE(jacobian(f, {x})[0].requires_grad());
}

TEST(Transforms, SayWhatIsWrong) {
  const auto f = [](const Tensors& in) { return square(in[0]); };
  const Tensor x = zeros({2});
  EXPECT_THROW(jvp(f, {x}, {}), ShapeError);
  EXPECT_THROW(jvp(f, {x}, {zeros({3})}), ShapeError);
  EXPECT_THROW(vjp(f, {x}, zeros({3})), ShapeError);
}

// ---- vmap ----

// f over the examples, one after the other.
Tensor looped(const TensorFunction& f, const Tensors& in, const std::vector<int>& axes = {}) {
  Tensors results;
  int64_t size = -1;
  for (size_t i = 0; i < in.size(); ++i) {
    if (axes.empty() || axes[i] == 0) size = in[i].size(0);
  }
  for (int64_t e = 0; e < size; ++e) {
    Tensors example = in;
    for (size_t i = 0; i < in.size(); ++i) {
      if (axes.empty() || axes[i] == 0) example[i] = index(in[i], {e});
    }
    results.push_back(f(example));
  }
  return stack(results);
}

struct Mapped {
  const char* what;
  TensorFunction f;
  Tensors in;
  std::vector<int> axes = {};
};

std::vector<Mapped> mapped_functions() {
  const Tensor x = numbers({3, 4, 5}), v = numbers({3, 5}, 1), m = numbers({5, 2}, 2);
  const Tensor images = numbers({2, 3, 6, 6, 2}), kernel = numbers({4, 3, 3, 2}, 1);
  const Tensor at = randint(0, 4, {3, 2}), classes = randint(0, 5, {3, 4});
  return {
      {"elementwise", [](auto& in) { return in[0] * in[1] + 2; }, {x, v}},
      {"unary", [](auto& in) { return exp(sin(in[0])); }, {x}},
      {"where", [](auto& in) { return where(in[1] > 0, in[0], -1); }, {x, v}},
      {"shared operand", [](auto& in) { return in[0] - in[1]; }, {x, numbers({4, 1})}, {0, -1}},
      {"captured operand", [v](auto& in) { return sum(in[0], {0}) * v; }, {x}},
      {"scalar examples", [](auto& in) { return in[0] * in[1]; }, {numbers({3}), x}},
      {"constant", [](auto& in) { return ones(in[0].shape(), kF64); }, {x}},
      {"one of its inputs", [](auto& in) { return in[1]; }, {x, m}, {0, -1}},
      {"sum of all", [](auto& in) { return sum(in[0]); }, {x}},
      {"reductions", [](auto& in) { return max(in[0], {0}) - mean(in[0], {0}, true); }, {x}},
      {"softmax", [](auto& in) { return softmax(in[0], 0) + logsumexp(in[0]); }, {v}},
      {"norms", [](auto& in) { return layer_norm(in[0], in[1], {}); }, {x, v}},
      {"batch norm", [](auto& in) { return batch_norm(in[0], {}, {}).out; }, {x}},
      {"batch norm of shared weights",
       [](auto& in) { return batch_norm(in[0], in[1], in[1]).out; },
       {x, numbers({5})},
       {0, -1}},
      {"views",
       [](auto& in) {
         const Tensor t = transpose(reshape(in[0], {2, 2, 5}), 0, 2);
         return slice(flip(t, {0}), 1, {0, 2, 1}) + unsqueeze(transpose(expand(in[1], {2, 5})), 2);
       },
       {numbers({3, 20}), numbers({3, 1, 5})}},
      {"expand to more axes",
       [](auto& in) {
         return expand(in[0], {2, 4, 5});
       },
       {v}},
      {"matmul", [](auto& in) { return matmul(in[0], in[1]); }, {x, m}, {0, -1}},
      {"matmul of both", [](auto& in) { return matmul(in[0], in[1]); }, {x, numbers({3, 5, 2})}},
      {"linear", [](auto& in) { return linear(in[0], in[1]); }, {x, numbers({3, 2, 5})}},
      {"conv2d", [](auto& in) { return conv2d(in[0], in[1]); }, {images, kernel}, {0, -1}},
      {"conv2d of both",
       [](auto& in) { return conv2d(in[0], in[1]); },
       {images, stack({kernel, kernel + 1})}},
      {"pools", [](auto& in) { return max_pool2d(in[0], 2) + avg_pool2d(in[0], 2); }, {images}},
      {"take", [](auto& in) { return take(in[0], in[1]); }, {x, at}},
      {"take of shared",
       [](auto& in) { return take(in[0], in[1]); },
       {numbers({4, 5}), at},
       {-1, 0}},
      {"take at shared", [](auto& in) { return take(in[0], in[1], 1); }, {x, at}, {0, -1}},
      {"gather", [](auto& in) { return gather(in[0], unsqueeze(in[1], 1), 0); }, {x, at}},
      {"index_add",
       [](auto& in) {
         return index_add(zeros({4, 5}, kF64), in[1], in[0]);
       },
       {numbers({3, 2, 5}), at}},
      {"scatter_add",
       [](auto& in) {
         return scatter_add(in[0], unsqueeze(in[1], 1), ones({2, 1}, kF64), 0);
       },
       {x, at}},
      {"index",
       [](auto& in) {
         return index(in[0], {in[1], Slice{1, 4}});
       },
       {x, at}},
      {"select", [](auto& in) { return index(in[0], {-2}); }, {numbers({3, 2, 5})}},
      {"index_update",
       [](auto& in) {
         return index_update(in[0], {in[1], 0}, tensor(7.0));
       },
       {x, at}},
      {"one_hot", [](auto& in) { return one_hot(in[0], 6, kF64); }, {at}},
      {"cross_entropy", [](auto& in) { return cross_entropy(in[0], in[1]); }, {x, classes}},
      {"sorting",
       [](auto& in) {
         return sort(in[0], 0).first + argsort(in[0], 0, true) + topk(in[0], 4, 0).first;
       },
       {x}},
      {"extremes", [](auto& in) { return argmax(in[0], 0) - argmin(in[0], 0); }, {x}},
      {"scans", [](auto& in) { return cumsum(in[0], 0) * cumprod(in[0], 1); }, {x}},
      {"concat",
       [](auto& in) {
         return concat({in[0], in[1]}, 0);
       },
       {x, numbers({2, 5})},
       {0, -1}},
      {"pad",
       [](auto& in) {
         return pad(in[0], {{1, 0}, {2, 1}}, 5);
       },
       {x}},
      {"prod", [](auto& in) { return prod(in[0], {0}); }, {x}},
  };
}

TEST(Vmap, IsTheLoop) {
  in_both_modes([] {
    for (const Mapped& c : mapped_functions()) {
      SCOPED_TRACE(c.what);
      expect_same(vmap(c.f, c.axes)(c.in), looped(c.f, c.in, c.axes), kClose);
    }
  });
}

TEST(Vmap, OfOneAndOfNoExamples) {
  for (const Mapped& c : mapped_functions()) {
    SCOPED_TRACE(c.what);
    for (int64_t size : {1, 0}) {
      Tensors in = c.in;
      for (size_t i = 0; i < in.size(); ++i) {
        if (c.axes.empty() || c.axes[i] == 0) in[i] = slice(in[i], 0, {0, size, 1});
      }
      const Tensor found = vmap(c.f, c.axes)(in);
      const Tensor whole = looped(c.f, c.in, c.axes);
      Shape shape = whole.shape();
      shape[0] = size;
      EXPECT_EQ(found.shape().str(), shape.str());
      if (size == 1) expect_same(found, looped(c.f, in, c.axes), kClose);
    }
  }
}

TEST(Vmap, DerivativesThroughIt) {
  for (const Mapped& c : mapped_functions()) {
    SCOPED_TRACE(c.what);
    if (!is_float(c.in[0].dtype()) || std::string_view(c.what) == "extremes") continue;
    Tensors by_vmap, by_loop, in_vmap, in_loop;
    for (const Tensor& x : c.in) {
      const bool smooth = is_float(x.dtype());
      in_vmap.push_back(smooth ? trainable(x) : x);
      in_loop.push_back(smooth ? trainable(x) : x);
      if (smooth) by_vmap.push_back(in_vmap.back());
      if (smooth) by_loop.push_back(in_loop.back());
    }
    const Tensor a = vmap(c.f, c.axes)(in_vmap), b = looped(c.f, in_loop, c.axes);
    const Tensor weights = numbers(a.shape(), 5);
    const Tensors first = gradients(sum(square(a) * weights), by_vmap);
    const Tensors expected = gradients(sum(square(b) * weights), by_loop);
    for (size_t i = 0; i < first.size(); ++i) expect_same(first[i], expected[i], 1e-8);
    // And once more: the derivative of the squared gradient.
    Tensor p = zeros({}, kF64), q = zeros({}, kF64);
    for (size_t i = 0; i < first.size(); ++i) {
      p = p + sum(square(first[i]));
      q = q + sum(square(expected[i]));
    }
    const Tensors second = gradients(p, by_vmap), wanted = gradients(q, by_loop);
    for (size_t i = 0; i < second.size(); ++i) expect_same(second[i], wanted[i], 1e-6);
  }
}

TEST(Vmap, GradientsOfEachExample) {
  in_both_modes([] {
    const Tensor x = numbers({7, 4}), w = numbers({4, 3}, 1), t = randint(0, 3, {7});
    const auto gradient = [](const Tensors& in) {
      const Tensor w = trainable(in[1]);
      const Tensor logits = layer_norm(matmul(tanh(in[0]), w), {}, {});
      const Tensor loss = cross_entropy(unsqueeze(logits, 0), unsqueeze(in[2], 0));
      return gradients(loss, {w})[0];
    };
    const Tensors in{x, w, t};
    const Tensor all = vmap(gradient, {0, -1, 0})(in);
    EXPECT_EQ(all.shape().str(), "(7, 4, 3)");
    expect_same(all, looped(gradient, in, {0, -1, 0}), kClose);
  });
}

TEST(Vmap, Nests) {
  in_both_modes([] {
    const Tensor a = numbers({3, 4}), b = numbers({2, 4}, 1);
    const auto dot = [](const Tensors& in) { return sum(in[0] * in[1]); };
    const auto rows = [&](const Tensors& in) { return vmap(dot, {-1, 0})(in); };
    expect_same(vmap(rows, {0, -1})({a, b}), matmul(a, transpose(b)), kClose);
    // With a value of the outer function captured by the inner one.
    const auto outer = [](const Tensors& in) {
      const Tensor s = sum(in[0]);
      return vmap([s](const Tensors& x) { return softmax(x[0] * s); })({in[1]});
    };
    const Tensors in{a, stack({b, b + 1, b + 2})};
    expect_same(vmap(outer)(in), looped(outer, in), kClose);
    const auto slopes = [](const Tensors& x) {
      return jacobian([](const Tensors& y) { return sin(y[0]) * sum(y[0]); }, x)[0];
    };
    expect_same(vmap(slopes)({a}), looped(slopes, {a}), kClose);
    const auto along = [](const Tensors& x) {
      return jvp([](const Tensors& y) { return softmax(y[0]); }, {x[0]}, {square(x[0])}).second;
    };
    expect_same(vmap(along)({a}), looped(along, {a}), kClose);
    EXPECT_EQ(gradcheck([&](const Tensors& x) { return vmap(along)(x); }, {a}), "");
    EXPECT_EQ(gradcheck([&](const Tensors& x) { return vmap(slopes)(x); }, {a}), "");
  });
}

TEST(Vmap, OfCustomFunctions) {
  // The rule captures a tensor of the mapped function, and gives the shared input a gradient.
  const auto f = [](const Tensors& in) {
    const Tensor scale = sum(in[0]);
    const auto scaled = custom_function(
        [](const Tensors& x) { return x[0] * x[1]; },
        [scale](const Tensors& x, const Tensor& out, const Tensor& g) {
          return Tensors{g * x[1] * scale, expand(sum(g * x[0] + out, {}, true), x[1].shape())};
        });
    return scaled({in[0], in[1]});
  };
  const Tensor x = numbers({3, 4}), w = numbers({4}, 1);
  Tensors by_vmap{trainable(x), trainable(w)}, by_loop{trainable(x), trainable(w)};
  const Tensors a = gradients(sum(square(vmap(f, {0, -1})(by_vmap))), by_vmap);
  const Tensors b = gradients(sum(square(looped(f, by_loop, {0, -1}))), by_loop);
  for (int i = 0; i < 2; ++i) expect_same(a[i], b[i], kClose);
  const Tensors a2 = gradients(sum(square(a[0])) + sum(square(a[1])), by_vmap);
  const Tensors b2 = gradients(sum(square(b[0])) + sum(square(b[1])), by_loop);
  for (int i = 0; i < 2; ++i) expect_same(a2[i], b2[i], kClose);
}

TEST(Vmap, SaysWhatIsWrong) {
  const auto f = [](const Tensors& in) { return in[0]; };
  EXPECT_THROW(vmap(f)({zeros({2}), zeros({3})}), ShapeError);
  EXPECT_THROW(vmap(f)({tensor(1.0)}), ShapeError);
  EXPECT_THROW(vmap(f, {-1})({zeros({2})}), ShapeError);
  EXPECT_THROW(vmap(f, {1})({zeros({2})}), ShapeError);
  EXPECT_THROW(vmap(f, {0, 0})({zeros({2})}), ShapeError);
  const auto reads = [](const Tensors& in) { return sum(in[0]).item() > 0 ? in[0] : -in[0]; };
  const std::string message = message_of<ValueError>([&] { vmap(reads)({ones({2, 3})}); });
  EXPECT_NE(message.find("stands for many examples and cannot be read"), std::string::npos);
  expect_values(vmap(f)({ones({2})}), {2}, {1, 1});  // all is well afterwards
}

// ---- checkpoint and custom functions ----

TEST(Checkpoint, GivesTheSameGradients) {
  in_both_modes([] {
    const Tensors in = network_inputs();
    Tensors w;
    for (const Tensor& t : in) w.push_back(trainable(t));
    const auto loss = [&](bool checkpointed) {
      // The weights are captured, the example is an input; the mask is drawn inside.
      manual_seed(11);
      const TensorFunction layer = [&](const Tensors& x) {
        return softmax(dropout(tanh(matmul(x[0], w[1])), 0.5));
      };
      const Tensor h = checkpointed ? checkpoint(layer, {w[0]}) : layer({w[0]});
      return sum(square(matmul(h, w[2])));
    };
    const Tensor plain = loss(false), saved = loss(true);
    const Tensors expected = gradients(plain, w), found = gradients(saved, w);
    expect_same(saved, plain, kClose);
    for (size_t i = 0; i < w.size(); ++i) expect_same(found[i], expected[i], kClose);
    // Also after the loss was read.
    const Tensor read = loss(true);
    read.item();
    const Tensors later = gradients(read, w);
    for (size_t i = 0; i < w.size(); ++i) expect_same(later[i], expected[i], kClose);
  });
}

TEST(Checkpoint, HigherDerivativesAndNesting) {
  in_both_modes([] {
    const auto inner = [](const Tensors& in) {
      return checkpoint([](const Tensors& x) { return softmax(sin(x[0]) * x[1]); }, in);
    };
    const auto outer = [&](const Tensors& in) {
      return checkpoint([&](const Tensors& x) { return square(inner({exp(x[0]), x[1]})); }, in);
    };
    const Tensors in{numbers({2, 3}), numbers({3}, 1)};
    EXPECT_EQ(gradcheck(outer, in), "");
    EXPECT_EQ(gradgradcheck(outer, in), "");
    const auto mapped = [&](const Tensors& x) { return vmap(outer, {0, -1})(x); };
    expect_same(mapped(in), looped(outer, in, {0, -1}), kClose);
    EXPECT_EQ(gradcheck(mapped, in), "");
    const auto of_mapped = [&](const Tensors& x) { return checkpoint(mapped, x); };
    EXPECT_EQ(gradcheck(of_mapped, in), "");
    EXPECT_EQ(gradgradcheck(of_mapped, in), "");
  });
}

TEST(Checkpoint, OfTrivialFunctions) {
  const Tensor w = trainable(tensor(3.0));
  const auto same = [](const Tensors& in) { return in[0]; };
  expect_values(gradients(square(checkpoint(same, {w})), {w})[0], {}, {6});
  const auto constant = [](const Tensors&) { return tensor(2.0); };
  EXPECT_FALSE(checkpoint(constant, {w}).requires_grad());
  const auto cut = [](const Tensors& in) { return stop_gradient(in[0]) * in[0]; };
  expect_values(gradients(checkpoint(cut, {w}), {w})[0], {}, {3});
}

TEST(Checkpoint, KeepsLessMemory) {
  const Eager off(false);
  const auto peak = [](bool checkpointed) {
    const Tensor w = trainable(full({512, 512}, 0.01));
    Tensor h = w;
    for (int block = 0; block < 6; ++block) {
      const TensorFunction f = [](const Tensors& in) {
        Tensor t = in[0];
        for (int i = 0; i < 6; ++i) t = tanh(cumsum(t, 1) * 0.01);
        return t;
      };
      h = checkpointed ? checkpoint(f, {h}) : f({h});
    }
    const Tensor g = gradients(sum(h), {w})[0];
    h = Tensor();
    const int64_t before = memory_stats().in_use;
    trim();
    eval(g);
    return std::make_pair(memory_stats().peak - before, g);
  };
  const auto [less, g1] = peak(true);
  const auto [more, g2] = peak(false);  // the peak only rises
  expect_same(g1, g2, 1e-6);
  EXPECT_LT(less, more * 6 / 10);
}

TEST(CustomFunction, UsesItsRule) {
  in_both_modes([] {
    const auto reversed = custom_function(
        [](const Tensors& in) { return in[0]; },
        [](const Tensors&, const Tensor&, const Tensor& g) { return Tensors{-2 * g}; });
    const Tensor w = trainable(tensor<double>({1, 2}));
    expect_values(gradients(sum(square(reversed({w * 3}))), {w})[0], {2}, {-36, -72});
    EXPECT_FALSE(reversed({tensor(1.0)}).requires_grad());
    // An undefined gradient is none; the rule sees the output.
    const auto f = custom_function([](const Tensors& in) { return exp(in[0]) * in[1]; },
                                   [](const Tensors&, const Tensor& out, const Tensor& g) {
                                     return Tensors{g * out, {}};
                                   });
    const Tensor v = trainable(tensor(3.0));
    const Tensors grads = gradients(sum(f({w, v})), {w, v});
    expect_values(grads[0], {2}, {3 * std::exp(1.0), 3 * std::exp(2.0)}, kClose);
    expect_values(grads[1], {}, {0});
    EXPECT_EQ(gradgradcheck(
                  [&](const Tensors& in) {
                    return f({in[0], stop_gradient(in[0])});
                  },
                  {tensor<double>({1, 2})}) != "",
              true);  // the rule ignores the second input
    const auto wrong =
        custom_function([](const Tensors& in) { return in[0] * in[1]; },
                        [](const Tensors&, const Tensor&, const Tensor& g) { return Tensors{g}; });
    EXPECT_NE(message_of<Error>([&] {
                gradients(sum(wrong({w, v})), {w});
              }).find("1 gradients for 2 inputs"),
              std::string::npos);
  });
}

}  // namespace
}  // namespace glia::test
