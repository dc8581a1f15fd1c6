#include "images.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "glia/catalogue.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/vision/folder.h"
#include "glia/vision/image.h"

namespace glia::recipes {
namespace {

namespace fs = std::filesystem;

const data::Entry* known_set(const std::string& name) {
  for (const data::Entry* set : data::catalogue())
    if (set->name == name && set->labelled) return set;
  return nullptr;
}

// Values up to 16, as those of the digits, are spread over those of bytes, all alike.
LabelledImages read_set(const data::Entry& set, data::Split split, int64_t size) {
  data::Dataset<2> samples = data::read_labelled(set, split).batch(INT64_MAX);
  auto [images, labels] = *samples.begin();
  if (images.rank() != 4 || images.dtype() != kU8)
    throw Error(set.name + ": its samples are no images");
  if (max(images).item() <= 16) images = cast(cast(images, kI32) * 15, kU8);
  if (size != 0 && (images.size(1) != size || images.size(2) != size)) {
    std::vector<Tensor> all;
    for (int64_t i = 0; i < images.size(0); ++i)
      all.push_back(
          unsqueeze(vision::to_square(index(images, {i}), size, vision::Square::kPad), 0));
    images = concat(all);
  }
  eval(images);
  return {images, labels};
}

std::string part_of(const std::string& folder, data::Split split) {
  if (split == data::Train) return folder + "/train";
  return fs::is_directory(folder + "/test") ? folder + "/test" : folder + "/val";
}
bool has_parts(const std::string& folder) {
  return fs::is_directory(part_of(folder, data::Train)) &&
         fs::is_directory(part_of(folder, data::Test));
}

LabelledImages load(const vision::ImageFolder& folder, int64_t size, int64_t channels) {
  return {vision::load_images(folder.files, {.size = size, .channels = channels}),
          from_vector(folder.labels, {static_cast<int64_t>(folder.labels.size())})};
}

vision::ImageFolder folder_of(const ImageSource& source, data::Split split, bool splits,
                              const std::vector<std::string>& classes) {
  if (!fs::is_directory(source.data))
    throw Error("--data: '" + source.data +
                "' is neither a data set of `glia data list` nor a folder");
  if (has_parts(source.data)) return vision::image_folder(part_of(source.data, split), classes);
  const vision::ImageFolder all = vision::image_folder(source.data, classes);
  if (!splits) return all;
  vision::SplitFolder parts = vision::split(all, source.test_share, source.seed);
  return split == data::Train ? parts.train : parts.test;
}

// The mean of each image's border (N, H, W).
Tensor borders(const Tensor& images) {
  const Tensor x = cast(images, kF32);
  const std::vector<Tensor> sides = {index(x, {Ellipsis, 0}), index(x, {Ellipsis, -1}),
                                     index(x, {Slice{}, 0}), index(x, {Slice{}, -1})};
  return mean(concat(sides, 1), {1});
}

// Mean and deviation to two digits.
ImageForm measured(const Tensor& images, const std::vector<std::string>& classes) {
  ImageForm form{.classes = classes, .size = images.size(1), .channels = images.size(3)};
  const Tensor values = cast(reshape(images, {-1, form.channels}), kF64);
  form.mean = mean(values, {0}).to_vector<double>();
  form.std = sqrt(var(values, {0}, false)).to_vector<double>();
  for (double& v : form.mean) v = std::round(100 * v) / 100;
  for (double& v : form.std) v = std::max(1.0, std::round(100 * v) / 100);
  return form;
}

void check_sizes(const ImageForm& form) {
  if (form.classes.size() < 2)
    throw Error(
        fmt::format("there is one class of images, '{}', and not two or more", form.classes.at(0)));
  if (form.size < 8 || form.size > 4096)
    throw Error(fmt::format("images of {0} x {0} are not between 8 and 4096", form.size));
}

}  // namespace

Tensor ImageForm::augmented(data::Random& random, const Tensor& images, int64_t shift,
                            bool mirror) const {
  data::ImageOptions options{.padding = shift, .flip = mirror, .mean = mean, .std = std};
  for (double& v : options.mean) v /= 255;
  for (double& v : options.std) v /= 255;
  return data::augment_images(random, images, options);
}

Tensor ImageForm::normalized(const Tensor& images) const {
  data::Random unused(0);
  return augmented(unused, images, 0, false);
}

Tensor ImageForm::prepared(const Tensor& image, std::string& note) const {
  Tensor out = vision::to_channels(image, channels);
  std::vector<std::string> notes;
  if (dark && borders(unsqueeze(index(out, {Ellipsis, 0}), 0)).item() > 127.5) {
    out = 255 - out;
    notes.push_back("inverted because its background is bright");
  }
  const int64_t height = image.size(0), width = image.size(1);
  if (height != size || width != size)
    notes.push_back(fmt::format("{}resized from {} x {}",
                                dark || height == width ? "" : "its middle ", width, height));
  note = fmt::format("{}", fmt::join(notes, ", "));
  return unsqueeze(
      vision::to_square(out, size, dark ? vision::Square::kPad : vision::Square::kCrop), 0);
}

Facts ImageForm::facts() const {
  return {{"classes", classes},
          {"image-size", std::vector{static_cast<double>(size)}},
          {"channels", std::vector{static_cast<double>(channels)}},
          {"mean", mean},
          {"std", std},
          {"background", dark ? "dark" : "any"}};
}

ImageForm ImageForm::of(const Saved& saved) {
  const auto whole = [&](const char* name) {
    const double v = saved.numbers(name)[0];
    return v >= 0 && v <= 65536 ? static_cast<int64_t>(v) : -1;
  };
  ImageForm form{.classes = saved.texts("classes"),
                 .size = whole("image-size"),
                 .channels = whole("channels"),
                 .mean = saved.numbers("mean"),
                 .std = saved.numbers("std"),
                 .dark = saved.text("background") == "dark"};
  check_sizes(form);
  const auto channels = static_cast<size_t>(form.channels);
  if ((channels != 1 && channels != 3) || form.mean.size() != channels ||
      form.std.size() != channels || (form.dark && channels != 1))
    throw IoError(saved.path + ": what it says of its images does not fit together");
  return form;
}

Tensor picture_of(const Input& input) {
  const auto* file = std::get_if<std::string>(&input);
  return file ? vision::read_image(*file) : std::get<Tensor>(input);
}
Tensor to_unit(const Tensor& bytes) { return cast(bytes, kF32) / 255; }
Tensor from_unit(const Tensor& x) { return cast(round(clamp(x * 255, 0, 255)), kU8); }

bool is_known_set(const std::string& name) { return known_set(name) != nullptr; }

std::string ImageSource::name() const {
  if (known_set(data)) return data;
  const fs::path folder = fs::absolute(data).lexically_normal();
  return (folder.has_filename() ? folder : folder.parent_path()).filename();
}

std::string ImageSource::title() const {
  const data::Entry* set = known_set(data);
  return set ? data::title_of(*set) : name();
}

ImageSplits read_images(const ImageSource& source, int64_t size) {
  ImageSplits out;
  if (const data::Entry* set = known_set(source.data)) {
    out.train = read_set(*set, data::Train, size);
    out.test = read_set(*set, data::Test, size);
    out.form = measured(out.train.images, set->classes);
    if (out.form.channels == 1) {
      const Tensor bright = borders(index(out.train.images, {Ellipsis, 0})) > 127.5;
      out.form.dark = mean(cast(bright, kF32)).item() < 0.01;
    }
  } else {
    const auto train = folder_of(source, data::Train, true, {});
    const auto test = folder_of(source, data::Test, true, train.classes);
    out.train = load(train, size == 0 ? 32 : size, 0);
    out.test = load(test, out.train.images.size(1), out.train.images.size(3));
    out.form = measured(out.train.images, train.classes);
  }
  check_sizes(out.form);
  return out;
}

LabelledImages read_images(const ImageSource& source, data::Split split, bool splits,
                           const ImageForm& form) {
  const data::Entry* set = known_set(source.data);
  if (!set) return load(folder_of(source, split, splits, form.classes), form.size, form.channels);
  if (set->classes != form.classes)
    throw Error(fmt::format("--data {}: its classes are not the model's, {}", source.data,
                            fmt::join(form.classes, ", ")));
  LabelledImages out = read_set(*set, split, form.size);
  if (out.images.size(3) != form.channels)
    throw Error(fmt::format("--data {}: its images have {} channels, the model's {}", source.data,
                            out.images.size(3), form.channels));
  return out;
}

data::Dataset<2> batches(const LabelledImages& set, const ImageForm& form, int64_t count) {
  constexpr int64_t kBatch = 500;
  return data::from_tensors(set.images, set.labels)
      .take(count > 0 ? count : INT64_MAX)
      .batch(kBatch)
      .map([form](const Tensor& x, const Tensor& y) {
        return std::array{form.normalized(x), y};
      });
}

}  // namespace glia::recipes
