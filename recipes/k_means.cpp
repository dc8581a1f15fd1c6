// Clusters by k-means: of the images of a data set, or of the rows of a table.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "glia/classic/cluster.h"
#include "glia/classic/decomposition.h"
#include "glia/classic/metrics.h"
#include "glia/classic/preprocessing.h"
#include "glia/recipes/run.h"
#include "glia/runtime.h"
#include "glia/vision/image.h"
#include "recipes/src/images.h"
#include "recipes/src/table.h"

namespace glia::recipes {
namespace {

struct KMeansSettings : Settings {
  std::string data, label, init;
  int64_t clusters = 0, n_init = 0, max_iter = 0;
  bool scale = false;

  void declare(Fields& f) override {
    f(data, "data", "digits", "A data set of images, or a table of numbers, each row a sample.",
      data_sets("image-classification", "FILE.csv"));
    f(label, "label", "", "A column of the table that is no feature, but compared with.");
    f(clusters, "clusters", 10, "How many clusters.", {1, 10000});
    f(init, "init", "k-means++", "How the first centres are drawn.", {{"k-means++", "random"}});
    f(n_init, "n-init", 4, "Runs from other centres, of which the best is kept.", {1, 1000});
    f(max_iter, "max-iter", 300, "Iterations of a run at most.", {1, 100000});
    f(scale, "scale", true, "Brings each feature to mean 0 and variance 1 first.");
    Settings::declare(f);
  }
  bool is_table() const { return data.ends_with(".csv"); }
};

// Samples, and their true classes if these are known.
struct Samples {
  Tensor values;  // (N, features)
  Tensor labels;  // i64 (N), or undefined
  std::vector<std::string> classes, features;
  ImageForm form;  // of images
};

Samples read_samples(const KMeansSettings& s, const std::string& data, const ImageForm* form) {
  Samples out;
  if (data.ends_with(".csv")) {
    NumberTable table = read_table(data, s.label);
    out.values = table.values;
    out.features = table.names;
    std::vector<int64_t> labels;
    for (const std::string& label : table.labels) {
      const auto at = std::ranges::find(out.classes, label);
      labels.push_back(at - out.classes.begin());
      if (at == out.classes.end()) out.classes.push_back(label);
    }
    if (!labels.empty()) out.labels = from_vector(labels, {static_cast<int64_t>(labels.size())});
    return out;
  }
  const ImageSplits splits = read_images({.data = data}, form ? form->size : 0);
  out.form = splits.form;
  const Tensor images = concat({splits.train.images, splits.test.images});
  // f64, but for sets that would be large.
  out.values = cast(reshape(images, {images.size(0), -1}), images.size(0) > 10000 ? kF32 : kF64);
  out.labels = concat({splits.train.labels, splits.test.labels});
  out.classes = splits.form.classes;
  return out;
}

// What is fitted.
struct Fitted {
  classic::StandardScaler scaler{classic::StandardScalerOptions{}};
  classic::KMeans kmeans;
  Tensor scaled(const Tensor& x) const { return scaler.fitted() ? scaler.transform(x) : x; }
};

Results scores(const Tensor& truth, const Tensor& labels) {
  const auto s = classic::clustering_scores(truth, labels);
  return {{"homogeneity", s.homogeneity},
          {"completeness", s.completeness},
          {"v_measure", s.v_measure},
          {"adjusted_rand", s.adjusted_rand},
          {"adjusted_mutual_info", s.adjusted_mutual_info}};
}

// The sections that show the clusters: sizes, centres, classes, and the plane of two axes.
void add_sections(report::Report& page, const Samples& samples, const Fitted& fitted,
                  const Tensor& scaled) {
  const int64_t k = fitted.kmeans.options().n_clusters, n = samples.values.size(0);
  const auto clusters = fitted.kmeans.labels.to_vector<int64_t>();
  std::vector<std::string> names;
  report::Bars sizes;
  std::vector<int64_t> counts(static_cast<size_t>(k));
  for (const int64_t c : clusters) ++counts[c];
  for (int64_t c = 0; c < k; ++c) {
    names.push_back(fmt::format("cluster {}", c));
    sizes.bars.push_back({names[c], static_cast<double>(counts[c])});
  }
  const Tensor centers = fitted.scaler.fitted()
                             ? fitted.scaler.inverse_transform(fitted.kmeans.cluster_centers)
                             : fitted.kmeans.cluster_centers;
  if (samples.form.size > 0) {
    report::Images::Group group;
    const int64_t size = samples.form.size;
    for (int64_t c = 0; c < k; ++c)
      group.pictures.push_back(
          {cast(clamp(round(reshape(index(centers, {c}), {size, size, samples.form.channels})), 0,
                      255),
                kU8),
           names[c], fmt::format("{} samples", counts[c])});
    page.sections.push_back({"Centres", report::Images{{group}}, "", true});
  } else {
    report::Table table{{{"cluster"}, {"samples"}}, {}};
    for (const std::string& feature : samples.features) table.columns.push_back({feature});
    const auto values = centers.to_vector<double>();
    for (int64_t c = 0; c < k; ++c) {
      std::vector<report::Table::Cell> row = {names[c], counts[c]};
      for (size_t i = 0; i < samples.features.size(); ++i)
        row.push_back(values[c * samples.features.size() + i]);
      table.rows.push_back(std::move(row));
    }
    page.sections.push_back({"Centres", table, "", true});
  }
  page.sections.push_back({"Samples of each cluster", sizes});
  if (samples.labels.defined()) {
    const auto classes = static_cast<int64_t>(samples.classes.size());
    std::vector<int64_t> matrix(static_cast<size_t>(classes * k));
    const auto truth = samples.labels.to_vector<int64_t>();
    for (int64_t i = 0; i < n; ++i) ++matrix[truth[i] * k + clusters[i]];
    page.sections.push_back(
        {"Classes and clusters", report::Matrix{.rows = samples.classes,
                                                .columns = names,
                                                .values = from_vector(matrix, {classes, k}),
                                                .row_name = "class",
                                                .column_name = "cluster"}});
  }
  if (scaled.size(1) < 2 || n < 3) return;
  constexpr int64_t kMost = 3000;  // samples are spread evenly
  const Tensor some = slice(scaled, 0, {.step = std::max<int64_t>(1, n / kMost)});
  const Tensor plane = classic::PCA({.n_components = 2}).fit(scaled).transform(some);
  std::vector<int64_t> shown;
  for (int64_t i = 0; i < n; i += std::max<int64_t>(1, n / kMost)) shown.push_back(clusters[i]);
  page.sections.push_back(
      {"Two principal axes",
       report::Scatter{
           .frames = {{plane, shown}}, .classes = names, .x = {"first axis"}, .y = {"second axis"}},
       "Samples by cluster, seen along the two directions of most variance.", true});
}

void train(Run& run, const KMeansSettings& s) {
  const Samples samples = read_samples(s, s.data, nullptr);
  if (samples.values.size(0) < s.clusters)
    throw Error(
        fmt::format("--clusters {}: there are {} samples", s.clusters, samples.values.size(0)));
  Fitted fitted{
      .kmeans = classic::KMeans({.n_clusters = s.clusters,
                                 .init = s.init == "random" ? classic::KMeansInit::kRandom
                                                            : classic::KMeansInit::kKMeansPlusPlus,
                                 .n_init = s.n_init,
                                 .max_iter = s.max_iter,
                                 .random_state = static_cast<uint64_t>(s.seed)})};
  if (s.scale) fitted.scaler.fit(samples.values);
  const Tensor scaled = fitted.scaled(samples.values);
  run.say(fmt::format("{}: {} samples with {} features, results in {}", s.data, scaled.size(0),
                      scaled.size(1), run.folder()));
  fitted.kmeans.fit(scaled);

  StateDict state;
  for (const auto& [name, value] : fitted.kmeans.state_dict())
    if (name != "labels") state.emplace_back("kmeans." + name, value);
  if (s.scale)
    for (const auto& [name, value] : fitted.scaler.state_dict())
      state.emplace_back("scaler." + name, value);
  Facts facts =
      samples.form.size > 0 ? samples.form.facts() : Facts{{"features", samples.features}};
  run.save(state, facts);

  report::Report page{.title = "k-means, " + (s.is_table() ? s.data : ImageSource{s.data}.title()),
                      .subtitle = fmt::format("{} clusters of {} samples by {}", s.clusters,
                                              scaled.size(0), version())};
  add_sections(page, samples, fitted, scaled);
  Results results = {{"inertia", fitted.kmeans.inertia}};
  if (samples.labels.defined())
    for (Result& score : scores(samples.labels, fitted.kmeans.labels))
      results.push_back(std::move(score));
  results.push_back({"iterations", fitted.kmeans.n_iter});
  run.finish(page, std::move(results));
}

class Clusters : public Predictor {
 public:
  Clusters(const Saved& saved, const KMeansSettings& s) : settings_(s) {
    StateDict kmeans, scaler;
    for (const auto& [name, value] : saved.weights) {
      if (name.starts_with("kmeans.")) kmeans.emplace_back(name.substr(7), value);
      if (name.starts_with("scaler.")) scaler.emplace_back(name.substr(7), value);
    }
    fitted_.kmeans = classic::KMeans({.n_clusters = s.clusters});
    kmeans.emplace_back("labels", zeros({s.clusters}, kI64));
    fitted_.kmeans.load_state_dict(kmeans);
    if (s.scale) fitted_.scaler.load_state_dict(scaler);
    features_ = fitted_.kmeans.n_features_in;
    if (s.is_table()) {
      names_ = saved.texts("features");
    } else {
      form_ = ImageForm::of(saved);
    }
    const int64_t told = s.is_table() ? static_cast<int64_t>(names_.size())
                                      : form_.size * form_.size * form_.channels;
    if (told != features_ || (s.scale && fitted_.scaler.n_features_in != features_))
      throw IoError(saved.path + ": what it says of its features does not fit together");
  }
  std::vector<std::string> inputs(const std::string& text) const override {
    if (!settings_.is_table() || !text.ends_with(".csv")) return {text};
    NumberTable table = read_table(text);
    const auto values = table.values.to_vector<double>();
    const size_t columns = table.names.size();
    std::vector<std::string> rows;
    for (size_t i = 0; i < values.size(); i += columns)
      rows.push_back(
          fmt::format("{}", fmt::join(values.begin() + i, values.begin() + i + columns, ", ")));
    return rows;
  }

