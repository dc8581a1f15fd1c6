// Tests generated for every macro op: its kernel against its composition, its gradient rule against
// the gradient of the composition, and what transforms, eager mode and plans make of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "glia/autodiff.h"
#include "glia/runtime.h"
#include "graph/plan.h"
#include "runtime/backend.h"
#include "tests/support/macro_cases.h"

namespace glia::test {
namespace {

class Compositions {
 public:
  Compositions() { force_compositions(true); }
  ~Compositions() { force_compositions(false); }
};
class Eager {
 public:
  Eager() : before_(eager()) { set_eager(true); }
  ~Eager() { set_eager(before_); }

 private:
  const bool before_;
};

const std::vector<MacroCase>& cases() {
  static const std::vector<MacroCase> all = macro_cases();
  return all;
}

// The same by the operations that it stands for.
std::vector<Tensor> composed_case(const MacroCase& c, const std::vector<Tensor>& in) {
  const Recorded r = record_case(c, in);
  std::vector<Tensor> results = compose(*r.node.node(), with_absent(c, in)), out;
  for (size_t i = 0; i < results.size(); ++i) {
    if (c.weighted >> i & 1 && results[i].defined()) out.push_back(results[i]);
  }
  return out;
}

using Results = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;
Results op_of(const MacroCase& c) {
  return [&c](const std::vector<Tensor>& in) { return record_case(c, in).results; };
}
Results composition_of(const MacroCase& c) {
  return [&c](const std::vector<Tensor>& in) { return composed_case(c, in); };
}

// A sum in which every element of every result counts differently.
Tensor weighted(const std::vector<Tensor>& results) {
  Tensor total;
  double phase = 20;
  for (const Tensor& y : results) {
    const Tensor part = sum(y * cast(numbers(y.shape(), ++phase), y.dtype()));
    total = total.defined() ? total + part : part;
  }
  return total;
}

void expect_close(const std::vector<Tensor>& got, const std::vector<Tensor>& want,
                  double tolerance) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].shape().str(), want[i].shape().str());
    if (want[i].numel() == 0) continue;
    const Tensor w = cast(want[i], kF64);
    const double scale = std::max(1.0, max(abs(w)).item());
    EXPECT_LE(max(abs(cast(got[i], kF64) - w)).item(), tolerance * scale) << "result " << i;
  }
}

// Gradients of the weighted sum by all that is differentiable; with `second`, those of a weighted
// sum of these.
std::vector<Tensor> gradients_at(const MacroCase& c, const Results& f, DType dtype, bool second) {
  std::vector<Tensor> in = given(c, dtype), by;
  for (int i : differentiable(c)) by.push_back(in[i] = trainable(in[i]));
  std::vector<Tensor> g = gradients(weighted(f(in)), by);
  if (second) g = gradients(weighted(g), by);
  eval(g);
  return g;
}

class Macro : public testing::TestWithParam<const MacroCase*> {
 protected:
  const MacroCase& c() const { return *GetParam(); }
};

TEST_P(Macro, KernelIsTheComposition) {
  const std::vector<Tensor> in = given(c(), kF32);
  const std::vector<Tensor> got = record_case(c(), in).results;
  eval(got);
  std::vector<Tensor> want = record_case(c(), given(c(), kF64)).results;
  eval(want);
  expect_close(got, want, c().tolerance);
  const Compositions forced;
  want = record_case(c(), in).results;
  eval(want);
  expect_close(got, want, c().tolerance);
}

TEST_P(Macro, RuleIsTheGradientOfTheComposition) {
  const auto want = gradients_at(c(), composition_of(c()), kF64, false);
  expect_close(gradients_at(c(), op_of(c()), kF64, false), want, 1e-9);
  expect_close(gradients_at(c(), op_of(c()), kF32, false), want, 10 * c().tolerance);
  const Compositions forced;
  expect_close(gradients_at(c(), op_of(c()), kF32, false), want, 10 * c().tolerance);
}

TEST_P(Macro, SecondDerivativeIsThatOfTheComposition) {
  if (!c().smooth) GTEST_SKIP() << "has none";
  const auto want = gradients_at(c(), composition_of(c()), kF64, true);
  expect_close(gradients_at(c(), op_of(c()), kF64, true), want, 1e-8);
  expect_close(gradients_at(c(), op_of(c()), kF32, true), want, 100 * c().tolerance);
}

