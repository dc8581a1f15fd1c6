// Explanations for people, as sections of a report (glia/report.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "glia/report.h"
#include "glia/tensor.h"

namespace glia::explain {

// A picture u8 (H, W, 1 to 4) with heat (h, w) of any size and scale laid over it, u8 (H, W, 3):
// red for what speaks for the answer, blue against, the stronger the more; zeros stay grey. The
// largest one in a hundred values count as the most, so that single ones do not hide the rest.
Tensor heat_picture(const Tensor& image, const Tensor& heat, Where where = Where::current());
// Attributions (H, W, C) of a picture as heat (H, W): their sum over channels.
Tensor channel_sums(const Tensor& attributions, Where where = Where::current());

// The picture, and beside it each map of heat under its name.
report::Section pictures_section(const std::string& title, const Tensor& image,
                                 const std::vector<std::pair<std::string, Tensor>>& heat,
                                 Where where = Where::current());
// Parts of a text, shaded by what they weigh; joined they are the text.
report::Section words_section(const std::string& title, const std::vector<std::string>& parts,
                              const std::vector<double>& weights, Where where = Where::current());
// Features by what they add, the most first, and at most so many.
report::Section bars_section(const std::string& title, const std::vector<std::string>& features,
                             const std::vector<double>& values, int64_t most = 20,
                             Where where = Where::current());

}  // namespace glia::explain
