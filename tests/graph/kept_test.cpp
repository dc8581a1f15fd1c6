// What plans keep from run to run of a value (packed weights, scales made of statistics) against
// every way in which the value may change in between.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include "core/op.h"
#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/nn.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/runtime.h"
#include "runtime/backend.h"
#include "tests/support/macro_cases.h"
#include "tests/support/values.h"

namespace glia {
namespace {

using Values = std::vector<double>;

// Computed, in f32.
Tensor numbers(const Shape& shape, double phase = 0) {
  return from_vector(test::numbers(shape, phase).to_vector<float>(), shape);
}

// A place on which a result depends through something that a plan may keep.
struct KeptCase {
  std::string what;
  std::string
      op;       // that has an Op::keeps; empty: steps of a plan that are the same from run to run
  Shape shape;  // of the place
  std::function<Tensor(const Tensor& place)> result;
};

Conv2dOptions with_stride(int64_t h, int64_t w, int64_t padding = 0) {
  return {.stride = {h, w}, .padding = {padding, padding}};
}

std::vector<KeptCase> kept_cases() {
  const auto conv = [](std::string what, Shape x, Shape w, Conv2dOptions options) {
    return KeptCase{std::move(what), "conv2d", w, [x, options](const Tensor& place) {
                      return conv2d(numbers(x), place, {}, options);
                    }};
  };
  std::vector<KeptCase> cases{
      conv("3x3", {1, 6, 6, 16}, {32, 3, 3, 16}, with_stride(1, 1, 1)),
      conv("3x3 at stride 2", {1, 8, 8, 16}, {16, 3, 3, 16}, with_stride(2, 2, 1)),
      conv("1xk at a stride", {1, 1, 64, 8}, {16, 1, 5, 8}, with_stride(1, 2)),
      conv("LeNet's second", {1, 14, 14, 6}, {16, 5, 5, 6}, {}),
      conv("DQN's first", {1, 20, 20, 4}, {32, 8, 8, 4}, with_stride(4, 4)),
      conv("1x1", {1, 4, 4, 16}, {16, 1, 1, 16}, {}),
      conv("depthwise", {1, 6, 6, 16}, {16, 3, 3, 1}, {.padding = {1, 1}, .groups = 16}),
  };
  cases.push_back({"with bias and relu", "conv2d", {32, 3, 3, 16}, [](const Tensor& w) {
                     return relu(conv2d(numbers({1, 6, 6, 16}), w, numbers({32}, 1)));
                   }});
  cases.push_back({"batch norm's scale", "", {16}, [](const Tensor& p) {
                     const Tensor x = numbers({2, 4, 4, 16});
                     return (x - numbers({16}, 1)) * rsqrt(square(p) + 1e-5) + p;
                   }});
  cases.push_back({"weight norm", "", {8, 24}, [](const Tensor& v) {
                     const Tensor w = v * rsqrt(sum(square(v), {1}, true));
                     return linear(numbers({3, 24}), w);
                   }});
  cases.push_back({"softplus scale", "", {64}, [](const Tensor& s) {
                     return sum(numbers({32, 64}) * softplus(s), {1});
                   }});
  cases.push_back({"mask", "", {16}, [](const Tensor& p) {
                     return matmul(numbers({4, 16}), numbers({16, 16}) * cast(p > 0, kF32));
                   }});
  return cases;
}

// Each input of every macro op whose numbers may be any, which its kernel, if it has one, reads.
std::vector<KeptCase> macro_cases() {
  std::vector<KeptCase> out;
  for (const test::MacroCase& c : test::macro_cases()) {
    int at = -1;
    for (const test::MacroInput& in : c.inputs) {
      at += in.given;
      if (!in.given || !in.values.empty() || in.shift != 0 || in.shape.rank() == 0 ||
          in.shape[0] < 2)
        continue;
      out.push_back({c.op + " " + c.what + ", input " + std::to_string(at), c.op, in.shape,
                     [c, at](const Tensor& place) {
                       std::vector<Tensor> all = test::given(c, kF32), flat;
                       all[static_cast<size_t>(at)] = place;
                       for (const Tensor& r : test::record_case(c, all).results)
                         flat.push_back(reshape(r, {-1}));
                       return concat(flat);
                     }});
    }
  }
  return out;
}

// The result from the place's values alone, as eager mode has it.
Values expected(const KeptCase& c, const Tensor& place) {
  const NoGrad off;
  const bool before = eager();
  const Tensor fresh = from_vector(place.to_vector<float>(), place.shape());
  set_eager(true);
  const Values out = c.result(fresh).to_vector<double>();
  set_eager(before);
  return out;
}

void expect_near(const Values& found, const Values& right, const std::string& what) {
  ASSERT_EQ(found.size(), right.size()) << what;
  for (size_t i = 0; i < right.size(); ++i) {
    ASSERT_LE(std::abs(found[i] - right[i]), 2e-5 * (1 + std::abs(right[i])))
        << what << ", element " << i;
  }
}

// Reads the result often enough that all that can be kept is.
void read(const KeptCase& c, const Tensor& place, const std::string& what) {
  const Values right = expected(c, place);
  for (int i = 0; i < 3; ++i) {
    Values found;
    {
      const NoGrad off;
      found = c.result(place).to_vector<double>();
    }
    expect_near(found, right, c.what + " after " + what);
  }
}

// A module with one parameter.
struct Place : nn::Module {
  Parameter value;
  GLIA_FIELDS(value)
};

ParameterList list_of(const Variable& v) {
  ParameterList list;
  list.push_back(v);
  return list;
}

// Changes the place's value, once for each `phase`.
using Change = std::function<void(Place& p, double phase)>;
struct NamedChange {
  std::string what;
  Change change;
};

template <class Optimizer>
Change step(bool computed) {
  return [computed, optimizer = std::shared_ptr<Optimizer>(), known = (const void*)nullptr](
             Place& p, double phase) mutable {
    if (known != &p) optimizer = std::make_shared<Optimizer>(list_of(p.value));
    known = &p;
    optimizer->set_lr(0.2);
    std::vector<Tensor> g{numbers(p.value.shape(), phase)};
    if (!computed) g[0] = g[0] * 2 + sin(stop_gradient(p.value));
    optimizer->step(std::move(g));
  };
}

std::vector<NamedChange> changes() {
  return {
      {"nothing", [](Place&, double) {}},
      {"a step on computed gradients", step<optim::SGD>(true)},
      {"a step of Adam on computed gradients", step<optim::Adam>(true)},
      {"a step", step<optim::SGD>(false)},
      {"another thread's step",
       [](Place& p, double phase) {
         std::thread([&] { step<optim::SGD>(true)(p, phase); }).join();
       }},
      {"set", [](Place& p, double phase) { p.value.set(numbers(p.value.shape(), phase)); }},
      {"set to a change of itself",
       [](Place& p, double phase) { p.value.set(p.value * (0.9 + 0.05 * phase)); }},
      {"the same, evaluated",
       [](Place& p, double phase) {
         p.value.set(p.value * (0.9 + 0.05 * phase));
         eval_variables();
       }},
      {"assignment", [](Place& p, double phase) { p.value = numbers(p.value.shape(), phase); }},
      {"replace", [](Place& p, double phase) { p.value.replace(numbers(p.value.shape(), phase)); }},
      {"load_state_dict",
       [](Place& p, double phase) {
         p.load_state_dict({{"value", numbers(p.value.shape(), phase)}});
       }},
      {"slice_scatter",
       [](Place& p, double phase) {
         Shape part = p.value.shape();
         part[0] = 1;
         p.value.set(slice_scatter(stop_gradient(p.value), numbers(part, phase), 0, 1));
         eval_variables();
       }},
      {"freezing and a new value",
       [](Place& p, double phase) {
         p.value.set_trainable(false);
         p.value.set(p.value + 0.1 * phase);
         p.value.set_trainable(true);
       }},
      {"memory that is freed and taken again",
       [](Place& p, double phase) {
         const Shape shape = p.value.shape();
         p.value.replace(zeros({1}));  // the old value is gone
         p.value.replace(numbers(shape, phase));
       }},
      {"mapped weights",
       [](Place& p, double phase) {
         const auto path = std::filesystem::temp_directory_path() /
                           ("glia_kept_" + std::to_string(getpid()) + ".safetensors");
         io::write_safetensors(path.string(), {{"value", numbers(p.value.shape(), phase)}});
         for (auto& [name, value] : io::read_safetensors(path.string())) p.value.set(value);
         std::filesystem::remove(path);
       }},
  };
}

TEST(Kept, EveryOpThatKeepsSomethingHasACase) {
  const auto cases = kept_cases();
  for (const Op* op : all_ops()) {
    if (op->keeps < 0) continue;
    EXPECT_TRUE(std::ranges::any_of(cases, [&](const KeptCase& c) { return c.op == op->name; }))
        << op->name;
  }
}

// Each change after each other one.
TEST(Kept, NothingOutlivesTheValueThatItWasMadeOf) {
  for (const KeptCase& c : kept_cases()) {
    double phase = 1;
    for (size_t second = 0; second < changes().size() && !HasFailure(); ++second) {
      Place p;
      p.value = numbers(c.shape, phase);
      const std::vector<NamedChange> all = changes();
      read(c, p.value, "the start");
      for (const NamedChange& change : all) {
        change.change(p, ++phase / 16);
        read(c, p.value, change.what);
        all[second].change(p, ++phase / 16);
        read(c, p.value, change.what + ", " + all[second].what);
      }
    }
  }
}

TEST(Kept, MacroOpsSeeEveryChange) {
  std::set<std::string> met;
  for (const KeptCase& c : macro_cases()) {
    met.insert(c.op);
    Place p;
    double phase = 1;
    p.value = numbers(c.shape, phase);
    read(c, p.value, "the start");
    for (const NamedChange& change : changes()) {
      change.change(p, ++phase / 16);
      read(c, p.value, change.what);
      if (HasFailure()) return;
    }
  }
  for (const Op* op : all_ops()) {
    if (op->kind == Kind::kMacro && find_kernel(*op, kF32)) {
      EXPECT_TRUE(met.contains(op->name)) << op->name;
    }
  }
}

// Read by its owner's changes: such memory is never taken for unchanged.
TEST(Kept, ExternalMemoryThatItsOwnerWritesTo) {
  for (const KeptCase& c : kept_cases()) {
    std::vector<float> mine = numbers(c.shape, 1).to_vector<float>();
    const Tensor view = from_external(mine.data(), c.shape, kF32, nullptr);
    Place p;
    p.value = view;
    for (int round = 0; round < 3; ++round) {
      read(c, view, "a write");
      read(c, p.value, "a write behind a parameter");
      const auto next = numbers(c.shape, 2 + round).to_vector<float>();
      std::memcpy(mine.data(), next.data(), next.size() * sizeof(float));
    }
  }
}

// Gradients of several batches are summed by eval(), then one step is taken.
TEST(Kept, AStepAfterAccumulationIsSeenByInference) {
  nn::Conv2d conv(6, 16, {.kernel = 5});
  nn::BatchNorm2d norm(16);
  norm.eval();
  ParameterList list = conv.parameters();
  for (const Variable& v : norm.parameters()) list.push_back(v);
  optim::SGD optimizer(list, {.lr = 0.5});
  const Tensor one = numbers({1, 14, 14, 6});
  const auto infer = [&](nn::Conv2d& c, nn::BatchNorm2d& n) {
    const NoGrad off;
    return n(c(one)).to_vector<double>();
  };
  for (int step = 0; step < 4; ++step) {
    for (int i = 0; i < 3; ++i) infer(conv, norm);
    std::vector<Tensor> total(list.size());
    for (int batch = 0; batch < 2; ++batch) {
      const Tensor x = numbers({4, 14, 14, 6}, step * 2 + batch);
      const std::vector<Tensor> g = gradients(mean(square(norm(conv(x)))), list);
      const NoGrad off;
      for (size_t i = 0; i < g.size(); ++i)
        total[i] = batch ? total[i] + g[i] : stop_gradient(g[i]);
      eval(total);
    }
    optimizer.step(std::move(total));
    const Values found = infer(conv, norm);
    nn::Conv2d conv_now = conv;
    nn::BatchNorm2d norm_now = norm;
    set_eager(true);
    const Values right = infer(conv_now, norm_now);
    set_eager(false);
    expect_near(found, right, "step " + std::to_string(step));
  }
}

}  // namespace
}  // namespace glia
