// discounted_sum(x, discount): y[t] = x[t] + discount * y[t + 1] along the last axis, which of
// rewards makes returns (Sutton and Barto 2018, 3.3). An operation with a kernel of its own, its
// gradient, its rule for vmap and its tests.
#include <cmath>
#include <cstdio>
#include <string>

#include "glia/glia.h"
#include "glia/op.h"
using namespace glia;

namespace {

struct DiscountAttributes {
  double discount = 1;
  bool reversed = false;  // from the front: y[t] = x[t] + discount * y[t - 1]
  GLIA_ATTRIBUTES(discount, reversed)
};

template <class T>
void sum_rows(const KernelCall& call) {
  const auto [discount, reversed] = call.attributes<DiscountAttributes>();
  const Shape& shape = call.in[0].layout.shape;
  const int64_t length = shape[shape.rank() - 1], rows = length ? call.in[0].numel() / length : 0;
  const T* const x = call.in[0].as<const T>();
  T* const y = call.out[0].as<T>();
  parallel_for(rows, [&, by = static_cast<T>(discount), back = !reversed](int64_t row) {
    T sum = 0;
    for (int64_t i = 0; i < length; ++i) {
      const int64_t at = row * length + (back ? length - 1 - i : i);
      y[at] = sum = x[at] + by * sum;
    }
  });
}
void run_discounted(const KernelCall& call) {
  call.out[0].dtype == kF64 ? sum_rows<double>(call) : sum_rows<float>(call);
}

// Two operations on each element, for profiles.
Work work_of_discounted(const KernelCall& call) {
  Work work = traffic(call);
  work.flops = 2.0 * static_cast<double>(call.out[0].numel());
  return work;
}

Tensor record_discounted(const Tensor& x, const DiscountAttributes& attributes, const Where& where);

// The transposed sum, which runs the other way.
void vjp_discounted(Vjp& v) {
  const auto [discount, reversed] = v.attributes<DiscountAttributes>();
  v.set(0, record_discounted(v.g(), {discount, !reversed}, v.where()));
}

// Axes in front of the last are rows already.
Tensor batch_discounted(const Recorded& one, std::span<const Tensor> inputs, std::span<const bool>,
                        int64_t) {
  return record_discounted(inputs[0], one.attributes<DiscountAttributes>(), one.where());
}

const Op kDiscounted{.name = "discounted_sum",
                     .kind = Kind::kKernel,
                     .attributes = kAttributeFields<DiscountAttributes>,
                     .vjp = vjp_discounted,
                     .run = run_discounted,
                     .overwrites = first_over_first,
                     .batch = batch_discounted,
                     .work = work_of_discounted};
const RegisterOp registered(kDiscounted);

Tensor record_discounted(const Tensor& x, const DiscountAttributes& attributes,
                         const Where& where) {
  return record(kDiscounted, {x.node()}, x.shape(), x.dtype(), attributes, where);
}

// What users call: it checks what it is given. 16-bit floats are summed in f32, integers too.
Tensor discounted_sum(const Tensor& x, double discount, Where where = Where::current()) {
  require_defined("discounted_sum", x, where);
  if (x.rank() == 0) fail("discounted_sum", "x has no axis", where);
  const Tensor in = x.dtype() == kF64 ? x : cast({x, where}, kF32);
  const Tensor y = record_discounted(in, {.discount = discount}, where);
  return x.dtype() == kF16 || x.dtype() == kBF16 ? cast({y, where}, x.dtype()) : y;
}

// ---- Tests ----

// The same by a product with discount^(s - t) for s >= t.
Tensor composed(const Tensor& x, double discount) {
  const Tensor t = arange(x.size(-1), x.dtype()), apart = unsqueeze(t, 1) - t;
  return matmul(x, where(apart >= 0, pow(full({}, discount, x.dtype()), apart), 0));
}

int failures = 0;
void expect(bool ok, const char* what) {
  if (ok) return;
  std::printf("failed: %s\n", what);
  ++failures;
}
double largest_difference(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

void check_values() {
  for (DType dtype : {kF32, kF64}) {
    const Tensor x = randn({5, 3, 40}, dtype);
    expect(largest_difference(discounted_sum(x, 0.9), composed(x, 0.9)) < 1e-4, "values");
    // In a plan with what surrounds it, over a permuted view, and as the operand of a gradient.
    const Tensor w = trainable(randn({3, 40}, dtype));
    const auto loss = [&](auto&& f) { return sum(square(f(permute(x * w, {1, 0, 2})))); };
    const Tensor own = loss([](const Tensor& t) { return discounted_sum(t, 0.9); });
    const Tensor other = loss([](const Tensor& t) { return composed(t, 0.9); });
    const Tensor g = gradients(own, {w})[0], h = gradients(other, {w})[0];
    expect(largest_difference(g, h) < 1e-3 * max(abs(h)).item(), "gradient in a plan");
  }
  expect(discounted_sum(zeros({3, 0}), 0.5).shape() == Shape{3, 0}, "no elements");
  expect(discounted_sum(ones({4}, kI32), 1).to_vector<int>() == std::vector<int>({4, 3, 2, 1}),
         "integers");
  const Autocast bf16(kBF16);
  expect(discounted_sum(ones({4}), 1).dtype() == kF32, "autocast leaves it in f32");
}

void check_derivatives() {
  const auto f = [](const std::vector<Tensor>& in) {
    return sin(discounted_sum(square(in[0]), 0.7));
  };
  const Tensor x = randn({2, 6}, kF64), v = randn({2, 6}, kF64);
  expect(gradcheck(f, {x}).empty(), "gradient against differences");
  expect(gradgradcheck(f, {x}).empty(), "second derivative");
  const auto g = [](const std::vector<Tensor>& in) { return sin(composed(square(in[0]), 0.7)); };
  expect(largest_difference(jvp(f, {x}, {v}).second, jvp(g, {x}, {v}).second) < 1e-9, "jvp");
  const Tensor rows =
      vmap([](const std::vector<Tensor>& in) { return discounted_sum(in[0], 0.7); })({x});
  expect(largest_difference(rows, discounted_sum(x, 0.7)) == 0, "vmap");
  expect(largest_difference(jacobian(f, {x})[0], jacobian(g, {x})[0]) < 1e-9, "jacobian");
}

void check_machine() {
  const Tensor x = randn({1000, 100});
  const auto value = [&] { return discounted_sum(x * 2, 0.9).to_vector<float>(); };
  const int threads = num_threads();
  set_num_threads(1);
  const std::vector<float> alone = value();
  for (int n : {2, 4}) {
    set_num_threads(n);
    expect(value() == alone, "any number of threads gives the same bits");
  }
  set_num_threads(threads);

  const auto plans = [&](double discount) {
    const int64_t before = graph_stats().plans_built;
    eval({discounted_sum(x, discount)});
    return graph_stats().plans_built - before;
  };
  plans(0.25);
  expect(plans(0.25) == 0 && plans(0.5) == 1, "attributes are part of a plan's key");

  profile_start({.gb_per_s = 1, .gflop_per_s = 1, .bf16_gflop_per_s = 1});
  eval({discounted_sum(x, 0.25)});
  const Profile profile = profile_stop();
  expect(profile.rows.size() == 1 && profile.rows[0].ops == "discounted_sum" &&
             profile.rows[0].flops == 2e5 &&
             profile.rows[0].where.find("custom_op.cpp:") != std::string::npos &&
             profile.rows[0].attributes == "discount=0.25, reversed=false",
         "profile");
  std::string message;
  try {
    discounted_sum(full({}, 1), 0.5);
  } catch (const ShapeError& error) {
    message = error.what();
  }
  expect(message.starts_with("discounted_sum: x has no axis at ") &&
             message.find("custom_op.cpp:") != std::string::npos,
         "errors name the line");
}

}  // namespace

int main() {
  for (bool on : {false, true}) {
    set_eager(on);
    check_values();
    check_derivatives();
  }
  set_eager(false);
  check_machine();
  std::printf(failures ? "%d failures\n" : "an operation from outside takes part in everything\n",
              failures);
  return failures ? 1 : 0;
}
