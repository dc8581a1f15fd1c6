#include "glia/vision/detector.h"

#include <algorithm>
#include <cmath>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/ops/loss.h"
#include "networks/parts.h"

namespace glia::vision {
namespace {

constexpr int64_t kLevels = 3, kFirstStride = 8, kShapes = 4;
constexpr double kMatch = 0.5, kNegatives = 3;
// What an offset of 1 means, as in SSD: tenths of the box's sides, fifths of a factor e.
constexpr float kMove = 0.1f, kGrow = 0.2f;

// Boxes of twice the stride, of ratios 1, 1/2 and 2, and one of the root of two times as much.
Tensor tried(int64_t size) {
  std::vector<float> all;
  for (int64_t level = 0; level < kLevels; ++level) {
    const int64_t stride = kFirstStride << level;
    for (int64_t y = 0; y < size / stride; ++y)
      for (int64_t x = 0; x < size / stride; ++x)
        for (int64_t shape = 0; shape < kShapes; ++shape) {
          const double side = 2.0 * static_cast<double>(stride) * (shape == 3 ? M_SQRT2 : 1);
          const double ratio = shape == 1 ? 0.5 : shape == 2 ? 2 : 1;
          const double w = side * std::sqrt(ratio), h = side / std::sqrt(ratio);
          const double cx = (static_cast<double>(x) + 0.5) * static_cast<double>(stride),
                       cy = (static_cast<double>(y) + 0.5) * static_cast<double>(stride);
          for (const double v : {cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2})
            all.push_back(static_cast<float>(v));
        }
  }
  return from_vector(all, {static_cast<int64_t>(all.size() / 4), 4});
}

}  // namespace

Detector::Detector(const DetectorOptions& o) : options(o) {
  if (o.classes < 1 || o.classes > 65536 || o.channels < 1 || o.channels > 65536 || o.width < 1 ||
      o.width > 4096)
    throw ShapeError("Detector: classes " + std::to_string(o.classes) + ", channels " +
                     std::to_string(o.channels) + ", width " + std::to_string(o.width));
  if (o.size < 32 || o.size > 4096 || o.size % 32 != 0)
    throw ShapeError("Detector: pictures of " + std::to_string(o.size) +
                     " are no multiple of 32 up to 4096");
  anchors_ = tried(o.size);
  const int64_t w = o.width;
  stages.emplace_back(conv_norm(o.channels, w, {.stride = 2}), conv_norm(w, w),
                      conv_norm(w, 2 * w, {.stride = 2}), conv_norm(2 * w, 2 * w),
                      conv_norm(2 * w, 4 * w, {.stride = 2}), conv_norm(4 * w, 4 * w));
  for (int64_t level = 1; level < kLevels; ++level)
    stages.emplace_back(conv_norm(4 * w, 4 * w, {.stride = 2}), conv_norm(4 * w, 4 * w));
  for (int64_t level = 0; level < kLevels; ++level) {
    classification.emplace_back(4 * w, kShapes * (o.classes + 1),
                                nn::ConvOptions{.kernel = 3, .padding = 1});
    regression.emplace_back(4 * w, kShapes * 4, nn::ConvOptions{.kernel = 3, .padding = 1});
  }
}

Detector::Output Detector::operator()(const Tensor& x, Where where) const {
  if (x.rank() != 4 || x.size(1) != options.size || x.size(2) != options.size ||
      x.size(3) != options.channels)
    throw ShapeError("Detector: made for pictures (N, " + std::to_string(options.size) + ", " +
                         std::to_string(options.size) + ", " + std::to_string(options.channels) +
                         "), not " + x.shape().str(),
                     where);
  std::vector<Tensor> logits, offsets;
  Tensor h = x;
  for (int64_t level = 0; level < kLevels; ++level) {
    h = stages[level](h);
    logits.push_back(reshape(classification[level](h), {x.size(0), -1, options.classes + 1}));
    offsets.push_back(reshape(regression[level](h), {x.size(0), -1, 4}));
  }
  return {concat(logits, 1), concat(offsets, 1)};
}

Detector::Targets Detector::targets(const Tensor& boxes, const Tensor& labels) const {
  const int64_t count = anchors_.size(0), things = boxes.size(0);
  if (boxes.rank() != 2 || boxes.size(1) != 4 || labels.rank() != 1 || labels.size(0) != things)
    throw ShapeError("Detector: boxes " + boxes.shape().str() + " and labels " +
                     labels.shape().str());
  std::vector<int64_t> classes(static_cast<size_t>(count));
  std::vector<float> offsets(static_cast<size_t>(4 * count));
  const auto of = labels.to_vector<int64_t>();
  for (const int64_t label : of)
    if (label < 0 || label >= options.classes)
      throw ValueError("Detector: " + std::to_string(label) + " is none of " +
                       std::to_string(options.classes) + " classes");
  if (things > 0) {
    const NoGrad no_grad;
    const auto iou = box_iou(anchors_, boxes).to_vector<float>();
    const auto a = anchors_.data<float>(), b = boxes.data<float>();
    std::vector<int64_t> match(static_cast<size_t>(count), -1);
    for (int64_t i = 0; i < count; ++i) {
      const auto row = iou.begin() + i * things;
      const auto best = std::max_element(row, row + things);
      if (*best >= kMatch) match[i] = best - row;
    }
    for (int64_t j = 0; j < things; ++j) {
      int64_t best = 0;
      for (int64_t i = 1; i < count; ++i)
        if (iou[i * things + j] > iou[best * things + j]) best = i;
      if (iou[best * things + j] > 0) match[best] = j;
    }
    for (int64_t i = 0; i < count; ++i) {
      if (match[i] < 0) continue;
      classes[i] = of[match[i]] + 1;
      const float* p = &a[4 * i];
      const float* q = &b[4 * match[i]];
      for (int axis = 0; axis < 2; ++axis) {
        const float side = p[axis + 2] - p[axis], wanted = std::max(q[axis + 2] - q[axis], 1e-3f);
        offsets[4 * i + axis] =
            (q[axis] + q[axis + 2] - p[axis] - p[axis + 2]) / (2 * side * kMove);
        offsets[4 * i + 2 + axis] = std::log(wanted / side) / kGrow;
      }
    }
  }
  return {from_vector(classes, {count}), from_vector(offsets, {count, 4})};
}

Tensor Detector::loss(const Output& output, const Tensor& labels, const Tensor& offsets) const {
  const Tensor each = cross_entropy(output.logits, labels, {.reduction = Reduction::kNone});
  const Tensor positive = labels > 0;
  const Tensor things = sum(cast(positive, kF32), {1}, true);
  // The hardest of those without a thing: which place each has among them.
  const Tensor hardness = where(positive, -1, stop_gradient(each));
  const Tensor place = argsort(argsort(hardness, 1, true), 1);
  const Tensor counts = positive | (cast(place, kF32) < kNegatives * things);
  const Tensor distance = sum(smooth_l1_loss(output.offsets, offsets, 1, Reduction::kNone), {2});
  const Tensor total = sum(where(counts, each, 0)) + sum(where(positive, distance, 0));
  return total / maximum(sum(things), 1);
}

std::vector<Detections> Detector::detect(const Output& output, double min_score,
                                         double iou_threshold) const {
  constexpr int64_t kMost = 100, kCandidates = 400;
  const NoGrad no_grad;
  const Tensor probabilities = softmax(output.logits);
  glia::eval({probabilities, output.offsets});
  const auto a = anchors_.data<float>();
  const auto p = probabilities.data<float>(), d = output.offsets.data<float>();
  const int64_t pictures = probabilities.size(0), count = probabilities.size(1),
                columns = options.classes + 1;
  std::vector<Detections> all;
  for (int64_t n = 0; n < pictures; ++n) {
    struct Candidate {
      float score;
      int64_t anchor, label;
    };
    std::vector<Candidate> found;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t k = 1; k < columns; ++k)
        if (const float score = p[(n * count + i) * columns + k]; score > min_score)
          found.push_back({score, i, k - 1});
    std::ranges::stable_sort(found, std::greater(), &Candidate::score);
    if (found.size() > kCandidates) found.resize(kCandidates);
    std::vector<float> boxes, scores;
    std::vector<int64_t> labels;
    const auto edge = static_cast<float>(options.size);
    for (const Candidate& c : found) {
      const float* box = &a[4 * c.anchor];
      const float* move = &d[4 * (n * count + c.anchor)];
      float low[2], high[2];
      for (int axis = 0; axis < 2; ++axis) {
        const float side = box[axis + 2] - box[axis];
        const float centre = (box[axis] + box[axis + 2]) / 2 + move[axis] * kMove * side;
        const float wanted = side * std::exp(std::min(move[axis + 2] * kGrow, 4.0f));
        low[axis] = std::clamp(centre - wanted / 2, 0.0f, edge);
        high[axis] = std::clamp(centre + wanted / 2, 0.0f, edge);
      }
      boxes.insert(boxes.end(), {low[0], low[1], high[0], high[1]});
      scores.push_back(c.score);
      labels.push_back(c.label);
    }
    const auto size = static_cast<int64_t>(labels.size());
    const Tensor b = from_vector(boxes, {size, 4}), s = from_vector(scores, {size}),
                 l = from_vector(labels, {size});
    const Tensor kept = slice(nms(b, s, iou_threshold, l), 0, {0, kMost});
    all.push_back({take(b, kept), take(s, kept), take(l, kept)});
    glia::eval({all.back().boxes, all.back().scores, all.back().labels});
  }
  return all;
}

}  // namespace glia::vision
