// What recipes that make pictures share: values, classes, how good what is made is, and sections.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "glia/nn/sequential.h"
#include "glia/recipes/run.h"
#include "recipes/src/frames.h"
#include "recipes/src/images.h"

namespace glia::recipes {

// Bytes as f32 of -1 to 1, and numbers as the nearest bytes.
Tensor to_signed(const Tensor& bytes);
Tensor from_signed(const Tensor& x);

// Pictures drawn from a set with classes, n at a time, from the default random stream.
struct DrawnBatch {
  Tensor images, labels;  // u8 (n, H, W, C), i64 (n)
};
DrawnBatch draw_batch(const LabelledImages& set, int64_t n);

// Classes of pictures to draw (count) i64: the one that is named, or each in turn. Undefined for a
// model without classes. Throws Error for a class that there is not.
Tensor labels_of(const Drawing& how, const std::vector<std::string>& classes, bool conditional);

// f(labels, how many) for so many pictures, a part after the other, joined.
Tensor drawn_in_parts(const Tensor& labels, int64_t count, int64_t at_once,
                      const std::function<Tensor(const Tensor& labels, int64_t n)>& f);

// Says how good made pictures are, beside real ones, by the features of a small classifier that it
// trains on the real ones first, always in the same way: its numbers do not compare with those by
// other networks' features.
class PictureJudge {
 public:
  explicit PictureJudge(const ImageSplits& real);
  // Of pictures u8 (N, size, size, channels): "fid" beside as many test pictures, "kid",
  // "precision", "recall"; and "classes": of how many there is a share of 1 / (5 classes) at least.
  Results results(const Tensor& made) const;
  Tensor features(const Tensor& pictures) const;  // f32 (N, 128)

 private:
  void fit(const ImageSplits& real);
  Tensor outputs(const Tensor& pictures, bool features) const;
  ImageForm form_;
  nn::Sequential trunk_, head_;
  Tensor real_;  // features
};

// A model that does nothing but draw: what draw_pictures() makes, and how good it is.
class PictureMaker : public Predictor {
 protected:
  // The source is what the model was trained on, and so many pictures judge it.
  PictureMaker(const Saved& saved, const ImageSource& source, int64_t judged)
      : form_(ImageForm::of(saved)), source_(source), judged_(judged) {}
  Results answer(const Input& input) const override;
  Results score(const Evaluation& what) const override;

  const ImageForm form_;

 private:
  const ImageSource source_;
  const int64_t judged_;
};

// One picture of all, and one for each frame (of pictures u8 (N, H, W, C)) over time.
report::Section grid_section(const std::string& title, const Tensor& pictures, int64_t columns = 0,
                             const std::string& note = "");
report::Section over_time(const Frames& frames, const training::Trainer& trainer);

}  // namespace glia::recipes
