#include "grid_dbscan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include "glia/parallel.h"
#include "merge_tree.h"

namespace glia::classic {
namespace {

constexpr int64_t kMostFeatures = 4;

struct Range {
  int64_t begin, end;
};
struct Cell {
  int64_t begin, end;  // of the samples in the grid's order
  // Cells that may hold samples within eps, itself among them: rows of cells that lie side by side.
  std::span<const Range> near;
};

class Grid {
 public:
  Grid(const double* x, int64_t n, int64_t d, double eps) : n_(n), d_(d), most_(eps * eps) {
    // A little less than eps / sqrt(d), so that rounding does not part what is within eps.
    const double side = eps / std::sqrt(static_cast<double>(d)) * (1 - 1e-9);
    std::vector<double> low(x, x + d), high = low;
    for (int64_t i = 0; i < n * d; ++i) {
      low[i % d] = std::min(low[i % d], x[i]);
      high[i % d] = std::max(high[i % d], x[i]);
    }
    const int bits = static_cast<int>(62 / d);
    const double limit = std::min(std::ldexp(1.0, bits), 1e9) - 8;
    for (int64_t f = 0; f < d; ++f) fits_ = fits_ && (high[f] - low[f]) / side < limit;
    if (!fits_) return;
    std::vector<uint64_t> keys;
    for (int64_t i = 0; i < n; ++i) {
      uint64_t key = 0;  // 4 cells of margin below, so that neighbours' keys are differences
      for (int64_t f = 0; f < d; ++f)
        key = key << bits | (static_cast<uint64_t>((x[i * d + f] - low[f]) / side) + 4);
      keys.push_back(key);
    }
    order.resize(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return keys[a] < keys[b] || (keys[a] == keys[b] && a < b);
    });
    std::vector<uint64_t> key_of;  // of cells
    for (int64_t k = 0; k < n; ++k) {
      const int64_t i = order[k];
      points_.insert(points_.end(), x + i * d, x + (i + 1) * d);
      if (k == 0 || keys[i] != keys[order[k - 1]]) {
        key_of.push_back(keys[i]);
        cells.push_back({k, k, {}});
      }
      cells.back().end = k + 1;
    }
    // Keys rise from cell to cell, and so do those of all neighbours: each row is found by going
    // on.
    const auto count = static_cast<int64_t>(cells.size());
    const std::vector<Row> rows = rows_near(bits);
    const auto most = static_cast<int64_t>(rows.size());
    near_.resize(static_cast<size_t>((count + kBlock - 1) / kBlock));
    parallel_for(static_cast<int64_t>(near_.size()), [&](int64_t block) {
      const int64_t first = block * kBlock, last = std::min(count, first + kBlock);
      std::vector<Range> found(static_cast<size_t>((last - first) * most));
      int64_t used[kBlock] = {}, total = 0;
      for (const Row& row : rows) {
        int64_t begin = std::lower_bound(key_of.begin(), key_of.end(), key_of[first] + row.from) -
                        key_of.begin();
        int64_t end = begin;
        for (int64_t c = first; c < last; ++c) {
          while (begin < count && key_of[begin] < key_of[c] + row.from) ++begin;
          end = std::max(end, begin);
          while (end < count && key_of[end] <= key_of[c] + row.to) ++end;
          if (begin < end) found[(c - first) * most + used[c - first]++] = {begin, end};
        }
      }
      for (int64_t c = first; c < last; ++c) total += used[c - first];
      std::vector<Range>& kept = near_[block];
      kept.reserve(static_cast<size_t>(total));
      for (int64_t c = first; c < last; ++c) {
        const auto from = found.begin() + (c - first) * most;
        kept.insert(kept.end(), from, from + used[c - first]);
        cells[c].near = {kept.data() + kept.size() - used[c - first],
                         static_cast<size_t>(used[c - first])};
      }
    });
  }

  bool fits() const { return fits_; }
  bool within(int64_t a, int64_t b) const {  // positions in `order`
    double sum = 0;
    for (int64_t f = 0; f < d_; ++f) {
      const double apart = points_[a * d_ + f] - points_[b * d_ + f];
      sum += apart * apart;
    }
    return sum <= most_;
  }

  std::vector<int64_t> order;
  std::vector<Cell> cells;

 private:
  static constexpr int64_t kBlock = 256;  // cells of one task
  // Differences of keys: all cells from the one to the other are neighbours along the last feature.
  struct Row {
    uint64_t from, to;  // modulo 2^64
  };
  // Those that are less than eps apart.
  std::vector<Row> rows_near(int bits) const {
    const auto reach = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(d_)) + 1e-6));
    std::vector<Row> rows;
    std::array<int64_t, kMostFeatures> step{};
    step.fill(-reach);
    while (true) {
      int64_t key = 0, gap = 0;
      for (int64_t f = 0; f + 1 < d_; ++f) {
        key = key * (int64_t{1} << bits) + step[f];
        const int64_t between = std::max<int64_t>(std::abs(step[f]) - 1, 0);
        gap += between * between;
      }
      if (gap <= d_) {
        int64_t along = reach;
        while (gap + (along - 1) * (along - 1) > d_) --along;
        key *= int64_t{1} << bits;
        rows.push_back({static_cast<uint64_t>(key - along), static_cast<uint64_t>(key + along)});
      }
      int64_t f = 0;
      while (f + 1 < d_ && step[f] == reach) step[f++] = -reach;
      if (f + 1 >= d_) return rows;
      ++step[f];
    }
  }

  int64_t n_, d_;
  double most_;
  bool fits_ = true;
  std::vector<double> points_;
  std::vector<std::vector<Range>> near_;  // of blocks of cells
};

}  // namespace

