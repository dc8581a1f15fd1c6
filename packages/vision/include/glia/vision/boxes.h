// Boxes of things in pictures: overlaps, files that list them, and COCO's measure of detectors.
//
// Boxes are f32 (N, 4): left, top, right, bottom, in pixels from the picture's corner.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "glia/tensor.h"

namespace glia::vision {

// ---- Overlaps -----------------------------------------------------------------------------------

Tensor box_area(const Tensor& boxes, Where where = Where::current());  // (N)
// What is in both by what is in either: (N, 4), (M, 4) -> (N, M); 0 where neither has an area.
Tensor box_iou(const Tensor& a, const Tensor& b, Where where = Where::current());
// Positions of the boxes that are kept, the best scores first: each box is left out that overlaps a
// better one by more than the threshold; equal scores go by position. Of `groups` i64 (N), if
// given, only boxes of one group suppress each other. i64 (K), as torchvision's nms.
Tensor nms(const Tensor& boxes, const Tensor& scores, double iou_threshold,
           const Tensor& groups = {}, Where where = Where::current());

// ---- Files --------------------------------------------------------------------------------------

struct BoxedPicture {
  std::string file;  // the picture's path
  int64_t width = 0, height = 0;
  std::vector<float> boxes = {};     // four for each thing
  std::vector<int64_t> labels = {};  // indices of the set's classes
  std::vector<bool> crowd = {};      // COCO's iscrowd: many things in one box
  std::vector<double> areas = {};    // COCO's area, of the thing itself; else the box's
  Tensor box_tensor() const;         // f32 (N, 4)
};
struct BoxedPictures {
  std::vector<BoxedPicture> pictures;
  std::vector<std::string> classes;
};
// COCO's JSON: pictures, in the order of their ids, lie in `folder`; classes in the order of their
// ids. Throws IoError for a box of a picture or class that there is not, a negative side, and what
// is no number. A box that passes its picture's edge is cut off there.
BoxedPictures read_coco(const std::string& json, const std::string& folder);
// A folder with pictures in images (at any depth) and YOLO's texts of the same names in labels, a
// line "CLASS X Y WIDTH HEIGHT" for each box, in parts of the picture, by its middle; a picture
// without a text shows nothing. Classes are those of classes.txt, a name a line, or numbers. Throws
// IoError naming file and line.
BoxedPictures read_yolo(const std::string& folder);

// ---- COCO's measure -----------------------------------------------------------------------------

struct Detections {
  Tensor boxes;   // f32 (N, 4)
  Tensor scores;  // f32 (N)
  Tensor labels;  // i64 (N)
};
// The twelve numbers of COCO, with its rules for crowds, small and large things; -1 where there is
// nothing to be found (Lin et al. 2014; pycocotools).
struct CocoResult {
  double ap = -1, ap50 = -1, ap75 = -1;  // mean precision over overlaps 0.5, 0.55, ..., 0.95
  double ap_small = -1, ap_medium = -1, ap_large = -1;  // areas below 32^2, between, above 96^2
  double ar1 = -1, ar10 = -1, ar100 = -1;  // recall with so many boxes for each picture and class
  double ar_small = -1, ar_medium = -1, ar_large = -1;
  std::vector<double> class_ap = {};  // of each class, as ap
};
// Of as many pictures as there are detections. Throws ShapeError and ValueError for what does not
// fit.
CocoResult evaluate_coco(const BoxedPictures& truth, const std::vector<Detections>& found);

}  // namespace glia::vision
