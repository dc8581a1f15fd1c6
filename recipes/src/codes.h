// How well pictures are told by codes, and what codes look like.
#pragma once

#include <cstdint>
#include <functional>

#include "glia/recipes/run.h"
#include "glia/vision/autoencoder.h"
#include "recipes/src/images.h"

namespace glia::recipes {

// The mean over pictures u8 of the sum of squared differences, where made(x) is x of 0 to 1 again.
double error_of(const std::function<Tensor(const Tensor&)>& made, const Tensor& images);
// The same by so many principal components of the training pictures.
double error_of_components(const Tensor& train, const Tensor& test, int64_t count);

report::Section scatter(const vision::AutoEncoder& net, const LabelledImages& set,
                        const ImageForm& form);
report::Section remade(const vision::AutoEncoder& net, const Tensor& images);
// From one code to another in even steps.
report::Section walks(const vision::AutoEncoder& net, const Tensor& images);

}  // namespace glia::recipes
