// A Gaussian's weights, and what a place beyond an edge is a mirror image of.
#pragma once

#include <cstdint>
#include <vector>

namespace glia::vision {

// `size` weights, which add up to 1.
std::vector<double> gaussian_weights(int64_t size, double sigma);
// Where i lies if the places [0, size) go on mirrored without repeating the edge, however far.
int64_t mirrored(int64_t i, int64_t size);
// Numbers (height, width, channels) blurred along both axes.
std::vector<double> blurred(const std::vector<double>& x, int64_t height, int64_t width,
                            int64_t channels, const std::vector<double>& down,
                            const std::vector<double>& across);

}  // namespace glia::vision
