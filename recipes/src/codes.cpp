#include "recipes/src/codes.h"

#include <algorithm>

#include "glia/classic/decomposition.h"
#include "glia/glia.h"

namespace glia::recipes {

double error_of(const std::function<Tensor(const Tensor&)>& made, const Tensor& images) {
  constexpr int64_t kBatch = 500;
  const NoGrad no_grad;
  double sum = 0;
  for (int64_t at = 0; at < images.size(0); at += kBatch) {
    const Tensor x = to_unit(slice(images, 0, {at, at + kBatch}));
    sum += vision::squared_error(made(x), x).item() * static_cast<double>(x.size(0));
  }
  return sum / static_cast<double>(images.size(0));
}

double error_of_components(const Tensor& train, const Tensor& test, int64_t count) {
  const Tensor x = to_unit(flatten(train, 1));
  count = std::min({count, x.size(0), x.size(1)});
  classic::PCA pca({.n_components = count});
  pca.fit(x);
  return error_of(
      [&](const Tensor& y) {
        return reshape(cast(pca.inverse_transform(pca.transform(flatten(y, 1))), kF32), y.shape());
      },
      test);
}

report::Section scatter(const vision::AutoEncoder& net, const LabelledImages& set,
                        const ImageForm& form) {
  const Tensor images = slice(set.images, 0, {0, 2000});
  Tensor codes = net.encode(to_unit(images));
  if (codes.size(1) == 1) codes = concat({codes, zeros_like(codes)}, 1);
  if (codes.size(1) > 2) codes = classic::PCA({.n_components = int64_t{2}}).fit_transform(codes);
  return {
      "Codes",
      report::Scatter{.frames = {{.points = codes,
                                  .labels = slice(set.labels, 0, {0, 2000}).to_vector<int64_t>()}},
                      .classes = form.classes},
      "Test pictures' codes, by their two principal components.", true};
}

report::Section remade(const vision::AutoEncoder& net, const Tensor& images) {
  report::Images::Group group;
  const Tensor some = slice(images, 0, {0, 12}), made = from_unit(net(to_unit(some)));
  for (int64_t i = 0; i < some.size(0); ++i) {
    group.pictures.push_back({index(some, {i}), "picture"});
    group.pictures.push_back({index(made, {i}), "made again"});
  }
  return {"Test pictures, and what the numbers say of them", report::Images{{group}}, "", true};
}

report::Section walks(const vision::AutoEncoder& net, const Tensor& images) {
  report::Images pictures;
  const Tensor codes = net.encode(to_unit(slice(images, 0, {0, 8})));
  for (int64_t i = 0; i + 1 < codes.size(0); i += 2) {
    report::Images::Group group;
    for (int64_t step = 0; step <= 8; ++step) {
      const double t = static_cast<double>(step) / 8;
      const Tensor code =
          index(codes, {Slice{i, i + 1}}) * (1 - t) + index(codes, {Slice{i + 1, i + 2}}) * t;
      group.pictures.push_back({index(from_unit(net.decode(code)), {0})});
    }
    pictures.groups.push_back(group);
  }
  return {"Walks from one code to another", pictures, "", true};
}

}  // namespace glia::recipes
