// Clusters by k-means: of the images of a data set, or of the rows of a table.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/classic/cluster.h"
#include "glia/classic/preprocessing.h"
#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/clusters.h"

namespace glia::recipes {
namespace {

struct KMeansSettings : Settings {
  std::string data, label, init;
  int64_t n_init = 0;
  bool scale = false, elbow = false;
  classic::KMeansOptions options;

  void declare(Fields& f) override {
    f(data, "data", "digits", "A data set of images, or a table of numbers, each row a sample.",
      data_sets("image-classification", "FILE.csv"));
    f(label, "label", "", "A column of the table that is no feature, but compared with.");
    f(options.n_clusters, "clusters", 10, "How many clusters.", {1, 10000});
    f(init, "init", "k-means++", "How the first centres are drawn.", {{"k-means++", "random"}});
    f(n_init, "n-init", 4, "Runs from other centres, of which the best is kept.", {1, 1000});
    f(options.max_iter, "max-iter", 300, "Iterations of a run at most.", {1, 100000});
    f(scale, "scale", true, "Brings each feature to mean 0 and variance 1 first.");
    f(elbow, "elbow", false,
      "Also fits other numbers of clusters, up to twice as many, for the report.");
    Settings::declare(f);
    options.init =
        init == "random" ? classic::KMeansInit::kRandom : classic::KMeansInit::kKMeansPlusPlus;
    options.n_init = n_init;
    options.random_state = static_cast<uint64_t>(seed);
  }
  bool is_table() const { return data.ends_with(".csv"); }
};

struct Fitted {
  classic::StandardScaler scaler{classic::StandardScalerOptions{}};
  classic::KMeans kmeans;

  Tensor scaled(const Tensor& x) const { return scaler.fitted() ? scaler.transform(x) : x; }
  Tensor centres() const {
    const Tensor& c = kmeans.cluster_centers;
    return scaler.fitted() ? scaler.inverse_transform(c) : c;
  }
  StateDict state_dict() const {
    StateDict out;
    io::append(out, "kmeans.", kmeans.state_dict());
    std::erase_if(out, [](const auto& one) { return one.first == "kmeans.labels"; });
    if (scaler.fitted()) io::append(out, "scaler.", scaler.state_dict());
    return out;
  }
};

void train(Run& run, const KMeansSettings& s) {
  const Samples samples = read_samples(s.data, s.label);
  const int64_t clusters = s.options.n_clusters;
  if (samples.values.size(0) < clusters)
    throw Error(
        fmt::format("--clusters {}: there are {} samples", clusters, samples.values.size(0)));
  Fitted fitted{.kmeans = classic::KMeans(s.options)};
  if (s.scale) fitted.scaler.fit(samples.values);
  const Tensor scaled = fitted.scaled(samples.values);
  run.say(fmt::format("{}: {} samples with {} features, results in {}", s.data, scaled.size(0),
                      scaled.size(1), run.folder()));
  fitted.kmeans.fit(scaled);
  run.save(fitted.state_dict(), samples.form.facts());

  report::Report page{
      .title = "k-means, " + (s.is_table() ? s.data : ImageSource{s.data}.title()),
      .subtitle =
          fmt::format("{} clusters of {} samples by {}", clusters, scaled.size(0), version()),
      .sections = cluster_sections(samples, fitted.kmeans.labels, fitted.centres(), scaled)};
  if (s.elbow) page.sections.push_back(elbow_of(scaled, s.options));
  Results results = {{"inertia", fitted.kmeans.inertia}};
  for (Result& r : agreement(samples, fitted.kmeans.labels)) results.push_back(std::move(r));
  results.push_back({"iterations", fitted.kmeans.n_iter});
  run.finish(page, std::move(results));
}

class Clusters : public Predictor {
 public:
  Clusters(const Saved& saved, const KMeansSettings& s)
      : settings_(s), form_(SampleForm::of(saved, s.is_table())) {
    fitted_.kmeans = classic::KMeans(s.options);
    StateDict kmeans = io::with_prefix(saved.weights, "kmeans.");
    kmeans.emplace_back("labels", zeros({s.options.n_clusters}, kI64));
    fitted_.kmeans.load_state_dict(kmeans);
    if (s.scale) fitted_.scaler.load_state_dict(io::with_prefix(saved.weights, "scaler."));
    const int64_t features = fitted_.kmeans.n_features_in;
    if (form_.size() != features || (s.scale && fitted_.scaler.n_features_in != features))
      throw IoError(saved.path + ": what it says of its features does not fit together");
  }
  std::vector<std::string> inputs(const std::string& text) const override {
    return form_.is_table() && text.ends_with(".csv") ? rows_of(text) : std::vector{text};
  }

 protected:
  Results answer(const Input& input) const override {
    std::string note;
    const Tensor x = fitted_.scaled(form_.sample(input, note));
    Results results = nearest(fitted_.kmeans.transform(x));
    if (!note.empty()) results.push_back({"note", note});
    return results;
  }
  Results score(const Evaluation& what) const override {
    const Samples samples =
        read_samples(what.data.empty() ? settings_.data : what.data, settings_.label, &form_);
    const Tensor x = fitted_.scaled(samples.values);
    Results results = {{"inertia", -fitted_.kmeans.score(x)}, {"samples", x.size(0)}};
    for (Result& r : agreement(samples, fitted_.kmeans.predict(x))) results.push_back(std::move(r));
    return results;
  }

 private:
  const KMeansSettings settings_;
  const SampleForm form_;
  Fitted fitted_;
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
      if (s.data != "digits" || s.options.n_clusters != 10 || !s.scale || s.init != "k-means++")
        return {};
      return {
          {"inertia", 69432, "scikit-learn's example on digits, one seed; mean of seeds 69,830"}};
    },
    .train = train,
    .load = make_predictor<Clusters, KMeansSettings>,
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