 protected:
  Results answer(const Input& input) const override {
    std::string note;
    Tensor x;
    if (const auto* tensor = std::get_if<Tensor>(&input)) {
      x = tensor->rank() == 3 && !settings_.is_table() ? form_.prepared(*tensor, note) : *tensor;
    } else if (settings_.is_table()) {
      x = from_vector(numbers_of(std::get<std::string>(input), features_), {features_});
    } else {
      x = form_.prepared(vision::read_image(std::get<std::string>(input)), note);
    }
    if (x.numel() != features_)
      throw ValueError(
          fmt::format("{} has not the {} numbers of a sample", x.shape().str(), features_));
    x = cast(reshape(x, {1, features_}), kF64);
    const auto distances = fitted_.kmeans.transform(fitted_.scaled(x)).to_vector<double>();
    const auto nearest = std::ranges::min_element(distances) - distances.begin();
    report::Table table{{{"cluster"}, {"distance"}}, {}};
    for (size_t c = 0; c < distances.size(); ++c)
      table.rows.push_back({static_cast<int64_t>(c), distances[c]});
    Results results = {
        {"cluster", int64_t{nearest}}, {"distance", distances[nearest]}, {"distances", table}};
    if (!note.empty()) results.push_back({"note", note});
    return results;
  }
  Results score(const Evaluation& what) const override {
    const std::string& data = what.data.empty() ? settings_.data : what.data;
    Samples samples = read_samples(settings_, data, settings_.is_table() ? nullptr : &form_);
    if (samples.values.size(1) != features_)
      throw Error(fmt::format("{}: has {} features, the model {}", data, samples.values.size(1),
                              features_));
    const Tensor x = fitted_.scaled(samples.values);
    Results results = {{"inertia", -fitted_.kmeans.score(x)}, {"samples", x.size(0)}};
    if (samples.labels.defined())
      for (Result& score : scores(samples.labels, fitted_.kmeans.predict(x)))
        results.push_back(std::move(score));
    return results;
  }

