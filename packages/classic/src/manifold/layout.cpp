#include "manifold/layout.h"

#include <algorithm>
#include <cmath>

#include "glia/data.h"
#include "glia/ops.h"
#include "manifold/places.h"

namespace glia::classic {
namespace {

// Moves by at most this along an axis at once.
float clipped(float x) { return std::clamp(x, -4.0f, 4.0f); }

class Layout {
 public:
  Layout(std::vector<float>& y, int64_t d, const LayoutOptions& options,
         const std::vector<float>* others)
      : y_(y),
        d_(d),
        o_(options),
        others_(others ? *others : y),
        moves_(!others),
        count_(static_cast<int64_t>(others_.size()) / d),
        random_(options.seed) {}

  // An edge pulls both its ends together, or only i.
  void pull(int64_t i, int64_t j, float rate) {
    float* own = &y_[i * d_];
    const float* other = &others_[j * d_];
    const float squares = distance(own, other);
    if (squares <= 0) return;
    const float power = std::pow(squares, b());
    const float slope = -2 * a() * b() * power / (squares * (a() * power + 1));
    for (int64_t c = 0; c < d_; ++c) {
      const float move = clipped(slope * (own[c] - other[c])) * rate;
      own[c] += move;
      if (moves_) y_[j * d_ + c] -= move;
    }
  }
  void push(int64_t i, float rate) {
    const int64_t j = random_.below(count_);
    float* own = &y_[i * d_];
    const float* other = &others_[j * d_];
    const float squares = distance(own, other);
    if (squares <= 0) return;
    const float slope = 2 * static_cast<float>(o_.repulsion) * b() /
                        ((0.001f + squares) * (a() * std::pow(squares, b()) + 1));
    for (int64_t c = 0; c < d_; ++c) own[c] += clipped(slope * (own[c] - other[c])) * rate;
  }

 private:
  float a() const { return static_cast<float>(o_.a); }
  float b() const { return static_cast<float>(o_.b); }
  float distance(const float* p, const float* q) const {
    float sum = 0;
    for (int64_t c = 0; c < d_; ++c) sum += (p[c] - q[c]) * (p[c] - q[c]);
    return sum;
  }

  std::vector<float>& y_;
  int64_t d_;
  const LayoutOptions& o_;
  const std::vector<float>& others_;
  bool moves_;
  int64_t count_;
  data::Random random_;
};

// Where the parts of a graph go: apart along the axes, or, if there are many, by what their samples
// are in the mean.
Tensor centers_of(const std::vector<int64_t>& part, int64_t parts, const Tensor& x, int64_t d) {
  std::vector<double> at(static_cast<size_t>(parts * d));
  if (parts <= 2 * d) {
    const int64_t half = (parts + 1) / 2;
    for (int64_t p = 0; p < parts; ++p) at[p * d + p % half] = p < half ? 1 : -1;
    return from_vector(at, {parts, d});
  }
  std::vector<double> sums(static_cast<size_t>(parts * x.size(1))), sizes(at.size());
  const auto values = x.data<double>();
  for (size_t i = 0; i < part.size(); ++i) {
    ++sizes[part[i]];
    for (int64_t f = 0; f < x.size(1); ++f)
      sums[part[i] * x.size(1) + f] += values[i * x.size(1) + f];
  }
  for (int64_t p = 0; p < parts; ++p)
    for (int64_t f = 0; f < x.size(1); ++f) sums[p * x.size(1) + f] /= sizes[p];
  const Tensor distances =
      distances_of(from_vector(sums, {parts, x.size(1)}), Metric::kEuclidean, 2, Where::current());
  const Tensor scaled = distances / maximum(max(distances), 1e-300);
  const Tensor map = slice(laplacian_map(exp(-square(scaled)), d + 1), 1, Slice{1, d + 1});
  return map / maximum(max(abs(map)), 1e-300);
}

}  // namespace

void lay_out(std::vector<float>& y, int64_t d, const Graph& graph, const LayoutOptions& options,
             const std::vector<float>* others) {
  if (graph.edges() == 0) return;
  const double most = *std::max_element(graph.values.begin(), graph.values.end());
  struct Turn {
    int32_t i, j;
    double every, next, next_push;  // epochs
  };
  std::vector<Turn> turns;
  const auto negatives = static_cast<double>(options.negatives);
  for (int64_t i = 0; i < graph.size(); ++i)
    for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e) {
      const double every = most / graph.values[e];
      if (every > static_cast<double>(options.epochs)) continue;  // never
      turns.push_back({static_cast<int32_t>(i), graph.columns[e], every, every, every / negatives});
    }
  Layout layout(y, d, options, others);
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    const auto now = static_cast<double>(epoch);
    const auto rate =
        static_cast<float>(options.learning_rate * (1 - now / static_cast<double>(options.epochs)));
    for (Turn& t : turns) {
      if (t.next > now) continue;
      layout.pull(t.i, t.j, rate);
      t.next += t.every;
      if (options.negatives == 0) continue;
      const double between = t.every / negatives;
      const auto pushes = static_cast<int64_t>((now - t.next_push) / between);
      for (int64_t p = 0; p < pushes; ++p) layout.push(t.i, rate);
      t.next_push += static_cast<double>(pushes) * between;
    }
  }
}

Tensor spectral_places(const Graph& graph, const Tensor& x, int64_t d, uint64_t seed) {
  constexpr double kTolerance = 1e-4;  // it is only a place to begin
  int64_t parts = 0;
  const std::vector<int64_t> part = graph.parts(parts);
  const int64_t n = graph.size();
  const auto map_of = [&](const Graph& g) {
    return slice(laplacian_map(g, d + 1, seed, kTolerance), 1, Slice{1, d + 1});
  };
  if (parts == 1 && n > d + 1) return map_of(graph);

  const Tensor centers = centers_of(part, parts, x, d);
  const Tensor apart = distances_of(centers, Metric::kEuclidean, 2, Where::current());
  const auto between = apart.data<double>();
  const auto center = centers.data<double>();
  std::vector<std::vector<int64_t>> members(static_cast<size_t>(parts));
  std::vector<int32_t> position(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    position[i] = static_cast<int32_t>(members[part[i]].size());
    members[part[i]].push_back(i);
  }
  std::vector<double> places(static_cast<size_t>(n * d));
  for (int64_t p = 0; p < parts; ++p) {
    double range = parts == 1 ? 1 : std::numeric_limits<double>::infinity();
    for (int64_t q = 0; q < parts; ++q)
      if (const double to = between[p * parts + q]; to > 0) range = std::min(range, to / 2);
    if (std::isinf(range)) range = 1;
    const auto size = static_cast<int64_t>(members[p].size());
    Tensor map;
    if (size < 2 * d || size <= d + 1) {
      map = uniform_places(size, d, -range, range, seed + static_cast<uint64_t>(p) + 1);
    } else {
      Graph own;
      own.starts = {0};
      for (const int64_t i : members[p]) {
        for (int64_t e = graph.starts[i]; e < graph.starts[i + 1]; ++e) {
          own.columns.push_back(position[graph.columns[e]]);
          own.values.push_back(graph.values[e]);
        }
        own.starts.push_back(own.edges());
      }
      map = map_of(own);
      map = map * (range / maximum(max(abs(map)), 1e-300));
    }
    const std::vector<double> of = map.to_vector<double>();
    for (int64_t i = 0; i < size; ++i)
      for (int64_t c = 0; c < d; ++c)
        places[members[p][i] * d + c] = of[i * d + c] + center[p * d + c];
  }
  return from_vector(places, {n, d});
}

}  // namespace glia::classic
