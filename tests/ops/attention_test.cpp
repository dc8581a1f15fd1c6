// Attention: the f32 kernels against the composition, which f64 runs; writing into caches.
#include <gtest/gtest.h>

#include "glia/autodiff.h"
#include "glia/ops.h"
#include "glia/runtime.h"
#include "tests/support/values.h"

namespace glia::test {
namespace {

struct Sizes {
  int64_t queries, keys, size, values;
};

std::vector<Tensor> everything(const std::vector<Tensor>& given, const AttentionOptions& options,
                               DType dtype) {
  std::vector<Tensor> t;
  for (const Tensor& x : given) t.push_back(trainable(cast(x, dtype)));
  const Tensor y = scaled_dot_product_attention(t[0], t[1], t[2], options);
  std::vector<Tensor> all = gradients(sum(y * cast(numbers(y.shape(), 9), dtype)), t);
  all.push_back(y);
  eval(all);
  return all;
}
std::vector<Tensor> operands(const Sizes& s) {
  return {numbers({2, 3, s.queries, s.size}, 1) * 2, numbers({2, 3, s.keys, s.size}, 2) * 2,
          numbers({2, 3, s.keys, s.values}, 3)};
}

TEST(Attention, KernelsAgreeWithTheComposition) {
  for (const Sizes& s : {Sizes{1, 1, 1, 1},
                         {1, 130, 32, 32},
                         {3, 70, 33, 17},
                         {5, 3, 4, 70},
                         {33, 300, 40, 40},
                         {300, 33, 64, 8},
                         {70, 70, 16, 16}}) {
    const std::vector<Tensor> t = operands(s);
    const Tensor masks[] = {{},
                            numbers({2, 1, 1, s.keys}, 4) < 0.4,
                            numbers({s.queries, s.keys}, 5) < 0,
                            numbers({3, s.queries, s.keys}, 6)};
    for (int i = 0; i < 10; ++i) {
      AttentionOptions options;
      options.is_causal = i % 2;
      if (i < 8)
        options.mask = masks[i / 2];
      else
        options.key_length = s.keys / 2;
      SCOPED_TRACE("T" + std::to_string(s.queries) + " S" + std::to_string(s.keys) + " case " +
                   std::to_string(i));
      const auto got = everything(t, options, kF32), want = everything(t, options, kF64);
      for (size_t k = 0; k < got.size(); ++k) {
        const double scale = std::max(1.0, max(abs(want[k])).item());
        EXPECT_LE(max(abs(cast(got[k], kF64) - want[k])).item(), 2e-5 * scale) << k;
      }
    }
  }
}

TEST(Attention, DerivativesOfBothOrders) {
  const auto f = [](const std::vector<Tensor>& t) {
    return scaled_dot_product_attention(t[0], t[1], t[2], {.is_causal = true});
  };
  const std::vector<Tensor> t{numbers({2, 3, 4}, 1), numbers({2, 5, 4}, 2), numbers({2, 5, 2}, 3)};
  EXPECT_EQ(gradcheck(f, t), "");
  EXPECT_EQ(gradgradcheck(f, t), "");
  const auto second = [&](DType dtype) {
    std::vector<Tensor> in;
    for (const Tensor& x : t) in.push_back(trainable(cast(x, dtype)));
    const std::vector<Tensor> g = gradients(sum(square(f(in))), in);
    return gradients(sum(square(g[0])) + sum(square(g[1])), in);
  };
  const auto got = second(kF32), want = second(kF64);
  for (size_t i = 0; i < got.size(); ++i) expect_same(cast(got[i], kF64), want[i], 1e-4);
}

TEST(Attention, AQueryWithoutKeysGivesZero) {
  const std::vector<Tensor> t = operands({6, 8, 4, 4});
  AttentionOptions options;
  options.mask = zeros({6, 8}, kBool);
  for (const Tensor& x : everything(t, options, kF32)) expect_same(x, zeros(x.shape()));
}

TEST(Attention, DoesNotDependOnThreads) {
  const int before = num_threads();
  const std::vector<Tensor> t = operands({130, 130, 32, 32});
  set_num_threads(1);
  const auto want = everything(t, {.is_causal = true}, kF32);
  for (int n : {2, 4}) {
    set_num_threads(n);
    const auto got = everything(t, {.is_causal = true}, kF32);
    for (size_t i = 0; i < got.size(); ++i) expect_same(got[i], want[i]);
  }
  set_num_threads(before);
}

TEST(Attention, GroupedHeadsAreRepeatedOnes) {
  const Tensor q = cast(numbers({2, 4, 5, 8}, 1), kF32), k = cast(numbers({2, 2, 6, 8}, 2), kF32);
  const Tensor all = reshape(expand(unsqueeze(k, 2), {2, 2, 2, 6, 8}), {2, 4, 6, 8});
  expect_same(scaled_dot_product_attention(q, k, k, {.enable_gqa = true}),
              scaled_dot_product_attention(q, all, all));
}

TEST(Attention, ErrorsNameTheShapes) {
  const auto said = message_of<ShapeError>([] {
    scaled_dot_product_attention(zeros({2, 3}), zeros({2, 4}), zeros({2, 4}));
  });
  EXPECT_NE(said.find("(2, 3)"), std::string::npos) << said;
}

TEST(SliceScatter, WritesAtAnyStart) {
  const Tensor x = numbers({3, 5}, 1), part = numbers({3, 2}, 2);
  for (int64_t start : {0, 1, 3})
    expect_same(slice_scatter(x, part, 1, start),
                index_update(x, {Slice{}, Slice{start, start + 2}}, part));
  EXPECT_EQ(gradcheck([](const auto& t) { return slice_scatter(t[0], t[1], 1, 2); }, {x, part}),
            "");
  EXPECT_THROW(slice_scatter(x, part, 1, 4), ShapeError);
}

TEST(SliceScatter, WritesACacheInPlaceByOnePlan) {
  Tensor cache = zeros({4, 1000});
  cache = cache + 1;
  eval(cache);
  cache = slice_scatter(cache, ones({4, 1}) * 2, 1, 0);
  eval(cache);
  const int64_t plans = graph_stats().plans_built;
  const void* const bytes = cache.data<float>().data();
  for (int64_t i = 1; i < 5; ++i) {
    cache = slice_scatter(cache, ones({4, 1}) * 2, 1, i);
    eval(cache);
    EXPECT_EQ(cache.data<float>().data(), bytes);
  }
  EXPECT_EQ(graph_stats().plans_built, plans);
  expect_same(sum(cache, {1}), full({4}, 1005));
}

}  // namespace
}  // namespace glia::test
