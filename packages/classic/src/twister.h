// NumPy's RandomState, so that seeds draw what they draw in scikit-learn.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>
#include <unordered_set>
#include <utility>
#include <vector>

namespace glia::classic {

class Twister {
 public:
  // A seed beyond 32 bits, which NumPy does not take, is one of both halves.
  explicit Twister(uint64_t seed) : bits_(static_cast<uint32_t>(seed ^ (seed >> 32))) {}

  uint32_t bits() { return bits_(); }
  // randint(high), 0 < high <= 2^32: what has too many bits is drawn again.
  int64_t below(int64_t high) {
    const auto most = static_cast<uint64_t>(high) - 1;
    if (most == 0) return 0;
    uint32_t mask = static_cast<uint32_t>(most);
    for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
    uint32_t value = bits_() & mask;
    while (value > most) value = bits_() & mask;
    return value;
  }
  double uniform() {  // [0, 1) of 53 bits
    const uint32_t high = bits_() >> 5, low = bits_() >> 6;
    return (high * 67108864.0 + low) / 9007199254740992.0;
  }
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i-- > 1;)
      std::swap(values[i], values[static_cast<size_t>(below(static_cast<int64_t>(i) + 1))]);
  }
  std::vector<int64_t> permutation(int64_t n) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), int64_t{0});
    shuffle(order);
    return order;
  }
  // `count` different ones of n, in an order that means nothing (sample_without_replacement).
  std::vector<int64_t> some_of(int64_t n, int64_t count) {
    const double ratio = static_cast<double>(count) / static_cast<double>(n);
    std::vector<int64_t> out;
    if (ratio <= 0.01) {
      std::unordered_set<int64_t> seen;
      while (static_cast<int64_t>(out.size()) < count)
        if (const int64_t i = below(n); seen.insert(i).second) out.push_back(i);
    } else if (ratio < 0.99) {
      out = permutation(n);
      out.resize(static_cast<size_t>(count));
    } else {
      out.resize(static_cast<size_t>(count));
      std::iota(out.begin(), out.end(), int64_t{0});
      for (int64_t i = count; i < n; ++i)
        if (const int64_t j = below(i + 1); j < count) out[static_cast<size_t>(j)] = i;
    }
    return out;
  }
  // choice(n, count, p=weight / sum(weight)), with replacement.
  std::vector<int64_t> weighted(const std::vector<double>& weight, int64_t count) {
    const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
    std::vector<double> until;
    double sum = 0;
    for (const double w : weight) until.push_back(sum += w / total);
    std::vector<int64_t> out;
    for (double& u : until) u /= sum;
    for (int64_t i = 0; i < count; ++i)
      out.push_back(std::upper_bound(until.begin(), until.end(), uniform()) - until.begin());
    return out;
  }

 private:
  std::mt19937 bits_;
};

}  // namespace glia::classic
