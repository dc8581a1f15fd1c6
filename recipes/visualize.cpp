// Samples as points in the plane: the images of a data set, or the rows of a table.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/classic/compose.h"
#include "glia/classic/manifold.h"
#include "glia/classic/preprocessing.h"
#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/clusters.h"
#include "recipes/src/places.h"
#include "recipes/src/tabular.h"

namespace glia::recipes {
namespace {

struct VisualizeSettings : Settings {
  std::string data, label, method, param;
  int64_t most = 0;
  bool scale = false;

  void declare(Fields& f) override {
    f(data, "data", "digits", "A data set of images, or a table of numbers, each row a sample.",
      data_sets("image-classification", "FILE.csv"));
    f(label, "label", "", "A column of the table that is no feature, but the points' colour.");
    f(method, "method", "t-sne", "How places are found.",
      {{"t-sne", "umap", "pca", "kernel-pca", "isomap", "lle", "mds", "spectral"}});
    f(param, "param", "", "Options of the method: \"perplexity=50\", \"n_neighbors=30\".");
    f(most, "most", 10000, "Samples at most, spread evenly over the data.", {10, 1000000});
    f(scale, "scale", is_table(), "Brings each feature to mean 0 and variance 1 first.");
    Settings::declare(f);
  }
  bool is_table() const { return data.ends_with(".csv"); }
  classic::Pipeline pipeline() const {
    static const std::vector<std::pair<std::string, std::string>> kNames = {
        {"t-sne", "TSNE"},
        {"umap", "UMAP"},
        {"pca", "PCA"},
        {"isomap", "Isomap"},
        {"kernel-pca", "KernelPCA"},
        {"lle", "LocallyLinearEmbedding"},
        {"mds", "MDS"},
        {"spectral", "SpectralEmbedding"}};
    const auto name =
        std::ranges::find(kNames, method, &std::pair<std::string, std::string>::first);
    auto map = classic::make_estimator(name->second);
    for (const classic::Param& p : map->params()) {
      if (p.name() == "n_components") p.set(int64_t{2});
      if (p.name() == "random_state") p.set(seed);
    }
    set_options(*map, param);
    for (const classic::Param& p : map->params())
      if (p.name() == "n_components" && classic::to_text(p.value()) != "2")
        throw Error("--param: a picture has two dimensions");
    classic::NamedEstimators steps;
    if (scale) steps.emplace_back("scale", classic::make_estimator("StandardScaler"));
    steps.emplace_back("map", std::move(map));
    return classic::Pipeline(std::move(steps));
  }
};

void train(Run& run, const VisualizeSettings& s) {
  classic::Pipeline pipeline = s.pipeline();
  Samples samples = read_samples(s.data, s.label);
  const int64_t step = (samples.values.size(0) + s.most - 1) / s.most;
  if (step > 1) {
    samples.values = slice(samples.values, 0, {.step = step});
    if (samples.labels.defined()) samples.labels = slice(samples.labels, 0, {.step = step});
  }
  const int64_t n = samples.values.size(0);
  run.say(fmt::format("{}: {} samples with {} features, results in {}", s.data, n,
                      samples.values.size(1), run.folder()));
  const Tensor places = cast(pipeline.fit_transform(samples.values), kF64);
  run.save(pipeline.state_dict(), samples.form.facts());
  write_places(run.file("places.csv"), places, samples);

  Results results;
  results.push_back({"trustworthiness", trust(samples.values, places)});
  if (samples.labels.defined() && n > 1)
    results.push_back({"nearest_of_same_class", same_class(places, samples.labels), true});
  if (const auto* tsne = dynamic_cast<const classic::TSNE*>(&pipeline.step("map")))
    results.push_back({"kl_divergence", tsne->kl_divergence});
  results.push_back({"samples", n});
  run.finish({.title = fmt::format("{} by {}", std::filesystem::path(s.data).stem().string(),
                                   classic::to_text(pipeline.step("map"))),
              .subtitle = fmt::format("{} samples with {} features by {}", n,
                                      samples.values.size(1), version()),
              .sections = {{"Samples", scatter_of(places, samples, s.method == "pca"),
                            "Near points are alike; of most methods, far ones say little.", true}}},
             std::move(results));
}

class Placer : public Predictor {
 public:
  Placer(const Saved& saved, const VisualizeSettings& s)
      : settings_(s), form_(SampleForm::of(saved, s.is_table())), pipeline_(s.pipeline()) {
    try {
      pipeline_.load_state_dict(saved.weights);
    } catch (const Error& fault) {
      throw IoError(saved.path + ": " + fault.what());
    }
    if (form_.size() != pipeline_.n_features_in)
      throw IoError(saved.path + ": what it says of its features does not fit together");
  }
  std::vector<std::string> inputs(const std::string& text) const override {
    return form_.is_table() && text.ends_with(".csv") ? rows_of(text) : std::vector{text};
  }

 protected:
  Results answer(const Input& input) const override {
    std::string note;
    const auto place = pipeline_.transform(form_.sample(input, note)).to_vector<double>();
    Results results = {{"x", place.at(0)}, {"y", place.at(1)}};
    if (!note.empty()) results.push_back({"note", note});
    return results;
  }
  Results score(const Evaluation& what) const override {
    const Samples samples =
        read_samples(what.data.empty() ? settings_.data : what.data, settings_.label, &form_);
    const Tensor places = pipeline_.transform(samples.values);
    Results results = {{"trustworthiness", trust(samples.values, places)}};
    if (samples.labels.defined())
      results.push_back({"nearest_of_same_class", same_class(places, samples.labels), true});
    return results;
  }

 private:
  const VisualizeSettings settings_;
  const SampleForm form_;
  classic::Pipeline pipeline_;
};

const Register<VisualizeSettings> visualize({
    .name = "visualize",
    .task = "visualization",
    .description = "Images or the rows of a table as points in the plane, by t-SNE, UMAP, PCA.",
    .run_name =
        [](const VisualizeSettings& s) {
          return fmt::format("visualize-{}-{}", std::filesystem::path(s.data).stem().string(),
                             s.method);
        },
    .train = train,
    .load = make_predictor<Placer, VisualizeSettings>,
    .input = "SAMPLE",
    .input_help = "A picture, or the numbers of a row, \"1, 2.5\", or a CSV file of rows.",
    .predict_help = "Prints where it lies in the plane; t-sne, mds and spectral place no others.",
    .evaluate_help =
        "Prints how far the places of data can be trusted, 0 to 1: whether what is near in the\n"
        "plane is near in the data.",
    .resumes = false,
});

}  // namespace
}  // namespace glia::recipes
