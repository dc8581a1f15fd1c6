// A trained classifier of images, whatever it was trained by.
#pragma once

#include <string>
#include <vector>

#include "glia/recipes/explain.h"
#include "glia/vision/models.h"
#include "recipes/src/images.h"

namespace glia::recipes {

// Predicts the class of a picture and all probabilities; scores accuracy and loss.
class ImagePredictor : public Predictor, public Explains {
 public:
  // Loads the weights. The source is what the model was trained on.
  ImagePredictor(const Saved& saved, const ImageSource& source, const ImageForm& form,
                 const vision::Classifier& model);
  // The pictures of a folder.
  std::vector<std::string> inputs(const std::string& text) const override;
  report::Report explain(const Input& input, const ExplainOptions& options) const override;
  // Of normalised pictures (N, size, size, channels).
  Computation computation() const override;

 protected:
  Results answer(const Input& input) const override;
  Results score(const Evaluation& what) const override;

 private:
  const std::string path_;
  const ImageSource source_;
  const ImageForm form_;
  const vision::Classifier model_;
};

}  // namespace glia::recipes
