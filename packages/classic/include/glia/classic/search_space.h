// What a search may choose from, and what it tries next: every combination, draws, or where earlier
// trials were good.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glia/classic/estimator.h"

namespace glia::classic {

// What one option may be: one of the choices, or where there are none a number from low to high,
// both included.
struct Distribution {
  std::string name;
  std::vector<ParamValue> choices = {};
  double low = 0, high = 0;
  bool log = false;      // small and large numbers are as likely by their logarithm
  bool integer = false;  // whole numbers only

  bool is_range() const { return choices.empty(); }
  bool operator==(const Distribution&) const = default;
};
using SearchSpace = std::vector<Distribution>;

// Throw ValueError where nothing can be chosen: no values, low above high, a logarithm of what is
// not positive.
Distribution categorical(const std::string& name, const std::vector<ParamValue>& choices,
                         Where where = Where::current());
Distribution float_range(const std::string& name, double low, double high, bool log = false,
                         Where where = Where::current());
Distribution int_range(const std::string& name, int64_t low, int64_t high, bool log = false,
                       Where where = Where::current());

// A space as text: "lr=log:1e-4..0.1,units=8..64,init=random|k-means++". A range of numbers that
// are written as whole ones is of whole ones; "2.0..8.0" is not. Choices are numbers, true, false,
// none, or text, which may stand in quotes: 'a, b'. Throws ValueError.
SearchSpace parse_space(std::string_view text, Where where = Where::current());
// Throws ValueError for a text among the choices that could not be read back.
std::string to_text(const SearchSpace& space, Where where = Where::current());

// Every combination, scikit-learn's order: names ascend, and the last one changes fastest. Throws
// ValueError for a range, or for more than 2^24 combinations.
std::vector<ParamValues> parameter_grid(const SearchSpace& space, Where where = Where::current());
// So many draws: without a range each combination once at most, so that there may be fewer.
std::vector<ParamValues> parameter_samples(const SearchSpace& space, int64_t n_iter,
                                           uint64_t random_state = 0,
                                           Where where = Where::current());

// A trial that is over: what was chosen, and how good that was, the more the better; NaN if it
// failed.
struct Trial {
  ParamValues params;
  double score = 0;
};

struct TPEOptions {
  int64_t n_startup_trials = 10;  // that are drawn
  int64_t n_ei_candidates = 24;
  uint64_t random_state = 0;
};
// Tree-structured Parzen estimators (Bergstra et al. 2011) with the defaults of Optuna 5: the best
// tenth of the trials, 25 at most, and the rest each get a density, a sum of products of truncated
// normal densities around the trials; of some draws from the first, that one is tried where the
// densities' ratio is highest. What is suggested depends on the trials and the seed alone.
class TPESampler {
 public:
  explicit TPESampler(SearchSpace space, const TPEOptions& options = {},
                      Where where = Where::current());

  // What to try after these trials, which must have chosen from the space; those that failed do not
  // count.
  ParamValues suggest(const std::vector<Trial>& trials, Where where = Where::current()) const;
  // What suggest() compares: the logarithms of the density of good trials and of that of the
  // others, up to the same summand, for each candidate.
  std::vector<std::pair<double, double>> log_densities(const std::vector<Trial>& trials,
                                                       const std::vector<ParamValues>& candidates,
                                                       Where where = Where::current()) const;
  const SearchSpace& space() const { return space_; }

 private:
  SearchSpace space_;
  TPEOptions options_;
};

}  // namespace glia::classic