TEST_P(Macro, ForwardModeIsByDifferences) {
  std::vector<Tensor> in = given(c(), kF64), by, along;
  for (int i : differentiable(c())) {
    by.push_back(in[i]);
    along.push_back(numbers(in[i].shape(), 50 + i));
  }
  const TensorFunction f = [&](const std::vector<Tensor>& at) {
    std::vector<Tensor> all = in;
    for (size_t k = 0; k < at.size(); ++k) all[differentiable(c())[k]] = at[k];
    return weighted(record_case(c(), all).results);
  };
  const double got = jvp(f, by, along).second.item();
  const auto at = [&](double step) {
    std::vector<Tensor> moved;
    for (size_t k = 0; k < by.size(); ++k) moved.push_back(by[k] + along[k] * step);
    return f(moved).item();
  };
  constexpr double kStep = 1e-6;
  const double want = (at(kStep) - at(-kStep)) / (2 * kStep);
  EXPECT_NEAR(got, want, 1e-6 * std::max(1.0, std::abs(want)));
}

// Every input of all examples, and each in turn shared by them.
TEST_P(Macro, VmapIsALoop) {
  for (DType dtype : {kF32, kF64}) {
    const std::vector<Tensor> one = given(c(), dtype), two = given(c(), dtype, 0.37);
    const auto of_example = [&](const std::vector<Tensor>& in) {
      std::vector<Tensor> at = in, by;
      for (int i : differentiable(c())) by.push_back(at[i] = trainable(at[i]));
      const Tensor y = weighted(record_case(c(), at).results);
      std::vector<Tensor> all{reshape(y, {1})};
      for (const Tensor& g : gradients(y, by)) all.push_back(reshape(g, {-1}));
      return concat(all);
    };
    const int inputs = static_cast<int>(one.size());
    for (int shared = -1; shared < (inputs > 1 ? inputs : 0); ++shared) {
      std::vector<Tensor> batch, other;
      std::vector<int> axes;
      for (int i = 0; i < inputs; ++i) {
        // Numbers of an operation are of all examples.
        const bool is_shared = i == shared || one[i].rank() == 0 || (c().shared >> i & 1);
        axes.push_back(is_shared ? -1 : 0);
        other.push_back(is_shared ? one[i] : two[i]);
        batch.push_back(is_shared ? one[i] : stack({one[i], two[i]}));
      }
      if (std::ranges::count(axes, 0) == 0) continue;
      const Tensor got = vmap(of_example, axes)(batch);
      const Tensor want = stack({of_example(one), of_example(other)});
      SCOPED_TRACE("shared " + std::to_string(shared));
      expect_close({got}, {want}, dtype == kF64 ? 1e-9 : 10 * c().tolerance);
    }
  }
}

TEST_P(Macro, EagerIsLazy) {
  const auto all = [&] {
    std::vector<Tensor> in = given(c(), kF64), by;
    for (int i : differentiable(c())) by.push_back(in[i] = trainable(in[i]));
    std::vector<Tensor> out = record_case(c(), in).results;
    const std::vector<Tensor> g = gradients(weighted(out), by);
    out.insert(out.end(), g.begin(), g.end());
    eval(out);
    return out;
  };
  const std::vector<Tensor> lazy = all();
  const Eager on;
  expect_close(all(), lazy, 1e-11);
}

// Also where a value is read before its gradient is asked for, and when that comes again.
TEST_P(Macro, MayBeReadBeforeItsGradient) {
  const auto want = gradients_at(c(), op_of(c()), kF64, false);
  for (int i = 0; i < 3; ++i) {
    std::vector<Tensor> in = given(c(), kF64), by;
    for (int k : differentiable(c())) by.push_back(in[k] = trainable(in[k]));
    const Tensor y = weighted(record_case(c(), in).results);
    y.item();
    expect_close(gradients(y, by), want, 1e-11);
  }
}

TEST_P(Macro, IsOneNodeAndOnePlan) {
  if (eager()) GTEST_SKIP() << "nothing is pending in eager mode";
  const std::vector<Tensor> in = given(c(), kF32), other = given(c(), kF32, 0.21);
  eval(record_case(c(), in).results);
  const int64_t plans = graph_stats().plans_built, nodes = graph_stats().nodes_live;
  {
    const Recorded r = record_case(c(), in);
    EXPECT_LE(graph_stats().nodes_live, nodes + 1 + (find_op(c().op)->outputs > 1 ? 4 : 0));
  }
  eval(record_case(c(), in).results);
  eval(record_case(c(), other).results);
  EXPECT_EQ(graph_stats().plans_built, plans);
}

std::vector<const MacroCase*> pointers() {
  std::vector<const MacroCase*> out;
  for (const MacroCase& c : cases()) out.push_back(&c);
  return out;
}
INSTANTIATE_TEST_SUITE_P(All, Macro, testing::ValuesIn(pointers()), [](const auto& info) {
  return info.param->op + "_" + std::to_string(info.index);
});

TEST(MacroOps, HaveCases) {
  std::set<std::string> known;
  for (const MacroCase& c : cases()) known.insert(c.op);
  for (const Op* op : all_ops())
    EXPECT_EQ(op->kind == Kind::kMacro, known.contains(op->name)) << op->name;
}

}  // namespace
}  // namespace glia::test
