// State that changes behind a graph's back: variables that are set between forward and backward
// pass, views, losses that have been read, and messages about what is not there.
#include <gtest/gtest.h>

#include "core/node.h"
#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using test::message_of;
using Values = std::vector<double>;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != text.npos;
}

ParameterList list_of(std::initializer_list<const Variable*> variables) {
  ParameterList list;
  for (const Variable* v : variables) list.push_back(*v);
  return list;
}

// ---- A variable that is set between forward and backward pass ----

TEST(State, AVariableSetSinceTheLossWasMadeHasNoGradientSilently) {
  const auto check = [](const std::string& what, auto&& change, bool read) {
    Parameter w = tensor({1.0, 2.0}), b = tensor({0.5, 0.5});
    const Tensor loss = sum(square(w) + b);
    if (read) loss.item();
    change(w);
    for (const ParameterList& by : {list_of({&w}), list_of({&b, &w})}) {
      const std::string said = message_of<Error>([&] { gradients(loss, by); });
      EXPECT_TRUE(contains(said, "gradients: a variable (2,)") && contains(said, "state_test.cpp"))
          << what << ": " << said;
    }
    // What has not changed still has its gradient, and so has the value that was used.
    EXPECT_EQ(gradients(loss, list_of({&b}))[0].to_vector<double>(), (Values{1, 1})) << what;
  };
  for (const bool read : {false, true}) {
    check(
        "set",
        [](Parameter& w) {
          w.set(tensor({3.0, 4.0}));
        },
        read);
    check(
        "assignment",
        [](Parameter& w) {
          w = tensor({3.0, 4.0});
        },
        read);
    check(
        "replace",
        [](Parameter& w) {
          w.replace(tensor({3.0, 4.0, 5.0}));
          w.replace(ones({2}));
        },
        read);
    check(
        "set twice",
        [](Parameter& w) {
          w.set(w * 2);
          w.set(w * 2);
        },
        read);
    check(
        "frozen and thawed",
        [](Parameter& w) {
          w.set_trainable(false);
          w.set_trainable(true);
        },
        read);
    check(
        "a copy assigned",
        [](Parameter& w) {
          const Parameter other = w * 3;
          w = other;
        },
        read);
  }
}

TEST(State, ALossOfBothValuesOfAVariableIsNoneOfEither) {
  Parameter w = tensor({1.0, 2.0});
  Tensor loss = sum(w * w);
  w.set(tensor({5.0, 6.0}));
  loss = loss + sum(w * 3);
  EXPECT_TRUE(contains(message_of<Error>([&] { gradients(loss, list_of({&w})); }), "has another"));
}

TEST(State, TheValueThatWasUsedHasItsGradient) {
  Parameter w = tensor({1.0, 2.0});
  const Tensor used = w.tensor();
  const Tensor loss = sum(used * used);
  w.set(tensor({5.0, 6.0}));
  EXPECT_EQ(gradients(loss, {used})[0].to_vector<double>(), (Values{2, 4}));
  // A copy is another place.
  const Parameter copy = w;
  const Tensor of_copy = sum(copy * copy);
  w.set(tensor({0.0, 0.0}));
  EXPECT_EQ(gradients(of_copy, list_of({&copy}))[0].to_vector<double>(), (Values{10, 12}));
  EXPECT_EQ(gradients(of_copy, list_of({&w}))[0].to_vector<double>(), (Values{0, 0}));
}

// Two losses of one pass, and a step on the first between them.
TEST(State, AStepBetweenTwoLossesIsSaidForWhatItChanged) {
  for (const bool read : {false, true}) {
    Parameter a = tensor({1.0}), b = tensor({2.0});
    optim::SGD of_a(list_of({&a}), {.lr = 0.1});
    const Tensor first = sum(a * b), second = sum(a * b * b);
    if (read) eval({first, second});
    of_a.step(gradients(first, list_of({&a})));
    EXPECT_EQ(gradients(second, list_of({&b}))[0].item(), 4);
    EXPECT_TRUE(contains(message_of<Error>([&] {
                           gradients(second, list_of({&a, &b}));
                         }),
                         "gradients: "));
  }
}

