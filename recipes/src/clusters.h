// Samples for clustering, which are images or rows of a table, and clusters in a report.
#pragma once

#include <string>
#include <vector>

#include "glia/classic/cluster.h"
#include "recipes/src/images.h"

namespace glia::recipes {

// What a model must know of its samples, which its file keeps.
struct SampleForm {
  std::vector<std::string> features;  // the columns of a table; none of images
  ImageForm images;

  bool is_table() const { return !features.empty(); }
  int64_t size() const;  // features
  // A picture or its file, a row's numbers or their text, as f64 (1, size). The note says what had
  // to be done to a picture.
  Tensor sample(const Input& input, std::string& note) const;

  Facts facts() const;
  static SampleForm of(const Saved& saved, bool table);  // throws IoError for what cannot be
};

// Samples, and their true classes if these are known.
struct Samples {
  Tensor values;  // (N, size)
  Tensor labels;  // i64 (N), or undefined
  std::vector<std::string> classes;
  SampleForm form;
};
// Of a CSV file of which `label` is no feature but the class, or both splits of a set or folder of
// images. For a model of that form, if one is given: throws Error where it does not fit.
Samples read_samples(const std::string& data, const std::string& label,
                     const SampleForm* form = nullptr);

// The rows of a CSV file of numbers, each as SampleForm::sample() takes it.
std::vector<std::string> rows_of(const std::string& file);

// Distances (1, K) to the centres: the nearest, its distance and all.
Results nearest(const Tensor& distances);
// How well clusters i64 (N) and classes agree; empty where these are not known.
Results agreement(const Samples& samples, const Tensor& clusters);

// Centres (K, size), which are pictures if the samples are; how large each cluster is; what it has
// of each class; and the plane of the two principal axes of `scaled` (N, size), in which it lies.
std::vector<report::Section> cluster_sections(const Samples& samples, const Tensor& clusters,
                                              const Tensor& centres, const Tensor& scaled);

// The inertia of about ten numbers of clusters, up to twice as many as the options say.
report::Section elbow_of(const Tensor& x, classic::KMeansOptions options);

}  // namespace glia::recipes
