// Glia's side of transforms.py: transforms IN.npz CASES.txt OUT.npz. IN has image, boxes and mask;
// each line of CASES is the name of a change and its numbers.
#include <fstream>
#include <iostream>
#include <sstream>

#include "glia/io.h"
#include "glia/vision/adjust.h"
#include "glia/vision/transforms.h"

using namespace glia;
using namespace glia::vision;

namespace {

Annotated changed(const std::string& name, const std::vector<double>& a, const Annotated& x,
                  const Tensor& displacement) {
  const auto whole = [&](size_t i) { return static_cast<int64_t>(a.at(i)); };
  const auto mode = [&](size_t i) {
    return a.at(i) != 0 ? InterpolationMode::kLinear : InterpolationMode::kNearest;
  };
  const auto value = [&](const Tensor& image) { return Annotated{image}; };
  if (name == "rgb_to_grayscale") return value(rgb_to_grayscale(x.image, whole(0)));
  if (name == "adjust_brightness") return value(adjust_brightness(x.image, a.at(0)));
  if (name == "adjust_contrast") return value(adjust_contrast(x.image, a.at(0)));
  if (name == "adjust_saturation") return value(adjust_saturation(x.image, a.at(0)));
  if (name == "adjust_sharpness") return value(adjust_sharpness(x.image, a.at(0)));
  if (name == "adjust_hue") return value(adjust_hue(x.image, a.at(0)));
  if (name == "adjust_gamma") return value(adjust_gamma(x.image, a.at(0), a.at(1)));
  if (name == "invert") return value(invert(x.image));
  if (name == "posterize") return value(posterize(x.image, whole(0)));
  if (name == "solarize") return value(solarize(x.image, a.at(0)));
  if (name == "autocontrast") return value(autocontrast(x.image));
  if (name == "equalize") return value(equalize(x.image));
  if (name == "gaussian_blur")
    return value(gaussian_blur(x.image, {whole(0), whole(1)}, std::pair{a.at(2), a.at(3)}));
  if (name == "erase")
    return value(erase(x.image, whole(0), whole(1), whole(2), whole(3), {a.at(4)}));
  if (name == "operation")
    return value(apply_operation(x.image, static_cast<Operation>(whole(0)), a.at(1)));
  if (name == "horizontal_flip") return horizontal_flip(x);
  if (name == "vertical_flip") return vertical_flip(x);
  if (name == "crop") return crop(x, whole(0), whole(1), whole(2), whole(3));
  if (name == "center_crop") return center_crop(x, whole(0), whole(1));
  if (name == "pad")  // torchvision pads, and then crops
    return crop(x, -whole(0), -whole(0), x.image.size(0) + 2 * whole(0),
                x.image.size(1) + 2 * whole(0),
                {.padding_mode = static_cast<Padding>(whole(1)), .fill = {a.at(2)}});
  if (name == "resized_crop")
    return resized_crop(x, whole(0), whole(1), whole(2), whole(3), whole(4), whole(5));
  if (name == "affine") {
    AffineOptions o{.angle = a.at(0),
                    .translate = {a.at(1), a.at(2)},
                    .scale = a.at(3),
                    .shear = {a.at(4), a.at(5)},
                    .interpolation = mode(6),
                    .fill = {a.at(7)}};
    if (a.size() > 8) o.center = {a.at(8), a.at(9)};
    return affine(x, o);
  }
  if (name == "rotate")
    return rotate(x, a.at(0),
                  {.interpolation = mode(1), .expand = a.at(2) != 0, .fill = {a.at(3)}});
  if (name == "perspective") {
    Corners from, to;
    for (size_t i = 0; i < 4; ++i) {
      from.emplace_back(a.at(2 * i), a.at(2 * i + 1));
      to.emplace_back(a.at(8 + 2 * i), a.at(9 + 2 * i));
    }
    return perspective(x, from, to, {.interpolation = mode(16)});
  }
  if (name == "elastic") return elastic(x, displacement, {.interpolation = mode(0)});
  throw Error("no change " + name);
}

}  // namespace

int main(int, char** argv) try {
  Annotated x;
  Tensor displacement;
  for (const auto& [name, value] : io::read_npz(argv[1])) {
    if (name == "image") x.image = value;
    if (name == "boxes") x.boxes = value;
    if (name == "mask") x.mask = value;
    if (name == "displacement") displacement = value;
  }
  std::ifstream cases(argv[2]);
  StateDict out;
  int count = 0;
  for (std::string line; std::getline(cases, line); ++count) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    std::vector<double> numbers;
    for (double v; words >> v;) numbers.push_back(v);
    const Annotated y = changed(name, numbers, x, displacement);
    const std::string at = std::to_string(count);
    out.emplace_back(at + ".image", y.image);
    if (y.boxes.defined()) out.emplace_back(at + ".boxes", y.boxes);
    if (y.mask.defined()) out.emplace_back(at + ".mask", y.mask);
  }
  io::write_npz(argv[3], out);
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
