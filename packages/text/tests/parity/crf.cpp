// Random fields for crf.py: reads a case, writes log-likelihoods, gradients and the best tags.
#include <cstdio>
#include <iostream>

#include "glia/glia.h"
#include "glia/text/crf.h"
using namespace glia;

int main() {
  int64_t n, t, k;
  std::cout.precision(17);
  while (std::cin >> n >> t >> k) {
    const auto reals = [](const Shape& shape) {
      std::vector<double> values(static_cast<size_t>(shape.numel()));
      for (double& x : values) std::cin >> x;
      return trainable(from_vector(values, shape));
    };
    const auto integers = [](const Shape& shape) {
      std::vector<int64_t> values(static_cast<size_t>(shape.numel()));
      for (int64_t& x : values) std::cin >> x;
      return from_vector(values, shape);
    };
    const auto emissions = reals({n, t, k}), transitions = reals({k, k}), start = reals({k}),
               end = reals({k});
    const Tensor tags = integers({n, t}), lengths = integers({n});
    const Tensor likelihood =
        text::crf_log_likelihood(emissions, tags, lengths, {transitions, start, end});
    std::vector<Tensor> all = gradients(sum(likelihood), {emissions, transitions, start, end});
    all.insert(all.begin(), likelihood);
    for (const Tensor& one : all) {
      for (const double x : one.to_vector<double>()) std::cout << x << ' ';
      std::cout << '\n';
    }
    for (const auto& path : text::crf_decode(emissions, lengths, {transitions, start, end}))
      for (const int64_t tag : path.tags) std::cout << tag << ' ';
    std::cout << std::endl;
  }
}
