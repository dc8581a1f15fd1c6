#include "glia/quantum/datasets.h"

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "glia/data/source.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/quantum/templates.h"
#include "matrix.h"

namespace glia::quantum {
namespace {

constexpr double kPi = std::numbers::pi;

double gaussian(data::Random& random) {
  const double u = 1 - random.uniform(), v = random.uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * kPi * v);
}
// Uniform among all (Mezzadri 2007): Gaussian columns made orthonormal one after the other.
Complex random_unitary(int size, data::Random& random) {
  Matrix m(size);
  for (int j = 0; j < size; ++j) {
    for (int i = 0; i < size; ++i) m(i, j) = {gaussian(random), gaussian(random)};
    for (int k = 0; k < j; ++k) {
      Cx overlap;
      for (int i = 0; i < size; ++i) overlap = overlap + conj(m(i, k)) * m(i, j);
      for (int i = 0; i < size; ++i) m(i, j) = m(i, j) + -1 * (overlap * m(i, k));
    }
    double norm = 0;
    for (int i = 0; i < size; ++i) norm += (conj(m(i, j)) * m(i, j)).re;
    for (int i = 0; i < size; ++i) m(i, j) = (1 / std::sqrt(norm)) * m(i, j);
  }
  std::vector<double> re, im;
  for (int i = 0; i < size * size; ++i) {
    re.push_back(m.data()[i].re);
    im.push_back(m.data()[i].im);
  }
  return {from_vector(re, {size, size}), from_vector(im, {size, size})};
}
void check_count(const char* name, int64_t count) {
  if (count < 2 || count % 2 != 0 || count > 1000000)
    throw ValueError(std::string(name) + ": " + std::to_string(count) +
                     " samples; they are an even number up to a million");
}

}  // namespace

Labelled moons(int64_t count, double noise, uint64_t seed) {
  check_count("moons", count);
  data::Random random(seed);
  std::vector<double> x;
  std::vector<int64_t> y;
  for (int64_t i = 0; i < count; ++i) {
    const bool lower = i % 2;
    const double angle = kPi * random.uniform();
    x.push_back((lower ? 1 - std::cos(angle) : std::cos(angle)) + noise * gaussian(random));
    x.push_back((lower ? 0.5 - std::sin(angle) : std::sin(angle)) + noise * gaussian(random));
    y.push_back(lower);
  }
  return {from_vector(x, {count, 2}), from_vector(y, {count})};
}

Labelled parity(int64_t bits) {
  if (bits < 1 || bits > 16) throw ValueError("parity: " + std::to_string(bits) + " bits");
  const int64_t count = int64_t{1} << bits;
  std::vector<double> x;
  std::vector<int64_t> y;
  for (int64_t i = 0; i < count; ++i) {
    int64_t ones = 0;
    for (int64_t b = 0; b < bits; ++b) {
      x.push_back(static_cast<double>(i >> b & 1));
      ones += i >> b & 1;
    }
    y.push_back(ones % 2);
  }
  return {from_vector(x, {count, bits}), from_vector(y, {count})};
}

Labelled ad_hoc(int64_t count, double gap, uint64_t seed) {
  check_count("ad_hoc", count);
  if (!(gap >= 0 && gap <= 0.9)) throw ValueError("ad_hoc: a gap of " + std::to_string(gap));
  data::Random random(seed);
  const Operation v = QubitUnitary(random_unitary(4, random), {0, 1});
  std::vector<double> x;
  std::vector<int64_t> y;
  int64_t left[2] = {count / 2, count / 2};
  constexpr int64_t kAtOnce = 512, kMostRounds = 100000;
  for (int64_t round = 0; left[0] + left[1] > 0; ++round) {
    if (round == kMostRounds) throw Error("ad_hoc: the seed gives one class alone");
    std::vector<double> tried;
    for (int64_t i = 0; i < 2 * kAtOnce; ++i) tried.push_back(2 * kPi * (1 - random.uniform()));
    Circuit c(2);
    c.add(ZZFeatureMap(from_vector(tried, {kAtOnce, 2}), {0, 1}));
    c.add(v);
    const Tensor values = c.expval(Z(0) * Z(1));
    for (int64_t i = 0; i < kAtOnce; ++i) {
      const double value = values.data<double>()[static_cast<size_t>(i)];
      const int64_t of = value > 0;
      if (std::abs(value) < gap || left[of] == 0) continue;
      --left[of];
      x.insert(x.end(), {tried[static_cast<size_t>(2 * i)], tried[static_cast<size_t>(2 * i + 1)]});
      y.push_back(of);
    }
  }
  return {from_vector(x, {count, 2}), from_vector(y, {count})};
}

}  // namespace glia::quantum
