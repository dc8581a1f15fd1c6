#include "groups.h"

#include <algorithm>
#include <map>
#include <set>

#include "glia/data/source.h"
#include "glia/op.h"
#include "glia/ops.h"

namespace glia::fairness {

Grouped grouped(const char* op, const Tensor& features, int64_t samples, bool there, Where where) {
  require_defined(op, features, where);
  if (features.rank() < 1 || features.rank() > 2 || features.size(0) != samples)
    fail(op,
         "sensitive features " + features.shape().str() + " of " + std::to_string(samples) +
             " samples",
         where);
  const auto values = features.to_vector<double>();
  const auto width = features.rank() == 2 ? static_cast<size_t>(features.size(1)) : 1;
  std::vector<std::vector<int64_t>> rows(static_cast<size_t>(samples));
  std::vector<std::set<int64_t>> levels(width);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto whole = static_cast<int64_t>(values[i]);
    if (static_cast<double>(whole) != values[i])
      throw ValueError(std::string(op) + ": sensitive features are integers", where);
    rows[i / width].push_back(whole);
    levels[i % width].insert(whole);
  }
  Grouped out;
  if (there) {
    const std::set<std::vector<int64_t>> seen(rows.begin(), rows.end());
    out.combinations.assign(seen.begin(), seen.end());
  } else {
    out.combinations = {{}};
    for (const auto& level : levels) {
      std::vector<std::vector<int64_t>> longer;
      for (const auto& begin : out.combinations)
        for (int64_t value : level) {
          longer.push_back(begin);
          longer.back().push_back(value);
        }
      out.combinations = std::move(longer);
    }
  }
  std::map<std::vector<int64_t>, int64_t> place;
  for (const auto& c : out.combinations) place.emplace(c, static_cast<int64_t>(place.size()));
  for (const auto& row : rows) out.of.push_back(place.at(row));
  return out;
}

std::vector<std::vector<int64_t>> members(const Grouped& groups) {
  std::vector<std::vector<int64_t>> out(groups.combinations.size());
  for (size_t i = 0; i < groups.of.size(); ++i)
    out[static_cast<size_t>(groups.of[i])].push_back(static_cast<int64_t>(i));
  return out;
}

std::vector<int64_t> zeros_and_ones(const char* op, const char* what, const Tensor& y,
                                    int64_t samples, Where where) {
  require_defined(op, y, where);
  if (y.shape() != Shape{samples})
    fail(op,
         std::string(what) + " " + y.shape().str() + " of " + std::to_string(samples) + " samples",
         where);
  std::vector<int64_t> out;
  for (double v : y.to_vector<double>()) {
    if (v != 0 && v != 1)
      throw ValueError(
          std::string(op) + ": " + what + " has " + std::to_string(v) + ", and not only 0 and 1",
          where);
    out.push_back(v == 1);
  }
  return out;
}

Tensor positions(const std::vector<int64_t>& of) {
  return from_vector(of, {static_cast<int64_t>(of.size())});
}

Tensor drawn(const Tensor& probability, uint64_t seed) {
  data::Random random(seed, 0);
  std::vector<int64_t> out;
  for (double p : probability.to_vector<double>()) out.push_back(random.uniform() < p);
  return positions(out);
}

}  // namespace glia::fairness
