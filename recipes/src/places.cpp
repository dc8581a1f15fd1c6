#include "places.h"

#include <algorithm>

#include "glia/classic/manifold.h"
#include "glia/ops.h"
#include "glia/tables/read.h"

namespace glia::recipes {

double trust(const Tensor& samples, const Tensor& places) {
  constexpr int64_t kMost = 4000;
  const Slice spread{.step = (samples.size(0) + kMost - 1) / kMost};
  const Tensor some = slice(samples, 0, spread);
  const int64_t near = std::min<int64_t>(5, (some.size(0) - 1) / 2);
  return near > 0 ? classic::trustworthiness(some, slice(places, 0, spread), near) : 1;
}

double same_class(const Tensor& places, const Tensor& labels) {
  classic::NearestNeighbors search({.n_neighbors = 1});
  const Tensor near = search.fit(places).kneighbors().indices;
  return mean(cast(take(labels, reshape(near, {-1})) == labels, kF64)).item();
}

report::Scatter scatter_of(const Tensor& places, const Samples& samples, bool equal) {
  report::Scatter plane{.frames = {{.points = places}}, .equal = equal};
  if (samples.labels.defined()) {
    plane.frames[0].labels = samples.labels.to_vector<int64_t>();
    plane.classes = samples.classes;
  }
  return plane;
}

void write_places(const std::string& path, const Tensor& places, const Samples& samples) {
  std::vector<tables::Column> columns;
  for (const int64_t axis : {0, 1})
    columns.push_back(tables::Column::from_floats(
        axis == 0 ? "x" : "y", index(places, {Slice{}, axis}).to_vector<double>()));
  if (samples.labels.defined()) {
    std::vector<std::optional<std::string>> names;
    for (const int64_t of : samples.labels.to_vector<int64_t>())
      names.emplace_back(samples.classes.at(static_cast<size_t>(of)));
    columns.push_back(tables::Column::from_texts("class", names));
  }
  tables::write_csv(path, tables::Table(std::move(columns)));
}

}  // namespace glia::recipes
