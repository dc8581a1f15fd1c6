// Samples for circuits: a set that is drawn or a table of the user's, its features as angles, one
// for each wire.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/recipes/recipe.h"

namespace glia::recipes {

struct QuantumSamples {
  Tensor x;  // (N, wires) f64
  Tensor y;  // (N) i64
};

// How features become angles: (x - mean) directions, of which there are as many as wires.
struct QuantumForm {
  std::vector<std::string> classes;
  std::vector<double> mean;        // (features)
  std::vector<double> directions;  // (features, wires)

  int64_t features() const { return static_cast<int64_t>(mean.size()); }
  int64_t wires() const { return static_cast<int64_t>(directions.size() / mean.size()); }
  Tensor prepared(const Tensor& x) const;  // (N, features) -> (N, wires)
  Facts facts() const;
  static QuantumForm of(const Saved& saved);  // throws IoError for what cannot be
};

// The settings of data, as a recipe declares them.
struct QuantumData {
  std::string name, target;
  int64_t samples = 0, wires = 0, bits = 0, seed = 0;
  double noise = 0, test = 0;

  void declare(Fields& f);
  struct Read {
    QuantumForm form;
    QuantumSamples train, test;
  };
  Read read() const;
};

}  // namespace glia::recipes
