#include "masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/catalogue.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/vision/image.h"
#include "recipes/src/shuffled.h"

namespace glia::recipes {
namespace {

const data::RegisterEntry em({
    .name = "em",
    .title = "Membranes by electron microscope (ISBI 2012)",
    .home = "https://imagej.net/events/isbi-2012-segmentation-challenge",
    .licence = "research, cite Cardona et al. 2010",
    .task = "segmentation",
    .files = {{"membranes.tar"}},
    .by_hand = "pack the 30 pictures and their labels as images/N.png and labels/N.png",
});

// Where the pictures are: of a set, its archive.
std::string path_of(const std::string& data) {
  for (const data::Entry* set : data::catalogue())
    if (set->name == data && set->task == "segmentation")
      return data::file_in(data::find(*set), set->files[0].name);
  if (!std::filesystem::exists(data))
    throw Error("--data: '" + data +
                "' is neither a data set of `glia data list` nor a folder or tar");
  return data;
}

}  // namespace

Tensor MaskForm::normalized(const Tensor& image) const {
  return (cast(vision::to_channels(image, channels), kF32) - mean) / std;
}

Tensor MaskForm::as_picture(const Tensor& mask) const {
  std::vector<uint8_t> out;
  for (const int64_t k : mask.to_vector<int64_t>())
    out.push_back(static_cast<uint8_t>(std::stoi(classes.at(static_cast<size_t>(k)))));
  return from_vector(out, mask.shape());
}

Facts MaskForm::facts() const {
  return {{"classes", classes},
          {"channels", std::vector{static_cast<double>(channels)}},
          {"mean", std::vector{mean}},
          {"std", std::vector{std}}};
}

MaskForm MaskForm::of(const Saved& saved) {
  MaskForm form{.classes = saved.texts("classes"),
                .channels = saved.whole("channels", 1, 3),
                .mean = saved.numbers("mean").at(0),
                .std = saved.numbers("std").at(0)};
  const auto is_value = [](const std::string& text) {
    return !text.empty() && text.size() <= 3 && std::ranges::all_of(text, ::isdigit) &&
           std::stoi(text) <= 255;
  };
  if (form.channels == 2 || form.classes.size() < 2 || form.classes.size() > 256 ||
      !std::ranges::all_of(form.classes, is_value) || !(form.std > 0) || !std::isfinite(form.mean))
    throw IoError(saved.path + ": what it says of its pictures does not fit together");
  return form;
}

MaskSplits read_masks(const std::string& data, double test_share, int64_t seed,
                      const MaskForm* form) {
  std::vector<uint8_t> values;
  if (form)
    for (const std::string& value : form->classes)
      values.push_back(static_cast<uint8_t>(std::stoi(value)));
  const vision::MaskedPictures all = vision::read_masked(path_of(data), values);
  const auto count = static_cast<int64_t>(all.pictures.size());
  if (count < 2) throw Error(data + ": has one picture, which cannot be split");
  if (all.values.size() < 2) throw Error(data + ": its masks have one value only");
  const std::vector<int64_t> order = shuffled(count, static_cast<uint64_t>(seed));
  const int64_t tests =
      std::clamp<int64_t>(std::llround(test_share * static_cast<double>(count)), 1, count - 1);
  MaskSplits out;
  out.train.values = out.test.values = all.values;
  double sum = 0, squares = 0, pixels = 0;
  for (int64_t i = 0; i < count; ++i) {
    vision::MaskedPictures& to = i < tests ? out.test : out.train;
    to.pictures.push_back(all.pictures[order[i]]);
    to.names.push_back(all.names[order[i]]);
    if (i < tests) continue;
    const Tensor x = cast(to.pictures.back().image, kF64);
    sum += glia::sum(x).item();
    squares += glia::sum(square(x)).item();
    pixels += static_cast<double>(x.numel());
  }
  out.form.channels = all.channels;
  for (const uint8_t v : all.values) out.form.classes.push_back(std::to_string(v));
  out.form.mean = std::round(100 * sum / pixels) / 100;
  const double mean = sum / pixels;
  out.form.std = std::max(
      1.0, std::round(100 * std::sqrt(std::max(0.0, squares / pixels - mean * mean))) / 100);
  return out;
}

Tensor guessed(const vision::Network& net, const Tensor& image, const MaskForm& form) {
  return squeeze(argmax(net(unsqueeze(form.normalized(image), 0))), 0);
}

vision::Overlap overlap(const vision::Network& net, const std::vector<vision::Annotated>& set,
                        const MaskForm& form) {
  const NoGrad no_grad;
  vision::Overlap found(static_cast<int64_t>(form.classes.size()));
  for (const vision::Annotated& one : set) found.add(one.mask, guessed(net, one.image, form));
  return found;
}

Results results_of(const vision::Overlap& found, const MaskForm& form) {
  report::Table table{{{"class"}, {"iou", true}, {"dice", true}}, {}};
  const std::vector<double> iou = found.iou(), dice = found.dice();
  for (size_t k = 0; k < form.classes.size(); ++k)
    table.rows.push_back({form.classes[k], iou[k], dice[k]});
  return {{"test_iou", found.mean_iou(), true},
          {"test_dice", found.mean_dice(), true},
          {"test_accuracy", found.accuracy(), true},
          {"classes", table}};
}

report::Section shown_masks(const vision::Network& net, const std::vector<vision::Annotated>& set,
                            const MaskForm& form) {
  const NoGrad no_grad;
  report::Images::Group group;
  const auto spread = [&](const Tensor& mask) {
    const double most = static_cast<double>(form.classes.size() - 1);
    return cast(round(cast(mask, kF32) * (255 / most)), kU8);
  };
  for (size_t i = 0; i < std::min<size_t>(set.size(), 4); ++i) {
    group.pictures.push_back({set[i].image, "picture"});
    group.pictures.push_back({spread(set[i].mask), "mask"});
    group.pictures.push_back({spread(guessed(net, set[i].image, form)), "the network's"});
  }
  return {"Test pictures", report::Images{{group}, 240}, "", true};
}

}  // namespace glia::recipes
