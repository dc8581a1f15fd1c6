// Pictures with a class for each pixel, and how well two of them agree.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/vision/geometry.h"

namespace glia::vision {

// Pictures and their masks, each as large as its picture, which may differ in size.
struct MaskedPictures {
  std::vector<Annotated> pictures;   // image u8 (H, W, C) and mask u8 (H, W): indices of `values`
  std::vector<std::string> names;    // of the files, without folder and end
  std::vector<uint8_t> values = {};  // what stands for each class in the files
  int64_t channels = 3;              // of all: 1 if all pictures are grey
};
// A folder, or a tar of one, with pictures in "images" and masks of the same names in "labels" or
// "masks": grey PNG files (of colours the first channel counts) whose different values, 256 at
// most, are the classes in their order. Given `values`, the masks may have no others. Throws
// IoError for a picture without a mask and a mask of another size.
MaskedPictures read_masked(const std::string& path, const std::vector<uint8_t>& values = {});

// How many pixels of each true class were taken for each class.
class Overlap {
 public:
  explicit Overlap(int64_t classes);
  // Classes of any shape, i64 or u8. Throws ShapeError for unlike shapes, ValueError for others.
  void add(const Tensor& truth, const Tensor& guess, Where where = Where::current());

  // The part that is in both of what is in either (Jaccard), and twice what is in both by the sum
  // of both (Dice); NaN of a class that is in neither.
  std::vector<double> iou() const;
  std::vector<double> dice() const;
  double mean_iou() const;  // of classes that are in either
  double mean_dice() const;
  double accuracy() const;                                        // of pixels
  const std::vector<int64_t>& counts() const { return counts_; }  // (truth, guess)

 private:
  int64_t classes_;
  std::vector<int64_t> counts_;
};

// ---- How alike pictures are ---------------------------------------------------------------------
// Of equal shapes (H, W) or (H, W, C), any dtype, computed in f64.

// 10 log10(range^2 / the mean of squared differences), in dB; infinite for equal pictures.
double psnr(const Tensor& a, const Tensor& b, double range = 255, Where where = Where::current());
struct SsimOptions {
  double range = 255;     // of the values
  int64_t window = 7;     // odd; of a uniform window
  bool gaussian = false;  // by weights of deviation 1.5 in a window of 11 instead, as published
};
// The mean structural similarity (Wang et al. 2004), of channels apart; scikit-image's numbers.
double ssim(const Tensor& a, const Tensor& b, const SsimOptions& options = {},
            Where where = Where::current());

}  // namespace glia::vision
