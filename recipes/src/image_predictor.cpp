#include "image_predictor.h"

#include <filesystem>

#include "classification.h"
#include "explanations.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/vision/folder.h"
#include "recipes/src/predictors.h"

namespace glia::recipes {

ImagePredictor::ImagePredictor(const Saved& saved, const ImageSource& source, const ImageForm& form,
                               const vision::Classifier& model)
    : path_(saved.path), source_(source), form_(form), model_(model) {
  model_.module->load_state_dict(saved.weights);
  model_.module->eval();
}

std::vector<std::string> ImagePredictor::inputs(const std::string& text) const {
  if (std::filesystem::is_directory(text)) return vision::list_images(text);
  return {text};
}

Computation ImagePredictor::computation() const {
  return computation_of(
      *model_.module, [this](const Tensor& x) { return model_.logits(x); },
      zeros({1, form_.size, form_.size, form_.channels}), "pictures", "logits");
}

Results ImagePredictor::answer(const Input& input) const {
  const auto* file = std::get_if<std::string>(&input);
  std::string note;
  const Tensor x = form_.normalized(form_.prepared(picture_of(input), note));
  try {
    Results results = ranked(softmax(model_.logits(x)).to_vector<double>(), form_.classes);
    if (!note.empty()) results.push_back({"note", note});
    return results;
  } catch (const ValueError&) {
    throw IoError(path_ + ": gives no numbers for " + (file ? *file : "an image") +
                  ": its weights are broken");
  }
}

report::Report ImagePredictor::explain(const Input& input, const ExplainOptions& options) const {
  const auto* file = std::get_if<std::string>(&input);
  std::string note;
  const Tensor shown = form_.prepared(picture_of(input), note);
  const Tensor x = form_.normalized(shown);
  const auto p = softmax(model_.logits(x)).to_vector<double>();
  const auto label = static_cast<size_t>(explained_class(form_.classes, options.answer, p));
  report::Bars bars;
  for (size_t c = 0; c < p.size() && p.size() <= 40; ++c)
    bars.bars.push_back({form_.classes[c], p[c]});
  report::Report page{
      .title = "Why " + form_.classes[label],
      .subtitle = (file ? std::filesystem::path(*file).filename().string() : "a picture") +
                  (note.empty() ? "" : ", " + note),
      .highlights = {{"probability of " + form_.classes[label], report::shown(p[label], true)}},
      .sections =
          picture_sections(model_.logits, x, index(shown, {0}), static_cast<int64_t>(label))};
  if (!bars.bars.empty()) {
    bars.percent = true;
    page.sections.push_back({.title = "Classes", .body = bars});
  }
  return page;
}

Results ImagePredictor::score(const Evaluation& what) const {
  const bool own = what.data.empty() || what.data == source_.data;
  ImageSource source = source_;
  if (!own) source.data = what.data;
  const data::Split split = what.split == "train" ? data::Train : data::Test;
  const LabelledImages images = read_images(source, split, own, form_);
  return examine(model_.logits, batches(images, form_, what.count), form_.classes)
      .results("images");
}

}  // namespace glia::recipes
