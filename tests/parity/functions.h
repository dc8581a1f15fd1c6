// Functions on arrays for parity.cpp; cases_functions.py has PyTorch's side.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "glia/ops/arrange.h"
#include "glia/ops/contract.h"
#include "glia/ops/reduce.h"
#include "glia/ops/select.h"
#include "glia/ops/special.h"
#include "tests/support/function_names.h"

namespace glia {

inline Tensor flat(const std::vector<Tensor>& parts) {
  std::vector<Tensor> all;
  for (const Tensor& part : parts) all.push_back(reshape(part, {-1}));
  return concat(all);
}

inline std::map<std::string, std::function<Tensor(const std::vector<Tensor>&)>> array_functions() {
#define F(expression) [](const std::vector<Tensor>& t) -> Tensor { return expression; }
#define ONE(function) \
  { #function, F(function(t[0])) }
#define TWO(function) \
  { #function, F(function(t[0], t[1])) }
  constexpr double kInf = std::numeric_limits<double>::infinity();
  using enum ScatterReduction;
  using enum Interpolation;
  return {
      // special.h
      FUNCTIONS_OF_ONE(ONE),
      FUNCTIONS_OF_TWO(TWO),
      ONE(logit),
      {"logit_eps", F(logit(t[0], 0.1))},
      {"polygamma_1", F(polygamma(1, t[0]))},
      {"polygamma_2", F(polygamma(2, t[0]))},
      {"polygamma_5", F(polygamma(5, t[0]))},
      TWO(gammainc),
      TWO(gammaincc),
      {"ldexp", F(ldexp(t[0], t[1]))},
      {"frexp_mantissa", F(frexp(t[0]).mantissa)},
      {"frexp_exponent", F(frexp(t[0]).exponent)},
      {"lerp", F(lerp(t[0], t[1], t[2]))},
      {"lerp_number", F(lerp(t[0], t[1], 0.7))},
      {"addcmul", F(addcmul(t[0], t[1], t[2], 0.5))},
      {"addcdiv", F(addcdiv(t[0], t[1], t[2], -2))},
      {"clamp_min", F(clamp_min(t[0], 0.5))},
      {"clamp_max", F(clamp_max(t[0], 0.5))},
      {"heaviside", F(heaviside(stop_gradient(t[0]), stop_gradient(t[1])))},
      TWO(isclose),
      {"isclose_loose", F(isclose(t[0], t[1], {.rtol = 0.5, .atol = 0.1, .equal_nan = true}))},
      // reduce.h
      {"sum_f64", F(sum(t[0], {1}, false, kF64))},
      {"mean_f64", F(mean(t[0], {0, 2}, true, kF64))},
      {"nansum", F(nansum(log(t[0]), {1}))},
      {"nanmean", F(nanmean(log(t[0]), {1}))},
      {"count_nonzero", F(count_nonzero(t[0], {1}))},
      {"std", F(glia::std(t[0], {0, 2}))},
      {"std_0", F(glia::std(t[0], {1}, true, 0))},
      {"var_mean", F(flat({var_mean(t[0], {1}).var, var_mean(t[0], {1}).mean}))},
      {"std_mean", F(flat({std_mean(t[0], {1}).std, std_mean(t[0], {1}).mean}))},
      {"aminmax", F(flat({aminmax(t[0], {1}).min, aminmax(t[0], {1}).max}))},
      {"norm_0", F(vector_norm(t[0], 0, {1}))},
      {"norm_half", F(vector_norm(t[0], 0.5, {1}))},
      {"norm_1", F(vector_norm(t[0], 1, {1}))},
      {"norm_1_5", F(vector_norm(t[0], 1.5, {1}))},
      {"norm_2", F(vector_norm(t[0], 2, {1}))},
      {"norm_2_all", F(norm(t[0]))},
      {"norm_3", F(vector_norm(t[0], 3, {0, 2}, true))},
      {"norm_inf", F(vector_norm(t[0], kInf, {1}))},
      {"norm_minus_inf", F(vector_norm(t[0], -kInf, {1}))},
      {"renorm", F(renorm(t[0], 2, 1, 2.5))},
      {"cov", F(cov(t[0]))},
      {"cov_weights",
       F(cov(t[0], {.correction = 0, .fweights = t[1] + 1, .aweights = stop_gradient(t[2])}))},
      {"corrcoef", F(corrcoef(t[0]))},
      {"kthvalue", F(kthvalue(t[0], 2, 1).first)},
      {"kthvalue_at", F(kthvalue(t[0], 2, 1).second)},
      {"median", F(median(t[0], 1).first)},
      {"median_at", F(median(t[0], 1).second)},
      {"median_all", F(median(t[0]))},
      {"nanmedian", F(nanmedian(log(t[0]), 1).first)},
      {"nanmedian_all", F(nanmedian(log(t[0])))},
      {"mode", F(mode(t[0], 1).first)},
      {"mode_at", F(mode(t[0], 1).second)},
      {"quantile", F(quantile(t[0], std::vector<double>{0, 0.3, 0.5, 1}, {.axes = {1}}))},
      {"quantile_all", F(quantile(t[0], 0.4))},
      {"quantile_lower",
       F(quantile(t[0], 0.3, {.axes = {1}, .keepdim = true, .interpolation = kLower}))},
      {"quantile_higher", F(quantile(t[0], 0.3, {.axes = {1}, .interpolation = kHigher}))},
      {"quantile_midpoint", F(quantile(t[0], 0.3, {.axes = {1}, .interpolation = kMidpoint}))},
      {"quantile_nearest", F(quantile(t[0], 0.3, {.axes = {1}, .interpolation = kNearest}))},
      {"quantile_nan", F(quantile(log(t[0]), 0.3, {.axes = {1}}))},
      {"nanquantile", F(nanquantile(log(t[0]), std::vector<double>{0.2, 0.7}, {.axes = {1}}))},
      {"cummax", F(cummax(t[0], 1).first)},
      {"cummax_at", F(cummax(t[0], 1).second)},
      {"cummin", F(cummin(t[0], 1).first)},
      {"cummin_at", F(cummin(t[0], 1).second)},
      {"logcumsumexp", F(logcumsumexp(t[0], 1))},
      {"diff", F(diff(t[0], {.n = 2, .axis = 1}))},
      {"diff_joined", F(diff(t[0], {.axis = 1, .prepend = t[1], .append = t[1]}))},
      {"trapezoid", F(trapezoid(t[0], 0.5, 1))},
      {"trapezoid_at", F(trapezoid(t[0], t[1], 1))},
      {"cumulative_trapezoid", F(cumulative_trapezoid(t[0], t[1], 1))},
      {"gradient", F(flat(gradient(t[0], {.spacing = {0.5, 2, 1}})))},
      {"gradient_2", F(flat(gradient(t[0], {.axes = {1}, .edge_order = 2})))},
      {"gradient_at",
       F(flat(
           gradient(t[0], {.axes = {1}, .coordinates = {cumsum(abs(stop_gradient(t[1])), 0)}})))},
      // select.h
      {"index_select", F(index_select(t[0], t[1], 1))},
      {"index_copy", F(index_copy(t[0], t[1], t[2], 1))},
      {"index_fill", F(index_fill(t[0], t[1], 2.5, 1))},
      {"take_along_dim", F(take_along_dim(t[0], t[1], 1))},
      {"take_along_dim_flat", F(take_along_dim(t[0], t[1]))},
      {"scatter", F(scatter(t[0], t[1], t[2], 1))},
      {"scatter_number", F(scatter(t[0], t[1], 1.5, 1))},
      {"scatter_sum", F(scatter_reduce(t[0], t[1], t[2], 1, kSum))},
      {"scatter_sum_out", F(scatter_reduce(t[0], t[1], t[2], 1, kSum, false))},
      {"scatter_prod", F(scatter_reduce(t[0], t[1], t[2], 1, kProd))},
      {"scatter_prod_out", F(scatter_reduce(t[0], t[1], t[2], 1, kProd, false))},
      {"scatter_mean", F(scatter_reduce(t[0], t[1], t[2], 1, kMean))},
      {"scatter_mean_out", F(scatter_reduce(t[0], t[1], t[2], 1, kMean, false))},
      {"scatter_amax", F(scatter_reduce(t[0], t[1], t[2], 1, kAmax))},
      {"scatter_amax_out", F(scatter_reduce(t[0], t[1], t[2], 1, kAmax, false))},
      {"scatter_amin", F(scatter_reduce(t[0], t[1], t[2], 1, kAmin))},
      {"masked_fill", F(masked_fill(t[0], t[0] > 0.5, 2))},
      {"masked_select", F(masked_select(t[0], t[0] > 0.5))},
      {"masked_scatter", F(masked_scatter(t[0], t[0] > 0.5, t[1]))},
      {"searchsorted", F(searchsorted(sort(t[0]).first, t[1]))},
      {"searchsorted_right", F(searchsorted(sort(t[0]).first, t[0], {.right = true}))},
      {"bucketize", F(bucketize(t[0], sort(t[1]).first))},
      TWO(isin),
      {"unique", F(unique(t[0]).values)},
      {"unique_inverse", F(unique(t[0]).inverse)},
      {"unique_counts", F(unique(t[0]).counts)},
      {"unique_rows", F(unique(t[0], 0).values)},
      {"unique_rows_inverse", F(unique(t[0], 0).inverse)},
      {"unique_columns", F(unique(t[0], 1).values)},
      {"unique_consecutive", F(unique_consecutive(t[0]).values)},
      {"unique_consecutive_counts", F(unique_consecutive(t[0]).counts)},
      {"unique_consecutive_rows", F(unique_consecutive(t[0], 0).inverse)},
      {"bincount", F(bincount(t[0]))},
      {"bincount_weights", F(bincount(t[1], stop_gradient(t[0]), 12))},
      {"histc", F(histc(stop_gradient(t[0]), 7))},
      {"histc_range", F(histc(stop_gradient(t[0]), 7, -1, 2))},
      {"histogram", F(histogram(stop_gradient(t[0]), 7).hist)},
      {"histogram_edges", F(histogram(stop_gradient(t[0]), 7).bin_edges)},
      {"histogram_density",
       F(histogram(stop_gradient(t[0]), 7,
                   {.range = {{-1, 2}}, .weight = abs(stop_gradient(t[0])), .density = true})
             .hist)},
      {"histogram_given",
       F(histogram(stop_gradient(t[0]), tensor({-2.0, -1.0, 0.5, 0.75, 2.0})).hist)},
      // arrange.h
      {"roll", F(roll(t[0], {2, -1}, {1, 2}))},
      {"roll_flat", F(roll(t[0], {7}))},
      {"rot90", F(rot90(t[0], 1, {0, 2}))},
      {"rot90_3", F(rot90(t[0], 3, {1, 2}))},
      {"tril", F(tril(t[0], 1))},
      {"triu", F(triu(t[0], -1))},
      {"diagonal", F(diagonal(t[0], 1, 0, 2))},
      {"diagonal_below", F(diagonal(t[0], -1, 1, 2))},
      {"diag_embed", F(diag_embed(t[0], 1))},
      {"diag_embed_front", F(diag_embed(t[0], -2, 0, 2))},
      {"diag_of_vector", F(diag(t[0], -1))},
      {"diag_of_matrix", F(diag(t[0], 1))},
      ONE(trace),
      {"movedim", F(movedim(t[0], {0, 2}, {1, 0}))},
      {"unfold", F(unfold(t[0], 1, 2, 1))},
      {"chunk", F(chunk(t[0], 2, 2)[1])},
      {"tensor_split", F(tensor_split(t[0], 3, 2)[1])},
      {"tensor_split_at", F(tensor_split(t[0], std::vector<int64_t>{1, 3}, 2)[1])},
      {"unbind", F(unbind(t[0], 1)[2])},
      {"narrow", F(narrow(t[0], 2, -3, 2))},
      {"hstack", F(hstack({t[0], t[1]}))},
      {"vstack", F(vstack({t[0], t[1]}))},
      {"dstack", F(dstack({t[0], t[1]}))},
      {"column_stack", F(column_stack({t[0], t[1]}))},
      {"repeat", F(repeat(t[0], {2, 1, 3, 2}))},
      {"tile", F(tile(t[0], {2, 3}))},
      {"repeat_interleave", F(repeat_interleave(t[0], 3, 1))},
      {"repeat_interleave_flat", F(repeat_interleave(t[0], 2))},
      {"repeat_interleave_each", F(repeat_interleave(t[0], t[1], 1))},
      {"block_diag", F(block_diag({t[0], t[1], t[2]}))},
      {"meshgrid_xy", F(flat(meshgrid({t[0], t[1]}, MeshIndexing::kXy)))},
      {"meshgrid_ij", F(flat(meshgrid({t[0], t[1]})))},
      {"cartesian_prod", F(cartesian_prod({t[0], t[1]}))},
      {"combinations", F(combinations(t[0], 3))},
      {"combinations_with", F(combinations(t[0], 2, true))},
      {"vander", F(vander(t[0], 4))},
      {"vander_rising", F(vander(t[0], {}, true))},
      // contract.h
      TWO(outer),
      TWO(inner),
      TWO(dot),
      {"tensordot", F(tensordot(t[0], t[1], 2))},
      {"tensordot_axes", F(tensordot(t[0], t[1], {2, 0}, {0, 2}))},
      {"cross", F(cross(t[0], t[1], 1))},
      TWO(mv),
      TWO(bmm),
      {"addmm", F(addmm(t[0], t[1], t[2], {.beta = 0.5, .alpha = 2}))},
      {"addmv", F(addmv(t[0], t[1], t[2]))},
      {"baddbmm", F(baddbmm(t[0], t[1], t[2], {.beta = 2}))},
      {"addr", F(addr(t[0], t[1], t[2], {.alpha = 3}))},
      {"matrix_power", F(matrix_power(t[0], 5))},
      TWO(kron),
      {"cdist", F(cdist(t[0], t[1]))},
      {"cdist_1", F(cdist(t[0], t[1], 1))},
      {"cdist_3", F(cdist(t[0], t[1], 3))},
      {"cdist_inf", F(cdist(t[0], t[1], kInf))},
      {"pdist", F(pdist(t[0]))},
      {"einsum_product", F(einsum("ij,jk->ik", {t[0], t[1]}))},
      {"einsum_implicit", F(einsum("ij, jk", {t[0], t[1]}))},
      {"einsum_transposed", F(einsum("ba", {t[0]}))},
      {"einsum_batch", F(einsum("...ij,...jk->...ik", {t[0], t[1]}))},
      {"einsum_bilinear", F(einsum("bn,anm,bm->ba", {t[0], t[1], t[2]}))},
      {"einsum_trace", F(einsum("ii", {t[0]}))},
      {"einsum_diagonal", F(einsum("...ii->...i", {t[0]}))},
      {"einsum_sum", F(einsum("ijk->j", {t[0]}))},
      {"einsum_outer", F(einsum("i,j->ij", {t[0], t[1]}))},
      {"einsum_hadamard", F(einsum("ij,ij->ij", {t[0], t[1]}))},
      {"einsum_repeated", F(einsum("iij,jk->ik", {t[0], t[1]}))},
      {"einsum_chain", F(einsum("ab,bc,cd,de,ea->", {t[0], t[1], t[2], t[3], t[4]}))},
      {"einsum_many",
       F(einsum("ab,bc,cd,de,ef,fg,gh->ah", {t[0], t[1], t[2], t[3], t[4], t[5], t[6]}))},
      {"einsum_broadcast", F(einsum("...i,i...->...", {t[0], t[1]}))},
  };
#undef TWO
#undef ONE
#undef F
}

}  // namespace glia
