// Calls of the functions in glia/ops/{special,reduce,select,arrange,contract}.h with arguments as
// far out as their types go.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "glia/ops/arrange.h"
#include "glia/ops/contract.h"
#include "glia/ops/reduce.h"
#include "glia/ops/select.h"
#include "glia/ops/special.h"
#include "tests/support/function_names.h"
#include "tests/support/hostile.h"

namespace glia::test {

// Of which the largest are no shape at all: what lies between, 2^31 and more elements, a plan cuts
// into more pieces than the test has memory for before the result itself is refused.
inline Shape repeats(Hostile& h) {
  Shape s = h.shape();
  for (int64_t& times : s) {
    if (times > 100 && times < INT64_MAX / 4) times = 3;
  }
  return s;
}

inline std::map<std::string, std::function<void(Hostile&)>> hostile_array_functions() {
#define USE(...) [](Hostile& h) { h.use(__VA_ARGS__); }
#define DO(...) [](Hostile& h) { __VA_ARGS__; }
#define ONE(name) \
  { #name, USE(h.yes() ? name(h.tensor()) : name(h.number())) }
#define TWO(name)                                      \
  {                                                    \
#name, [](Hostile& h) {                              \
      const Tensor t = h.tensor();                     \
      if (h.yes())                                     \
        h.use(name(t, h.number()));                    \
      else                                             \
        h.use(h.yes() ? name(h.number(), t)            \
                      : name(t, h.yes() ? t : h.tensor())); \
    } \
  }
#define PLAIN(name) \
  { #name, USE(name(h.tensor())) }
#define REDUCE(name) \
  { #name, USE(name(h.tensor(), h.axes(), h.yes())) }
  return {
      // special.h
      FUNCTIONS_OF_ONE(ONE),
      FUNCTIONS_OF_TWO(TWO),
      {"logit", USE(logit(h.tensor(), h.yes() ? std::nullopt : std::optional(h.real())))},
      {"mvlgamma", USE(mvlgamma(h.yes() ? h.tensor() : tensor(h.real()), h.integer()))},
      {"polygamma", USE(polygamma(h.integer(), h.yes() ? h.tensor() : tensor(h.real())))},
      TWO(betaln),
      {"gammainc", USE(gammainc(h.number(), h.tensor()))},
      {"gammaincc", USE(gammaincc(h.number(), h.tensor()))},
      TWO(ldexp),
      {"frexp", DO(const FrexpResult r = frexp(h.tensor());
                   h.use(std::vector<Tensor>{r.mantissa, r.exponent}))},
      ONE(positive),
      {"lerp", USE(lerp(h.tensor(), h.number(), h.yes() ? h.tensor() : tensor(h.real())))},
      {"addcmul", USE(addcmul(h.tensor(), h.number(), h.number(), h.number()))},
      {"addcdiv", USE(addcdiv(h.tensor(), h.number(), h.number(), h.number()))},
      TWO(clamp_min),
      TWO(clamp_max),
      TWO(heaviside),
      {"where_safe",
       DO(const Tensor x = h.tensor(); const Number otherwise = h.number(); h.use(where_safe(
           x > 0, x, [](const Tensor& t) { return sqrt(t); }, otherwise, h.number())))},
      {"isclose", USE(isclose(h.tensor(), h.number(),
                              {.rtol = h.real(), .atol = h.real(), .equal_nan = h.yes()}))},
      {"allclose", DO(const Tensor x = h.tensor(); allclose(x, h.yes() ? x : h.tensor()))},
      {"equal", DO(equal(h.tensor(), h.tensor()))},
      // reduce.h
      {"sum", USE(h.yes() ? sum(h.tensor(), h.axes(), h.yes())
                          : sum(h.tensor(), h.axes(), h.yes(), h.dtype()))},
      {"mean", USE(h.yes() ? mean(h.tensor(), h.axes(), h.yes())
                           : mean(h.tensor(), h.axes(), h.yes(), h.dtype()))},
      {"prod", USE(h.yes() ? prod(h.tensor(), h.axes(), h.yes())
                           : prod(h.tensor(), h.axes(), h.yes(), h.dtype()))},
      {"cumsum",
       USE(h.yes() ? cumsum(h.tensor(), h.axis()) : cumsum(h.tensor(), h.axis(), h.dtype()))},
      {"cumprod",
       USE(h.yes() ? cumprod(h.tensor(), h.axis()) : cumprod(h.tensor(), h.axis(), h.dtype()))},
      REDUCE(nansum),
      REDUCE(nanmean),
      {"count_nonzero", USE(count_nonzero(h.tensor(), h.axes()))},
      {"std", USE(glia::std(h.tensor(), h.axes(), h.yes(), h.real()))},
      {"var_mean", DO(const auto r = var_mean(h.tensor(), h.axes(), h.yes(), h.real());
                      h.use(std::vector<Tensor>{r.var, r.mean}))},
      {"std_mean", DO(const auto r = std_mean(h.tensor(), h.axes(), h.yes(), h.real());
                      h.use(std::vector<Tensor>{r.std, r.mean}))},
      {"aminmax", DO(const auto r = aminmax(h.tensor(), h.axes(), h.yes());
                     h.use(std::vector<Tensor>{r.min, r.max}))},
      {"vector_norm", USE(vector_norm(h.tensor(), h.real(), h.axes(), h.yes()))},
      {"norm", USE(norm(h.tensor(), h.real(), h.axes(), h.yes()))},
      {"renorm", USE(renorm(h.tensor(), h.yes() ? 2 : h.real(), h.axis(), h.real()))},
      {"cov",
       USE(h.yes() ? cov(h.tensor(), {.correction = h.real()})
                   : cov(h.floats({2, 3}), {.fweights = h.tensor(1), .aweights = h.tensor(1)}))},
      PLAIN(corrcoef),
      {"kthvalue", USE(kthvalue(h.tensor(), h.integer(), h.axis(), h.yes()))},
      {"median", DO(const Tensor x = h.tensor(); if (h.yes()) h.use(median(x));
                    else h.use(median(x, h.axis(), h.yes())))},
      {"nanmedian", DO(const Tensor x = h.tensor(); if (h.yes()) h.use(nanmedian(x));
                       else h.use(nanmedian(x, h.axis())))},
      {"mode", USE(mode(h.tensor(), h.axis(), h.yes()))},
      {"quantile", USE(h.yes() ? quantile(h.tensor(), h.rate(), {.axes = h.axes()})
                               : quantile(h.tensor(), std::vector<double>{h.rate(), h.real()}))},
      {"nanquantile", USE(h.yes() ? nanquantile(h.tensor(), h.rate(), {.axes = h.axes()})
                                  : nanquantile(h.tensor(), std::vector<double>{h.real()}))},
      {"cummax", USE(cummax(h.tensor(), h.axis()))},
      {"cummin", USE(cummin(h.tensor(), h.axis()))},
      {"logcumsumexp", USE(logcumsumexp(h.tensor(), h.axis()))},
      {"diff", USE(h.yes() ? diff(h.tensor(), {.n = h.integer(), .axis = h.axis()})
                           : diff(h.tensor(2), {.axis = h.axis(), .prepend = h.tensor(2)}))},
      {"trapezoid", USE(h.yes() ? trapezoid(h.tensor(), h.real(), h.axis())
                                : trapezoid(h.tensor(), h.tensor(), h.axis()))},
      {"cumulative_trapezoid",
       USE(h.yes() ? cumulative_trapezoid(h.tensor(), h.real(), h.axis())
                   : cumulative_trapezoid(h.tensor(), h.tensor(), h.axis()))},
      {"gradient", DO(GradientOptions o; o.axes = h.axes(); o.edge_order = h.yes() ? 1 : h.axis();
                      if (h.yes()) o.spacing = {h.real()};
                      if (h.yes()) o.coordinates = {h.tensor(1)}; h.use(gradient(h.tensor(), o)))},
      // select.h
      {"index_select", USE(index_select(h.tensor(), h.indices(), h.axis()))},
      {"index_copy", USE(index_copy(h.floats({3, 2}), h.indices({2}), h.floats({2, 2}), h.axis()))},
      {"index_fill", USE(index_fill(h.tensor(), h.indices(), h.number(), h.axis()))},
      {"take_along_axis", USE(take_along_axis(h.tensor(), h.indices(),
                                              h.yes() ? std::optional(h.axis()) : std::nullopt))},
      {"take_along_dim", USE(take_along_dim(h.tensor(), h.indices(),
                                            h.yes() ? std::optional(h.axis()) : std::nullopt))},
      {"put_along_axis", USE(put_along_axis(h.tensor(2), h.indices(h.small_shape(2)),
                                            h.tensor(h.yes() ? 2 : 0), h.axis()))},
      {"scatter",
       USE(h.yes() ? scatter(h.tensor(2), h.indices(h.small_shape(2)), h.tensor(2), h.axis())
                   : scatter(h.tensor(1), h.indices(h.small_shape(1)), h.number(), h.axis()))},
      {"scatter_reduce",
       USE(scatter_reduce(h.tensor(2), h.indices(h.small_shape(2)), h.tensor(2), h.axis(),
                          static_cast<ScatterReduction>(h.natural() % 5), h.yes()))},
      {"index_reduce",
       USE(index_reduce(h.floats({3, 2}), h.indices({2}), h.floats({2, 2}), h.axis(),
                        static_cast<ScatterReduction>(h.natural() % 5), h.yes()))},
      {"index_put", USE(index_put(h.tensor(2), {h.yes() ? Tensor() : h.indices({2}), h.indices()},
                                  h.tensor(h.yes() ? 1 : 0), h.yes()))},
      {"put", USE(put(h.tensor(), h.indices({2}), h.floats({h.yes() ? 2 : 1}), h.yes()))},
      {"unravel_index", USE(unravel_index(h.indices(), h.yes() ? Shape{2, 3} : h.shape()))},
      {"select_scatter",
       USE(select_scatter(h.tensor(2), h.tensor(h.yes() ? 1 : 2), h.axis(), h.integer()))},
      {"diagonal_scatter", USE(diagonal_scatter(h.floats({2, 2}), h.floats({h.yes() ? 2 : 1}),
                                                h.integer(), h.axis(), h.axis()))},
      {"masked_fill", USE(masked_fill(h.tensor(), h.tensor() > 0, h.number()))},
      {"masked_select", USE(masked_select(h.tensor(), h.tensor() > 0))},
      {"masked_scatter", DO(const Tensor x = h.tensor();
                            h.use(masked_scatter(x, x > 0, h.of(h.small_shape(1), x.dtype()))))},
      {"searchsorted",
       USE(searchsorted(h.tensor(), h.tensor(),
                        {.right = h.yes(), .sorter = h.yes() ? Tensor() : h.indices()}))},
      {"bucketize", USE(bucketize(h.tensor(), h.tensor(h.yes() ? 1 : 2), h.yes()))},
      {"isin", USE(isin(h.tensor(), h.tensor(), h.yes()))},
      {"unique",
       DO(const auto r = unique(h.tensor(), h.yes() ? std::optional(h.axis()) : std::nullopt);
          h.use(std::vector<Tensor>{r.values, r.inverse, r.counts}))},
      {"unique_consecutive", DO(const auto r = unique_consecutive(
                                    h.tensor(), h.yes() ? std::optional(h.axis()) : std::nullopt);
                                h.use(std::vector<Tensor>{r.values, r.inverse, r.counts}))},
      {"bincount", USE(bincount(h.indices(h.small_shape(1)), h.yes() ? Tensor() : h.tensor(1),
                                h.yes() ? 0 : h.integer()))},
      {"histc", USE(histc(h.tensor(), h.integer(), h.real(), h.real()))},
      {"histogram",
       DO(HistogramOptions o; o.density = h.yes(); if (h.yes()) o.range = {h.real(), h.real()};
          if (h.yes()) o.weight = h.tensor();
          const auto r = h.yes() ? histogram(h.tensor(), h.integer(), o)
                                 : histogram(h.tensor(), h.tensor(1), o);
          h.use(std::vector<Tensor>{r.hist, r.bin_edges}))},
      {"histogramdd",
       DO(HistogramddOptions o; o.density = h.yes();
          if (h.yes()) o.range = {{h.real(), h.real()}, {h.real(), 1}};
          if (h.yes()) o.weight = h.tensor(1);
          const Tensor x = h.yes() ? h.floats({3, 2}) : h.tensor(2);
          const auto r = h.yes() ? histogramdd(x, std::vector<int64_t>{h.count(), h.integer()}, o)
                                 : histogramdd(x, std::vector<Tensor>{h.tensor(1), h.tensor(1)}, o);
          h.use(r.hist); h.use(r.bin_edges))},
      // arrange.h
      {"movedim", USE(movedim(h.tensor(), h.axes(), h.axes()))},
      {"swapaxes", USE(swapaxes(h.tensor(), h.axis(), h.axis()))},
      PLAIN(atleast_1d),
      PLAIN(atleast_2d),
      PLAIN(atleast_3d),
      {"broadcast_to", USE(broadcast_to(h.tensor(), h.shape()))},
      {"broadcast_tensors", USE(broadcast_tensors({h.tensor(), h.tensor()}))},
      {"narrow", USE(narrow(h.tensor(), h.axis(), h.integer(), h.integer()))},
      {"unbind", USE(unbind(h.tensor(), h.axis()))},
      {"chunk", USE(chunk(h.tensor(), h.integer(), h.axis()))},
      {"tensor_split",
       DO(const int64_t parts = h.integer();  // a result of so many tensors is what was asked for
          if (parts < 100 && h.yes()) h.use(tensor_split(h.tensor(), parts, h.axis()));
          else h.use(tensor_split(h.tensor(), std::vector{h.integer(), h.integer()}, h.axis())))},
      {"unfold", USE(unfold(h.tensor(), h.axis(), h.integer(), h.integer()))},
      {"sliding_window_view", USE(sliding_window_view(h.tensor(), h.shape(), h.axes()))},
      {"hstack", USE(hstack({h.tensor(), h.tensor()}))},
      {"vstack", USE(vstack({h.tensor(), h.tensor()}))},
      {"dstack", USE(dstack({h.tensor(), h.tensor()}))},
      {"column_stack", USE(column_stack({h.tensor(), h.tensor()}))},
      {"repeat", USE(repeat(h.tensor(), repeats(h)))},
      {"tile", USE(tile(h.tensor(), repeats(h)))},
      {"repeat_interleave", DO(const auto axis = h.yes() ? std::optional(h.axis()) : std::nullopt;
                               if (h.yes()) h.use(repeat_interleave(h.tensor(), h.integer(), axis));
                               else h.use(repeat_interleave(h.tensor(), h.indices(), axis)))},
      {"roll", USE(roll(h.tensor(), {h.integer()}, h.axes()))},
      {"rot90", USE(rot90(h.tensor(), h.integer(), {h.axis(), h.integer()}))},
      PLAIN(flipud),
      PLAIN(fliplr),
      {"tril", USE(tril(h.tensor(), h.integer()))},
      {"triu", USE(triu(h.tensor(), h.integer()))},
      {"tril_indices", USE(tril_indices(h.integer(), h.integer(), h.integer()))},
      {"triu_indices", USE(triu_indices(h.integer(), h.integer(), h.integer()))},
      {"diagonal", USE(diagonal(h.tensor(), h.integer(), h.axis(), h.axis()))},
      {"diag_embed", USE(diag_embed(h.tensor(), h.integer(), h.axis(), h.axis()))},
      {"diag", USE(diag(h.tensor(), h.integer()))},
      {"diagflat", USE(diagflat(h.tensor(), h.integer()))},
      PLAIN(trace),
      {"block_diag", USE(block_diag({h.tensor(), h.tensor()}))},
      {"meshgrid",
       USE(meshgrid({h.tensor(), h.tensor()}, h.yes() ? MeshIndexing::kXy : MeshIndexing::kIj))},
      {"cartesian_prod", USE(cartesian_prod({h.tensor(), h.tensor()}))},
      {"combinations", USE(combinations(h.tensor(), h.integer(), h.yes()))},
      {"eye",
       USE(h.yes() ? eye(h.integer(), h.dtype()) : eye(h.integer(), h.integer(), h.dtype()))},
      {"full_like", USE(full_like(h.tensor(), h.number()))},
      PLAIN(rand_like),
      PLAIN(randn_like),
      {"logspace", USE(logspace(h.real(), h.real(), h.integer(), h.real(), h.dtype()))},
      {"vander",
       USE(vander(h.tensor(1), h.yes() ? std::nullopt : std::optional(h.integer()), h.yes()))},
      // contract.h
      {"einsum", DO(const char* equations[] = {"ij,jk", "...i,i...", "ii,ij->j", "a,b->ba", "ab,c"};
                    h.use(einsum(equations[h.natural() % 5], {h.tensor(), h.tensor()})))},
      {"tensordot", USE(h.yes() ? tensordot(h.tensor(), h.tensor(), h.axis())
                                : tensordot(h.tensor(), h.tensor(), h.axes(), h.axes()))},
      {"outer", USE(outer(h.tensor(1), h.tensor(1)))},
      {"inner", USE(inner(h.tensor(), h.tensor()))},
      {"dot", USE(dot(h.tensor(1), h.tensor(1)))},
      {"vdot", USE(vdot(h.tensor(1), h.tensor(1)))},
      {"vecdot", USE(vecdot(h.tensor(), h.tensor(), h.axis()))},
      {"cross", USE(cross(h.tensor(2), h.tensor(2), h.axis()))},
      {"mv", USE(mv(h.tensor(2), h.tensor(1)))},
      {"mm", USE(mm(h.tensor(2), h.tensor(2)))},
      {"bmm", USE(bmm(h.tensor(3), h.tensor(3)))},
      {"addmm",
       USE(addmm(h.tensor(2), h.tensor(2), h.tensor(2), {.beta = h.real(), .alpha = h.real()}))},
      {"addmv",
       USE(addmv(h.tensor(1), h.tensor(2), h.tensor(1), {.beta = h.real(), .alpha = h.real()}))},
      {"baddbmm", USE(baddbmm(h.tensor(3), h.tensor(3), h.tensor(3), {.beta = h.real()}))},
      {"addr", USE(addr(h.tensor(2), h.tensor(1), h.tensor(1), {.alpha = h.real()}))},
      {"matrix_power", USE(matrix_power(h.tensor(2), h.integer()))},
      {"kron", USE(kron(h.tensor(), h.tensor()))},
      {"cdist", USE(cdist(h.tensor(), h.tensor(2), h.yes() ? 2 : h.real()))},
      {"pdist", USE(pdist(h.tensor(2), h.real()))},
  };
#undef REDUCE
#undef PLAIN
#undef TWO
#undef ONE
#undef DO
#undef USE
}

}  // namespace glia::test