// ---- Tensors on which a loss cannot depend ----

TEST(State, AViewThatTheLossWasNotMadeFromIsNoSilentZero) {
  Parameter w = tensor({1.0, 2.0, 3.0, 4.0}), unused = tensor({1.0});
  const Tensor loss = sum(square(w));
  const auto said = [&](const Tensor& by) {
    return message_of<Error>([&] { gradients(loss, {w, by}); });
  };
  EXPECT_TRUE(contains(said(reshape(w, {2, 2})), "tensor 1 (2, 2) (reshape)"));
  EXPECT_TRUE(contains(said(slice(w, 0, {0, 2})), "(slice)"));
  EXPECT_TRUE(contains(said(w * 1), "(mul)"));
  const Tensor read = w * 2;
  read.to_vector<double>();
  EXPECT_TRUE(contains(said(read), "was not made from"));
  EXPECT_TRUE(contains(said(read), "state_test.cpp"));
  // Unused parameters and trainable tensors have none, and what was used has its own.
  const auto grads = gradients(loss, {w, unused, trainable(ones({3}))});
  EXPECT_EQ(grads[1].to_vector<double>(), Values{0});
  EXPECT_EQ(grads[2].to_vector<double>(), Values(3, 0));
  const Tensor view = reshape(w, {2, 2});
  EXPECT_EQ(gradients(sum(square(view)), {view})[0].to_vector<double>(), (Values{2, 4, 6, 8}));
  // Functions may ignore an input.
  const TensorFunction first = [](const std::vector<Tensor>& x) { return x[0] * 2; };
  EXPECT_EQ(vjp(first, {w * 1, w * 2}, ones({4})).second[1].to_vector<double>(), Values(4, 0));
  EXPECT_EQ(jacobian(first, {sum(w), w * 2})[1].to_vector<double>(), Values(4, 0));
}

// ---- A loss that has been read ----

TEST(State, ReadingALossChangesNoGradient) {
  const auto grads = [](bool read_loss, bool read_middle, bool in_eager) {
    set_eager(in_eager);
    const Tensor h = trainable(tensor({1.0, 2.0})) * 2;  // nobody holds what it is made of
    const Tensor g = exp(h) * 3;
    const Tensor loss = mean(square(g));
    if (read_middle) g.to_vector<double>();
    if (read_loss) loss.item();
    Values out;
    for (const Tensor& d : gradients(loss, {h, g}))
      for (const double x : d.to_vector<double>()) out.push_back(x);
    set_eager(false);
    return out;
  };
  const Values right = grads(false, false, false);
  for (int i = 1; i < 8; ++i) {
    const Values found = grads(i & 1, i & 2, i & 4);
    ASSERT_EQ(found.size(), right.size());
    for (size_t k = 0; k < right.size(); ++k)
      EXPECT_NEAR(found[k], right[k], 1e-12 * std::abs(right[k])) << i;
  }
}

// Held results neither keep old parameters alive after a step nor keep it from running in place.
TEST(State, AHeldIntermediateDoesNotKeepAStepFromReusingMemory) {
  Parameter w = from_vector(std::vector<float>(1 << 16, 0.5f), {1 << 16});
  optim::SGD optimizer(list_of({&w}), {.lr = 0.1});
  for (const bool read : {false, true}) {
    std::vector<const void*> seen;
    for (int i = 0; i < 3; ++i) {
      const Tensor h = w * 2;
      const Tensor loss = mean(square(h));
      if (read) loss.item();
      optimizer.step(gradients(loss, optimizer.parameters()));
      seen.push_back(w.tensor().data<float>().data());
      const Tensor none = h;  // held until here
    }
    if (!read) {
      EXPECT_EQ(seen[0], seen[2]);
    }
  }
}

// ---- Messages ----