std::optional<DensityLabels> grid_dbscan(const double* x, int64_t n, int64_t d, double eps,
                                         double min_samples, const double* weight) {
  if (d > kMostFeatures || !std::isfinite(eps * eps) || eps * eps == 0) return {};
  const Grid grid(x, n, d, eps);
  if (!grid.fits()) return {};
  const auto& cells = grid.cells;
  const auto count = static_cast<int64_t>(cells.size());
  const auto each_cell = [&](const auto& body) {
    parallel_for((count + 15) / 16, [&](int64_t block) {
      for (int64_t c = block * 16; c < std::min(count, (block + 1) * 16); ++c) body(c);
    });
  };

  std::vector<char> core(static_cast<size_t>(n));  // by position in the grid's order
  const auto mass = [&](int64_t k) { return weight ? weight[grid.order[k]] : 1.0; };
  each_cell([&](int64_t c) {
    const Cell& cell = cells[c];
    double own = 0;
    for (int64_t k = cell.begin; k < cell.end; ++k) own += mass(k);
    if (own >= min_samples) {
      std::fill(core.begin() + cell.begin, core.begin() + cell.end, 1);
      return;
    }
    for (int64_t k = cell.begin; k < cell.end; ++k) {
      double sum = 0;
      for (size_t r = 0; r < cell.near.size() && sum < min_samples; ++r)
        for (int64_t j = cells[cell.near[r].begin].begin; j < cells[cell.near[r].end - 1].end; ++j)
          if (grid.within(k, j)) sum += mass(j);
      core[k] = sum >= min_samples;
    }
  });

  // Cells whose core samples reach each other become one.
  DisjointSets sets(count);
  const auto linked = [&](const Cell& a, const Cell& b) {
    for (int64_t k = a.begin; k < a.end; ++k)
      for (int64_t j = b.begin; core[k] && j < b.end; ++j)
        if (core[j] && grid.within(k, j)) return true;
    return false;
  };
  std::vector<char> has_core(static_cast<size_t>(count));
  for (int64_t c = 0; c < count; ++c)
    has_core[c] = std::any_of(core.begin() + cells[c].begin, core.begin() + cells[c].end,
                              [](char is) { return is != 0; });
  for (int64_t c = 0; c < count; ++c)
    for (const Range& row : has_core[c] ? cells[c].near : std::span<const Range>())
      for (int64_t o = row.begin; o < std::min(row.end, c); ++o)
        if (has_core[o] && sets.find(o) != sets.find(c) && linked(cells[c], cells[o]))
          sets.join(sets.find(c), sets.find(o));

  // Clusters are numbered by their first core sample.
  std::vector<int64_t> cell_of(static_cast<size_t>(n)), position(static_cast<size_t>(n));
  for (int64_t c = 0; c < count; ++c)
    for (int64_t k = cells[c].begin; k < cells[c].end; ++k) {
      cell_of[grid.order[k]] = c;
      position[grid.order[k]] = k;
    }
  DensityLabels result;
  result.labels.assign(static_cast<size_t>(n), -1);
  result.core.resize(static_cast<size_t>(n));
  std::vector<int64_t> number(static_cast<size_t>(count), -1);
  int64_t clusters = 0;
  for (int64_t i = 0; i < n; ++i) {
    result.core[i] = core[position[i]] != 0;
    if (!result.core[i]) continue;
    int64_t& of = number[sets.find(cell_of[i])];
    if (of == -1) of = clusters++;
    result.labels[i] = of;
  }
  std::vector<int64_t> roots;
  for (int64_t c = 0; c < count; ++c) roots.push_back(sets.find(c));
  // What is no core belongs to the first cluster within eps.
  each_cell([&](int64_t c) {
    const Cell& cell = cells[c];
    const auto reached = [&](int64_t k, const Cell& other) {
      for (int64_t j = other.begin; j < other.end; ++j)
        if (core[j] && grid.within(k, j)) return true;
      return false;
    };
    for (const Range& row : cell.near)
      for (int64_t o = row.begin; o < row.end; ++o) {
        if (!has_core[o]) continue;
        const int64_t of = number[roots[o]];
        for (int64_t k = cell.begin; k < cell.end; ++k) {
          int64_t& label = result.labels[grid.order[k]];
          if (!core[k] && (label == -1 || of < label) && reached(k, cells[o])) label = of;
        }
      }
  });
  return result;
}

}  // namespace glia::classic
