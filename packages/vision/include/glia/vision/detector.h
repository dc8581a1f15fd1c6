// Finding things: a single-shot detector (Liu et al. 2016) for pictures of one size.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/nn/layers.h"
#include "glia/nn/sequential.h"
#include "glia/vision/boxes.h"
#include "glia/vision/geometry.h"

namespace glia::vision {

struct DetectorOptions {
  int64_t classes = 1;
  int64_t channels = 3;
  int64_t size = 128;  // side of the pictures: a multiple of 32
  int64_t width = 32;  // channels of the first layer
};

// Layers that halve the picture five times; on the last three sizes, at each place, four boxes are
// tried: of three shapes, and a larger one.
struct Detector : nn::Module {
  explicit Detector(const DetectorOptions& options);

  // For each of A boxes that are tried, logits of nothing and of each class, and how the box must
  // be moved.
  struct Output {
    Tensor logits;   // (N, A, classes + 1)
    Tensor offsets;  // (N, A, 4)
  };
  // Normalised pictures (N, size, size, channels).
  Output operator()(const Tensor& x, Where where = Where::current()) const;

  // The boxes that are tried, f32 (A, 4).
  const Tensor& anchors() const { return anchors_; }
  // What the output should be for a picture that shows these: a box that is tried is of the thing
  // that it overlaps most, by a half at least; and each thing has one, whatever the overlap.
  struct Targets {
    Tensor labels;   // i64 (A): 0 nothing, else the class + 1
    Tensor offsets;  // f32 (A, 4), zeros for nothing
  };
  Targets targets(const Tensor& boxes, const Tensor& labels) const;
  // Cross-entropy of the boxes with things and of the three times as many hardest without, and the
  // smooth distance of the former's offsets, by the number of things: of targets (N, A), (N, A, 4).
  Tensor loss(const Output& output, const Tensor& labels, const Tensor& offsets) const;
  // What is found in each picture, the surest first: at most 100 of more than min_score, of which
  // none overlaps another of its class by more than the threshold. Cut off at the edges.
  std::vector<Detections> detect(const Output& output, double min_score = 0.05,
                                 double iou_threshold = 0.45) const;

  DetectorOptions options;
  std::vector<nn::Sequential> stages;
  std::vector<nn::Conv2d> classification, regression;
  GLIA_FIELDS(stages, classification, regression)

 private:
  Tensor anchors_;
};

}  // namespace glia::vision
