// Cases of the operations on windows: rows of them, their sums, and where their largest values are.
#pragma once

#include "glia/ops/pool.h"
#include "tests/support/op_case.h"

namespace glia::test {

struct Windows {
  Shape x;  // (N, H, W, C)
  std::pair<int64_t, int64_t> kernel;
  UnfoldOptions options;

  int64_t count(int axis) const {
    const auto pick = [&](const auto& pair) { return axis == 1 ? pair.first : pair.second; };
    return (x[axis] + 2 * pick(options.padding) - pick(options.dilation) * (pick(kernel) - 1) - 1) /
               pick(options.stride) +
           1;
  }
  Shape rows() const { return {x[0], count(1) * count(2), kernel.first * kernel.second * x[3]}; }
  std::string text() const { return x.str() + " in rows " + rows().str(); }
  // Calls f(position in the rows, position in x or -1 for padding).
  template <class F>
  void each(F&& f) const {
    int64_t row_at = 0;
    for (int64_t n = 0; n < x[0]; ++n)
      for (int64_t i = 0; i < count(1); ++i)
        for (int64_t j = 0; j < count(2); ++j)
          for (int64_t p = 0; p < kernel.first; ++p)
            for (int64_t q = 0; q < kernel.second; ++q)
              for (int64_t c = 0; c < x[3]; ++c) {
                const int64_t h = i * options.stride.first - options.padding.first +
                                  p * options.dilation.first,
                              w = j * options.stride.second - options.padding.second +
                                  q * options.dilation.second;
                const bool inside = h >= 0 && h < x[1] && w >= 0 && w < x[2];
                f(row_at++, inside ? ((n * x[1] + h) * x[2] + w) * x[3] + c : -1);
              }
  }
};
inline const std::vector<Windows>& windows() {
  static const std::vector<Windows> all{
      {{1, 1, 1, 1}, {1, 1}, {}},
      {{2, 5, 4, 3}, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}}},
      {{1, 7, 7, 2}, {3, 3}, {.padding = {2, 2}, .dilation = {2, 2}}},
      {{0, 4, 4, 2}, {2, 2}, {}},
      {{3, 19, 23, 17}, {3, 3}, {.padding = {1, 1}}},
  };
  return all;
}

inline void add_windows(std::vector<OpCase>* cases) {
  OpCase unfolded{.op = "unfold", .family = "images", .dtypes = {}, .forms = {}},
      folded{.op = "fold", .family = "images", .dtypes = {kF32, kF64}, .forms = {}},
      largest{.op = "window_argmax", .family = "images", .dtypes = {kF32, kF64}, .forms = {}};
  unfolded.dtypes.assign(std::begin(kEveryDType), std::end(kEveryDType));
  for (const Windows& at : windows()) {
    unfolded.forms.push_back(
        {.what = at.text(),
         .inputs = random_inputs({at.x}, -4, 4),
         .apply = [at](const auto& t) { return unfold(t[0], at.kernel, at.options); },
         .reference =
             [at](const std::vector<Host>& in) {
               Host out = host_filled(at.rows(), in[0].dtype);
               at.each([&](int64_t row, int64_t x) { out[row] = x < 0 ? Real(0) : in[0][x]; });
               return out;
             }});
    folded.forms.push_back({.what = at.text(),
                            .inputs = random_inputs({at.rows()}, -4, 4),
                            .apply =
                                [at](const auto& t) {
                                  return fold(t[0], {at.x[1], at.x[2]}, at.kernel, at.options);
                                },
                            .reference =
                                [at](const std::vector<Host>& in) {
                                  std::vector<Sum> sums(static_cast<size_t>(at.x.numel()));
                                  at.each([&](int64_t row, int64_t x) {
                                    if (x >= 0) sums[x].add(in[0][row]);
                                  });
                                  Host out{at.x, in[0].dtype, {}};
                                  for (const Sum& s : sums) push(&out, s);
                                  return out;
                                }});
  }
  folded.tolerance = tolerance_of_sums;
  for (const auto& [x, window, dilation] : {std::tuple{Shape{2, 7, 6, 3}, Sizes{3, 2}, Sizes{2, 1}},
                                            {{1, 9, 5}, {3}, {3}},
                                            {{2, 4, 5, 3, 2}, {2, 2, 2}, {1, 2, 1}},
                                            {{4, 40, 40, 20}, {3, 3}, {1, 1}}}) {
    const MaxPoolOptions options{.stride = {1}, .dilation = dilation};
    largest.forms.push_back(
        {.what = x.str(),
         .inputs = random_inputs({x}, -4, 4),
         .apply =
             [=](const auto& t) { return max_pool_with_indices(t[0], window, options).indices; },
         .reference =
             [x = x, window = window, dilation = dilation](const std::vector<Host>& in) {
               Shape y = x;
               const int axes = x.rank() - 2;
               for (int a = 0; a < axes; ++a) y[a + 1] = x[a + 1] - dilation[a] * (window[a] - 1);
               Host out{y, kI64, {}};
               Shape offsets(std::vector<int64_t>(window.begin(), window.end()));
               for_each_index(y, [&](const std::vector<int64_t>& at) {
                 int64_t best = -1, best_flat = 0;
                 for_each_index(offsets, [&](const std::vector<int64_t>& o) {
                   std::vector<int64_t> place = at;
                   int64_t flat = 0;
                   for (int a = 0; a < axes; ++a) {
                     place[a + 1] += o[a] * dilation[a];
                     flat = flat * x[a + 1] + place[a + 1];
                   }
                   const int64_t p = position(x, place);
                   if (best >= 0 && std::isnan(in[0][best])) return;
                   if (best < 0 || std::isnan(in[0][p]) || in[0][p] > in[0][best]) {
                     best = p;
                     best_flat = flat;
                   }
                 });
                 out.values.push_back(best_flat);
               });
               return out;
             }});
  }
  for (OpCase* c : {&unfolded, &folded, &largest}) cases->push_back(std::move(*c));
}

}  // namespace glia::test