TEST(Messages, OfVariablesAndReadsNameTheLine) {
  const Tensor none;
  Parameter w = ones({2});
  Parameter unset;
  const auto said = [](auto&& f) {
    const std::string text = message_of<Error>(f);
    EXPECT_TRUE(contains(text, " at state_test.cpp:")) << text;
    return text;
  };
  EXPECT_TRUE(contains(said([&] { w.set(none); }), "not defined"));
  EXPECT_TRUE(contains(said([&] { w.replace(none); }), "not defined"));
  EXPECT_TRUE(contains(said([&] { w.set(ones({3})); }), "cannot be set to f32 (3,)"));
  // An assignment does not know its line.
  EXPECT_EQ(message_of<Error>([&] { w = none; }),
            "a variable is set to a tensor that is not defined");
  EXPECT_TRUE(contains(said([&] { Parameter made = none; }), "not defined"));
  EXPECT_TRUE(contains(said([&] { unset.tensor(); }), "before it has a value"));
  EXPECT_TRUE(contains(said([&] { unset + 1; }), "before it has a value"));
  EXPECT_TRUE(contains(said([&] { none.item(); }), "item: "));
  EXPECT_TRUE(contains(said([&] { none.to_vector<float>(); }), "to_vector: "));
  EXPECT_TRUE(contains(said([&] { none.data<float>(); }), "data: "));
  EXPECT_TRUE(contains(said([&] { none.shape(); }), "shape: "));
  EXPECT_TRUE(contains(said([&] { ones({2}).item(); }), "item: a tensor of shape (2,)"));
}

TEST(Messages, OfAnOptimizersStepNameItsLine) {
  Parameter w = ones({2});
  optim::SGD optimizer(list_of({&w}), {.lr = 0.1});
  const auto said = [](auto&& f) { return message_of<Error>(f); };
  for (const std::string& text : {said([&] { optimizer.step(std::vector<Tensor>{}); }),
                                  said([&] { optimizer.step({ones({3})}); })}) {
    EXPECT_TRUE(contains(text, "sgd: ") && contains(text, " at state_test.cpp:")) << text;
  }
}

TEST(Messages, OfAReadInsideVmapNameItAndItsLine) {
  const auto f = vmap([](const std::vector<Tensor>& x) { return x[0] * sum(x[0]).item(); });
  const std::string text = message_of<Error>([&] { f({ones({2, 3})}); });
  EXPECT_TRUE(contains(text, "item: vmap: ") && contains(text, " at state_test.cpp:")) << text;
  // What does not depend on the examples may be read.
  const auto g = vmap([](const std::vector<Tensor>& x) { return x[0] * sum(ones({3})).item(); });
  EXPECT_EQ(g({ones({1, 1})}).item(), 3);
}

TEST(Messages, OfMemoryThatRunsOutNameTheOp) {
  const Tensor x = ones({int64_t{1} << 30, int64_t{1} << 20});
  const std::string text = message_of<Error>([&] { eval(exp(x)); });
  EXPECT_TRUE(contains(text, "exp (1073741824, 1048576): out of memory")) << text;
  EXPECT_TRUE(contains(text, " at state_test.cpp:")) << text;
}

// ---- Plans of equal steps ----

// In which order variables are computed is that in which they were set last.
TEST(State, WhatWasSetBeforeChangesNoPlan) {
  const auto built_by_step = [](bool computed_before, int others) {
    const Shape shape{11, 7};
    Parameter w = randn(shape), b = randn(shape);
    Buffer total = zeros(shape);
    optim::SGD opt(list_of({&w, &b}), {.lr = 0.1});
    if (computed_before) eval({w.tensor(), b.tensor(), total.tensor()});
    for (int i = 0; i < others; ++i) Buffer other = randn({2});
    if (!computed_before) eval_variables();
    const int64_t before = graph_stats().plans_built;
    total.set(total + w);
    opt.step(gradients(sum(square(w) * b), list_of({&w, &b})));
    return graph_stats().plans_built - before;
  };
  EXPECT_EQ(built_by_step(false, 0), 1);
  EXPECT_EQ(built_by_step(true, 0), 0);
  EXPECT_EQ(built_by_step(true, 200), 0);
}

}  // namespace
}  // namespace glia
