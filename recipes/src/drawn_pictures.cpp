#include "drawn_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <future>

#include "glia/error.h"
#include "glia/generative/metrics.h"
#include "glia/nn/conv.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "numbers.h"

namespace glia::recipes {
namespace {

constexpr int64_t kFeatures = 128, kAtOnce = 500, kBatch = 128, kSteps = 600;

}  // namespace

Tensor to_signed(const Tensor& bytes) { return cast(bytes, kF32) / 127.5 - 1; }
Tensor from_signed(const Tensor& x) { return cast(round(clamp((x + 1) * 127.5, 0, 255)), kU8); }

DrawnBatch draw_batch(const LabelledImages& set, int64_t n) {
  const Tensor at = randint(0, set.images.size(0), {n});
  return {take(set.images, at), take(cast(set.labels, kI64), at)};
}

Tensor labels_of(const Drawing& how, const std::vector<std::string>& classes, bool conditional) {
  const auto count = static_cast<int64_t>(classes.size());
  if (!conditional) {
    if (!how.label.empty()) throw Error("--class: the model was trained without classes");
    return {};
  }
  if (how.label.empty()) return remainder(arange(how.count), count);
  int64_t number = std::ranges::find(classes, how.label) - classes.begin();
  if (number == count) {
    const char* end = how.label.data() + how.label.size();
    const auto [stop, error] = std::from_chars(how.label.data(), end, number);
    if (error != std::errc() || stop != end || number < 0 || number >= count)
      throw Error(fmt::format("--class: '{}' is none of {}, nor a number from 0 to {}", how.label,
                              fmt::join(classes, ", "), count - 1));
  }
  return full({how.count}, number, kI64);
}

Tensor drawn_in_parts(const Tensor& labels, int64_t count, int64_t at_once,
                      const std::function<Tensor(const Tensor& labels, int64_t n)>& f) {
  std::vector<Tensor> parts;
  for (int64_t at = 0; at < count; at += at_once) {
    const int64_t end = std::min(count, at + at_once);
    parts.push_back(f(labels.defined() ? slice(labels, 0, {at, end}) : Tensor(), end - at));
    eval(parts.back());
  }
  return concat(parts);
}

// In a thread of its own, which has its own random stream, and gradients whatever the caller's are.
PictureJudge::PictureJudge(const ImageSplits& real) : form_(real.form) {
  std::async(std::launch::async, [&] { fit(real); }).get();
}

void PictureJudge::fit(const ImageSplits& real) {
  manual_seed(0);
  const int64_t side = (real.form.size + 3) / 4;
  trunk_ = nn::Sequential(nn::Conv2d(form_.channels, 16, {.kernel = 3, .stride = 2, .padding = 1}),
                          relu, nn::Conv2d(16, 32, {.kernel = 3, .stride = 2, .padding = 1}), relu,
                          nn::Flatten(), nn::Linear(side * side * 32, kFeatures), relu);
  head_ = nn::Sequential(nn::Linear(kFeatures, static_cast<int64_t>(real.form.classes.size())));
  ParameterList parameters = trunk_.parameters();
  for (const Variable& p : head_.parameters()) parameters.push_back(p);
  optim::Adam optimizer(parameters, {.lr = 1e-3});
  auto samples = data::from_tensors(real.train.images, real.train.labels).shuffle(0).batch(kBatch);
  // About so many steps, but no picture more than 20 times.
  const int64_t epochs = std::clamp<int64_t>(kSteps / samples.size() + 1, 2, 20);
  for (int64_t epoch = 0; epoch < epochs; ++epoch)
    for (const auto& [x, y] : samples)
      optimizer.step([&] { return cross_entropy(head_(trunk_(form_.normalized(x))), y); });
  const NoGrad no_grad;
  real_ = features(real.test.images);
  eval(real_);
}

Tensor PictureJudge::outputs(const Tensor& pictures, bool features) const {
  const NoGrad no_grad;
  return drawn_in_parts(pictures, pictures.size(0), kAtOnce, [&](const Tensor& x, int64_t) {
    const Tensor f = trunk_(form_.normalized(x));
    return features ? f : head_(f);
  });
}
Tensor PictureJudge::features(const Tensor& pictures) const { return outputs(pictures, true); }

Results PictureJudge::results(const Tensor& made) const {
  const int64_t n = std::min(made.size(0), real_.size(0));
  const Tensor fake = features(made), real = slice(real_, 0, {0, n});
  const auto distance = generative::kernel_distance(real, fake, {.subsets = 20});
  const auto near = generative::precision_recall(real, fake);
  const auto classes = static_cast<int64_t>(form_.classes.size());
  const Tensor shares = mean(one_hot(argmax(outputs(made, false)), classes), {0});
  return {{"fid", generative::frechet_distance(real, fake)},
          {"kid", distance.mean},
          {"precision", near.precision, true},
          {"recall", near.recall, true},
          {"classes", sum(shares >= 0.2 / static_cast<double>(classes)).item<int64_t>()},
          {"judged", made.size(0)}};
}

Results PictureMaker::answer(const Input& input) const {
  return {{"samples", draw({.count = whole_number_of(input, "number of samples", 100000)})}};
}

Results PictureMaker::score(const Evaluation& what) const {
  what.require(source_.data);
  const PictureJudge judge(read_images(source_, form_.size));
  return judge.results(draw({.count = what.count > 0 ? what.count : judged_}));
}

report::Section grid_section(const std::string& title, const Tensor& pictures, int64_t columns,
                             const std::string& note) {
  const Tensor grid = picture_grid(pictures, columns);
  return {title, report::Images{.groups = {{"", {{grid}}}}, .width = 2 * grid.size(1)}, note, true};
}

report::Section over_time(const Frames& frames, const training::Trainer& trainer) {
  report::Images images{.groups = {}, .width = 160};
  images.groups.emplace_back();
  for (size_t i = 0; i < frames.all.size(); ++i)
    images.groups[0].pictures.push_back(
        {picture_grid(frames.all[i]), fmt::format("step {}", trainer.history().at(i).step)});
  return {"Samples as training goes on", images, "", true};
}

}  // namespace glia::recipes
