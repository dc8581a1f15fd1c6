#include "clusters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "glia/classic/decomposition.h"
#include "glia/classic/metrics.h"
#include "glia/classic/plots.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/tables/read.h"
#include "glia/vision/image.h"
#include "numbers.h"

namespace glia::recipes {
namespace {

// A table of finite numbers; `label` names a column that may hold any text, or is empty.
tables::Table read_numbers(const std::string& file, const std::string& label) {
  tables::CsvOptions options{.header = tables::Header::kGuess,
                             .default_missing = false,
                             .dates = false,
                             .skip_initial_space = true,
                             .row_length = tables::RowLength::kExact};
  if (!label.empty()) options.types = {{label, tables::ColumnType::kText}};
  tables::Table table = tables::read_csv(file, options);
  if (table.rows() == 0) throw IoError(file + ": holds no rows below its header");
  const auto is_number = [&](const tables::Column& c) {
    return c.name() == label || c.type() == tables::ColumnType::kFloat ||
           c.type() == tables::ColumnType::kInteger;
  };
  if (!std::ranges::all_of(table.columns(), is_number)) {
    for (const tables::Column& c : table.columns())
      if (c.name() != label) options.types.emplace_back(c.name(), tables::ColumnType::kFloat);
    table = tables::read_csv(file, options);  // says which is none, and where
  }
  for (const tables::Column& c : table.columns()) {
    if (c.name() == label || c.type() != tables::ColumnType::kFloat) continue;
    for (int64_t i = 0; i < c.size(); ++i)
      if (!std::isfinite(c.floats()[static_cast<size_t>(i)]))
        throw IoError(fmt::format("{}: row {}: '{}' of column '{}' is no number", file, i + 1,
                                  c.text(i), c.name()));
  }
  return table;
}

Samples read_rows(const std::string& file, const std::string& label) {
  tables::Table table = read_numbers(file, label);
  Samples out;
  if (!label.empty()) {
    const tables::Column& names = table.column(label);
    out.classes = names.categories();
    out.labels = cast(names.to_tensor(), kI64);
    table = table.without({label});
  }
  if (table.columns().empty()) throw IoError(file + ": has no column of numbers");
  out.values = table.to_tensor();
  out.form.features = table.names();
  return out;
}

report::Section pictures_of(const Tensor& centres, const ImageForm& form,
                            const std::vector<std::string>& names,
                            const std::vector<int64_t>& counts) {
  report::Images::Group group;
  for (size_t c = 0; c < names.size(); ++c) {
    const Tensor values = reshape(index(centres, {c}), {form.size, form.size, form.channels});
    group.pictures.push_back(
        {cast(clamp(round(values), 0, 255), kU8), names[c], fmt::format("{} samples", counts[c])});
  }
  return {"Centres", report::Images{{group}}, "", true};
}

report::Section numbers_of(const Tensor& centres, const std::vector<std::string>& features,
                           const std::vector<std::string>& names,
                           const std::vector<int64_t>& counts) {
  report::Table table{{{"cluster"}, {"samples"}}, {}};
  for (const std::string& feature : features) table.columns.push_back({feature});
  const auto values = centres.to_vector<double>();
  for (size_t c = 0; c < names.size(); ++c) {
    std::vector<report::Table::Cell> row = {names[c], counts[c]};
    for (size_t i = 0; i < features.size(); ++i) row.emplace_back(values[c * features.size() + i]);
    table.rows.push_back(std::move(row));
  }
  return {"Centres", table, "", true};
}

report::Section classes_of(const Samples& samples, const std::vector<int64_t>& clusters,
                           const std::vector<std::string>& names) {
  const size_t rows = samples.classes.size(), columns = names.size();
  std::vector<int64_t> matrix(rows * columns);
  const auto truth = samples.labels.to_vector<int64_t>();
  for (size_t i = 0; i < truth.size(); ++i) ++matrix[truth[i] * columns + clusters[i]];
  return {"Classes and clusters",
          report::Matrix{.rows = samples.classes,
                         .columns = names,
                         .values = from_vector(
                             matrix, {static_cast<int64_t>(rows), static_cast<int64_t>(columns)}),
                         .row_name = "class",
                         .column_name = "cluster"}};
}

report::Section plane_of(const Tensor& scaled, const std::vector<int64_t>& clusters,
                         const std::vector<std::string>& names) {
  constexpr int64_t kMost = 3000;  // samples are spread evenly
  const int64_t step = std::max<int64_t>(1, scaled.size(0) / kMost);
  const Tensor plane =
      classic::PCA({.n_components = 2}).fit(scaled).transform(slice(scaled, 0, {.step = step}));
  std::vector<int64_t> shown;
  for (size_t i = 0; i < clusters.size(); i += step) shown.push_back(clusters[i]);
  return {
      "Two principal axes",
      report::Scatter{
          .frames = {{plane, shown}}, .classes = names, .x = {"first axis"}, .y = {"second axis"}},
      "Samples by cluster, seen along the two directions of most variance.", true};
}

}  // namespace

std::vector<std::string> rows_of(const std::string& file) {
  const tables::Table table = read_numbers(file, "");
  std::vector<std::string> rows;
  for (int64_t i = 0; i < table.rows(); ++i) {
    std::string row;
    for (const tables::Column& c : table.columns()) row += (row.empty() ? "" : ", ") + c.text(i);
    rows.push_back(std::move(row));
  }
  return rows;
}

int64_t SampleForm::size() const {
  return is_table() ? static_cast<int64_t>(features.size())
                    : images.size * images.size * images.channels;
}

Tensor SampleForm::sample(const Input& input, std::string& note) const {
  Tensor x;
  if (const auto* tensor = std::get_if<Tensor>(&input)) {
    x = tensor->rank() == 3 && !is_table() ? images.prepared(*tensor, note) : *tensor;
  } else if (is_table()) {
    x = from_vector(numbers_of(std::get<std::string>(input), size()), {size()});
  } else {
    x = images.prepared(vision::read_image(std::get<std::string>(input)), note);
  }
  if (x.numel() != size())
    throw ValueError(fmt::format("{} has not the {} numbers of a sample", x.shape().str(), size()));
  return cast(reshape(x, {1, size()}), kF64);
}

Facts SampleForm::facts() const {
  return is_table() ? Facts{{"features", features}} : images.facts();
}

SampleForm SampleForm::of(const Saved& saved, bool table) {
  SampleForm form;
  if (table)
    form.features = saved.texts("features");
  else
    form.images = ImageForm::of(saved);
  return form;
}

Samples read_samples(const std::string& data, const std::string& label, const SampleForm* form) {
  Samples out;
  if (data.ends_with(".csv")) {
    out = read_rows(data, label);
  } else {
    const ImageSplits splits = read_images({.data = data}, form ? form->images.size : 0);
    const Tensor images = concat({splits.train.images, splits.test.images});
    // f64, but for sets that would be large.
    out.values = cast(reshape(images, {images.size(0), -1}), images.size(0) > 10000 ? kF32 : kF64);
    out.labels = concat({splits.train.labels, splits.test.labels});
    out.classes = splits.form.classes;
    out.form.images = splits.form;
  }
  if (form && out.values.size(1) != form->size())
    throw Error(
        fmt::format("{}: has {} features, the model {}", data, out.values.size(1), form->size()));
  return out;
}

Results nearest(const Tensor& distances) {
  const auto all = distances.to_vector<double>();
  const int64_t least = std::ranges::min_element(all) - all.begin();
  report::Table table{{{"cluster"}, {"distance"}}, {}};
  for (size_t c = 0; c < all.size(); ++c) table.rows.push_back({c, all[c]});
  return {{"cluster", least}, {"distance", all[static_cast<size_t>(least)]}, {"distances", table}};
}

Results agreement(const Samples& samples, const Tensor& clusters) {
  if (!samples.labels.defined()) return {};
  const auto s = classic::clustering_scores(samples.labels, clusters);
  return {{"homogeneity", s.homogeneity},
          {"completeness", s.completeness},
          {"v_measure", s.v_measure},
          {"adjusted_rand", s.adjusted_rand},
          {"adjusted_mutual_info", s.adjusted_mutual_info}};
}

std::vector<report::Section> cluster_sections(const Samples& samples, const Tensor& clusters,
                                              const Tensor& centres, const Tensor& scaled) {
  const auto of_sample = clusters.to_vector<int64_t>();
  std::vector<int64_t> counts(static_cast<size_t>(centres.size(0)));
  for (const int64_t c : of_sample) ++counts[c];
  std::vector<std::string> names;
  report::Bars sizes;
  for (const int64_t count : counts) {
    names.push_back(fmt::format("cluster {}", names.size()));
    sizes.bars.push_back({names.back(), static_cast<double>(count)});
  }
  std::vector<report::Section> out = {
      samples.form.is_table() ? numbers_of(centres, samples.form.features, names, counts)
                              : pictures_of(centres, samples.form.images, names, counts),
      {"Samples of each cluster", sizes}};
  if (samples.labels.defined()) out.push_back(classes_of(samples, of_sample, names));
  if (scaled.size(1) >= 2 && scaled.size(0) >= 3) out.push_back(plane_of(scaled, of_sample, names));
  return out;
}

report::Section elbow_of(const Tensor& x, classic::KMeansOptions options) {
  const int64_t most = std::min(2 * options.n_clusters, x.size(0));
  std::vector<int64_t> counts;
  std::vector<double> inertia;
  for (int64_t k = 1; k <= most; k += std::max<int64_t>(1, most / 10)) {
    options.n_clusters = k;
    counts.push_back(k);
    inertia.push_back(classic::KMeans(options).fit(x).inertia);
  }
  return classic::elbow_section(counts, inertia);
}

}  // namespace glia::recipes