 private:
  const KMeansSettings settings_;
  Fitted fitted_;
  int64_t features_ = 0;
  std::vector<std::string> names_;
  ImageForm form_;
};

const Register<KMeansSettings> k_means({
    .name = "k-means",
    .task = "clustering",
    .description = "Clusters by k-means, of images or of the rows of a table.",
    .run_name =
        [](const KMeansSettings& s) {
          return "k-means-" + std::filesystem::path(s.data).stem().string();
        },
    .references = [](const KMeansSettings& s) -> std::vector<Reference> {
      if (s.data != "digits" || s.clusters != 10 || !s.scale || s.init != "k-means++") return {};
      return {
          {"inertia", 69432, "scikit-learn's example on digits, one seed; mean of seeds 69,830"}};
    },
    .train = train,
    .load = [](const Saved& saved, const KMeansSettings& s) -> std::unique_ptr<Predictor> {
      return std::make_unique<Clusters>(saved, s);
    },
    .input = "SAMPLE",
    .input_help = "A picture, or the numbers of a row, \"1, 2.5\", or a CSV file of rows.",
    .predict_help = "Prints the cluster whose centre is nearest, and the distance of each.",
    .evaluate_help =
        "Prints the inertia: the sum of squared distances to the nearest centres; and, where the\n"
        "classes are known, how well clusters and classes agree.",
    .resumes = false,
});

}  // namespace
}  // namespace glia::recipes
