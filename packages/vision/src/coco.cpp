// COCO's evaluation of detections, rule for rule as pycocotools has it.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "glia/error.h"
#include "glia/vision/boxes.h"

namespace glia::vision {
namespace {

constexpr int kOverlaps = 10, kRecalls = 101, kMostBoxes = 100;
constexpr std::array<std::array<double, 2>, 4> kAreas = {
    {{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}}};
// As numpy.linspace computes them.
double overlap_at(int t) { return t == kOverlaps - 1 ? 0.95 : 0.5 + t * ((0.95 - 0.5) / 9); }
double recall_at(int r) { return r == kRecalls - 1 ? 1.0 : r * 0.01; }

using Box = std::array<double, 4>;  // left, top, right, bottom
double area_of(const Box& b) { return (b[2] - b[0]) * (b[3] - b[1]); }

// A crowd is overlapped by what part of the box lies in it.
double overlap(const Box& found, const Box& truth, bool crowd) {
  const double w = std::min(found[2], truth[2]) - std::max(found[0], truth[0]);
  const double h = std::min(found[3], truth[3]) - std::max(found[1], truth[1]);
  if (w <= 0 || h <= 0) return 0;
  const double both = w * h;
  return both / (crowd ? area_of(found) : area_of(found) + area_of(truth) - both);
}

// The boxes of one class in one picture.
struct Cell {
  std::vector<Box> found, truth;
  std::vector<double> scores, areas;
  std::vector<bool> crowd;
};
// What became of them for one range of areas: of each found box, by overlap, whether it hits a
// thing, and whether it does not count.
struct Judged {
  std::vector<double> scores;
  std::vector<std::array<bool, kOverlaps>> hit, ignored;
  int64_t things = 0;
};

Judged judged(const Cell& cell, const std::array<double, 2>& range) {
  Judged out{.scores = cell.scores};
  const size_t n = cell.found.size(), m = cell.truth.size();
  std::vector<bool> ignore(m);
  for (size_t j = 0; j < m; ++j) {
    ignore[j] = cell.crowd[j] || cell.areas[j] < range[0] || cell.areas[j] > range[1];
    if (!ignore[j]) ++out.things;
  }
  std::vector<size_t> order(m);  // what counts comes first
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return ignore[a] < ignore[b]; });
  out.hit.resize(n);
  out.ignored.resize(n);
  for (int t = 0; t < kOverlaps; ++t) {
    std::vector<bool> taken(m);
    for (size_t i = 0; i < n; ++i) {
      double best = std::min(overlap_at(t), 1 - 1e-10);
      size_t match = m;
      for (const size_t j : order) {
        if (taken[j] && !cell.crowd[j]) continue;
        if (match < m && !ignore[match] && ignore[j]) break;
        const double iou = overlap(cell.found[i], cell.truth[j], cell.crowd[j]);
        if (iou < best) continue;
        best = iou;
        match = j;
      }
      if (match < m) {
        taken[match] = true;
        out.hit[i][t] = true;
        out.ignored[i][t] = ignore[match];
      } else {
        const double area = area_of(cell.found[i]);
        out.ignored[i][t] = area < range[0] || area > range[1];
      }
    }
  }
  return out;
}

// Precision at 101 recalls, and recall, for one class, range and overlap; false: no things.
bool accumulate(const std::vector<Judged>& pictures, int t, size_t most, double* precision,
                double* recall) {
  struct Entry {
    double score;
    bool hit;
  };
  std::vector<Entry> all;
  int64_t things = 0;
  for (const Judged& p : pictures) {
    things += p.things;
    for (size_t i = 0; i < std::min(most, p.scores.size()); ++i)
      if (!p.ignored[i][t]) all.push_back({p.scores[i], p.hit[i][t]});
  }
  if (things == 0) return false;
  std::ranges::stable_sort(all, [](const Entry& a, const Entry& b) { return a.score > b.score; });
  std::vector<double> precisions, recalls;
  double hits = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    hits += all[i].hit;
    precisions.push_back(hits / (static_cast<double>(i + 1) + 2.220446049250313e-16));
    recalls.push_back(hits / static_cast<double>(things));
  }
  *recall = recalls.empty() ? 0 : recalls.back();
  for (size_t i = precisions.size(); i-- > 1;)
    precisions[i - 1] = std::max(precisions[i - 1], precisions[i]);
  double sum = 0;
  for (int r = 0; r < kRecalls; ++r) {
    const auto place = std::ranges::lower_bound(recalls, recall_at(r)) - recalls.begin();
    if (place < static_cast<int64_t>(precisions.size())) sum += precisions[place];
  }
  *precision = sum / kRecalls;
  return true;
}

