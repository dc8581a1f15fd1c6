// How likely t-SNE has samples as neighbours of each other.
#pragma once

#include <cstdint>
#include <vector>

namespace glia::classic {

// Of each row of squared distances to k others (rows, k): probabilities proportional to
// exp(-beta d^2) with beta such that their entropy is log(perplexity), within 1e-5 or by 100
// halvings.
std::vector<double> neighbor_probabilities(const double* squares, int64_t rows, int64_t k,
                                           double perplexity);

}  // namespace glia::classic