struct Mean {
  double sum = 0;
  int64_t count = 0;
  void add(double v) {
    sum += v;
    ++count;
  }
  double value() const { return count > 0 ? sum / static_cast<double>(count) : -1; }
};

std::vector<Cell> cells_of(const BoxedPictures& truth, const std::vector<Detections>& found,
                           int64_t label) {
  std::vector<Cell> cells(found.size());
  for (size_t p = 0; p < found.size(); ++p) {
    const BoxedPicture& picture = truth.pictures[p];
    for (size_t i = 0; i < picture.labels.size(); ++i) {
      if (picture.labels[i] != label) continue;
      const float* b = &picture.boxes[4 * i];
      cells[p].truth.push_back({b[0], b[1], b[2], b[3]});
      cells[p].areas.push_back(picture.areas[i]);
      cells[p].crowd.push_back(picture.crowd[i]);
    }
    const auto boxes = found[p].boxes.to_vector<float>(),
               scores = found[p].scores.to_vector<float>();
    const auto labels = found[p].labels.to_vector<int64_t>();
    std::vector<size_t> order;
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] == label) order.push_back(i);
    std::ranges::stable_sort(order, [&](size_t a, size_t b) { return scores[a] > scores[b]; });
    if (order.size() > kMostBoxes) order.resize(kMostBoxes);
    for (const size_t i : order) {
      const float* b = &boxes[4 * i];
      cells[p].found.push_back({b[0], b[1], b[2], b[3]});
      cells[p].scores.push_back(scores[i]);
    }
  }
  return cells;
}

}  // namespace

CocoResult evaluate_coco(const BoxedPictures& truth, const std::vector<Detections>& found) {
  if (truth.pictures.size() != found.size())
    throw ShapeError("evaluate_coco: " + std::to_string(found.size()) + " detections of " +
                     std::to_string(truth.pictures.size()) + " pictures");
  const auto classes = static_cast<int64_t>(truth.classes.size());
  for (const Detections& d : found) {
    const int64_t n = d.labels.numel();
    if (d.boxes.shape() != Shape{n, 4} || d.scores.shape() != Shape{n} || d.labels.rank() != 1)
      throw ShapeError("evaluate_coco: boxes " + d.boxes.shape().str() + ", scores " +
                       d.scores.shape().str() + " and labels " + d.labels.shape().str());
    for (const int64_t label : d.labels.to_vector<int64_t>())
      if (label < 0 || label >= classes)
        throw ValueError("evaluate_coco: " + std::to_string(label) + " is no class");
  }
  Mean precision[4], recall[4], at50, at75, recall1, recall10;
  CocoResult out;
  for (int64_t label = 0; label < classes; ++label) {
    const std::vector<Cell> cells = cells_of(truth, found, label);
    Mean of_class;
    for (size_t a = 0; a < kAreas.size(); ++a) {
      std::vector<Judged> pictures;
      for (const Cell& cell : cells) pictures.push_back(judged(cell, kAreas[a]));
      for (int t = 0; t < kOverlaps; ++t) {
        double p = 0, r = 0;
        if (!accumulate(pictures, t, kMostBoxes, &p, &r)) continue;
        precision[a].add(p);
        recall[a].add(r);
        if (a > 0) continue;
        of_class.add(p);
        if (t == 0) at50.add(p);
        if (t == 5) at75.add(p);
        for (const auto& [most, mean] : {std::pair{1, &recall1}, {10, &recall10}}) {
          double unused = 0;
          accumulate(pictures, t, most, &unused, &r);
          mean->add(r);
        }
      }
    }
    out.class_ap.push_back(of_class.value());
  }
  out.ap = precision[0].value();
  out.ap50 = at50.value();
  out.ap75 = at75.value();
  out.ap_small = precision[1].value();
  out.ap_medium = precision[2].value();
  out.ap_large = precision[3].value();
  out.ar1 = recall1.value();
  out.ar10 = recall10.value();
  out.ar100 = recall[0].value();
  out.ar_small = recall[1].value();
  out.ar_medium = recall[2].value();
  out.ar_large = recall[3].value();
  return out;
}

}  // namespace glia::vision
