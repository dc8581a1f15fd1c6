// Successive halving.
#include <algorithm>
#include <cmath>

#include "checks.h"
#include "glia/classic/cluster.h"
#include "glia/classic/search.h"

namespace glia::classic {
namespace {

constexpr const char* kSamples = "n_samples";

int64_t iterations(double candidates, double factor) {
  return 1 + static_cast<int64_t>(std::floor(std::log(candidates) / std::log(factor)));
}

}  // namespace

HalvingSearchCV::HalvingSearchCV(const Estimator& estimator, const SearchSpace& space,
                                 const HalvingOptions& halving, const SearchOptions& options,
                                 Where where)
    : SearchCV(estimator, space, options, where), halving_(halving) {}

std::vector<Param> HalvingSearchCV::own_params() {
  return {{"factor", &halving_.factor},
          {"resource", &halving_.resource},
          {"max_resources", &halving_.max_resources},
          {"min_resources", &halving_.min_resources},
          {"aggressive_elimination", &halving_.aggressive_elimination},
          {"random_state", &halving_.random_state},
          {"n_candidates", &halving_.n_candidates}};
}

void HalvingSearchCV::settle_resources(const Data& data, Where where) {
  const auto refuse = [&](const std::string& fault) {
    throw ValueError(std::string(name()) + ": " + fault, where);
  };
  if (!(halving_.factor > 1) || !std::isfinite(halving_.factor))
    refuse("factor = " + to_text(ParamValue(halving_.factor)) + ", which is not above 1");
  for (const auto& [what, value] : {std::pair("max_resources", halving_.max_resources),
                                    {"min_resources", halving_.min_resources},
                                    {"n_candidates", halving_.n_candidates}})
    if (value.value_or(1) < 1)
      refuse(std::string(what) + " = " + std::to_string(*value) + ", which is below 1");
  const bool samples = halving_.resource == kSamples;
  if (!samples) {
    const ParamValues options = get_params(*estimator_);
    if (std::none_of(options.begin(), options.end(),
                     [&](const auto& option) { return option.first == halving_.resource; }))
      refuse("resource " + halving_.resource + " is no option of " +
             std::string(estimator_->name()));
    for (const Distribution& d : space_)
      if (d.name == halving_.resource)
        refuse("resource " + halving_.resource + " is searched for as well");
    if (!halving_.max_resources)
      refuse("max_resources of the resource " + halving_.resource + " is not set");
  }
  running_ = {};
  running_.max_resources = halving_.max_resources.value_or(data.samples);
  if (samples && running_.max_resources > data.samples)
    refuse("max_resources = " + std::to_string(running_.max_resources) + " of " +
           std::to_string(data.samples) + " samples");
  running_.min_resources =
      halving_.min_resources.value_or(samples ? 2 * data.splits * data.classes : 1);
  if (running_.min_resources > running_.max_resources)
    refuse("min_resources = " + std::to_string(running_.min_resources) +
           " is above max_resources = " + std::to_string(running_.max_resources));
}

void HalvingSearchCV::run(const Data& data, const Judge& judge, Where where) {
  settle_resources(data, where);
  Course& now = running_;
  const double factor = halving_.factor;
  std::vector<ParamValues> left = candidates(now.max_resources / now.min_resources, where);
  now.n_required_iterations = iterations(static_cast<double>(left.size()), factor);
  if (!halving_.min_resources && halving_.minimum == MinResources::kExhaust) {
    const double most = static_cast<double>(now.max_resources) /
                        std::pow(factor, static_cast<double>(now.n_required_iterations - 1));
    now.min_resources = std::max(now.min_resources, static_cast<int64_t>(std::floor(most)));
  }
  now.n_possible_iterations =
      iterations(static_cast<double>(now.max_resources / now.min_resources), factor);
  now.n_iterations = halving_.aggressive_elimination
                         ? now.n_required_iterations
                         : std::min(now.n_possible_iterations, now.n_required_iterations);
  for (int64_t i = 0; i < now.n_iterations; ++i) {
    int64_t power = i;
    if (halving_.aggressive_elimination)
      power = std::max<int64_t>(0, i - now.n_required_iterations + now.n_possible_iterations);
    const double grown =
        std::pow(factor, static_cast<double>(power)) * static_cast<double>(now.min_resources);
    const int64_t resources = grown < static_cast<double>(now.max_resources)
                                  ? static_cast<int64_t>(grown)
                                  : now.max_resources;
    now.n_resources.push_back(resources);
    now.n_candidates.push_back(static_cast<int64_t>(left.size()));
    Round round{.candidates = left, .iter = i, .n_resources = resources};
    if (halving_.resource == kSamples)
      round.share = static_cast<double>(resources) / static_cast<double>(data.samples);
    else
      for (ParamValues& candidate : round.candidates) {
        std::erase_if(candidate, [&](const auto& p) { return p.first == halving_.resource; });
        candidate.emplace_back(halving_.resource, resources);
      }
    const std::vector<double> scores = judge(round);
    // The best ones, the very best last; those without a score are the first to go.
    std::vector<size_t> order(left.size());
    for (size_t c = 0; c < order.size(); ++c) order[c] = c;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::isnan(scores[a]) ? !std::isnan(scores[b]) : scores[a] < scores[b];
    });
    const auto kept = static_cast<int64_t>(std::ceil(static_cast<double>(left.size()) / factor));
    std::vector<ParamValues> best;
    for (auto at = order.end() - kept; at != order.end(); ++at)
      best.push_back(round.candidates[*at]);
    left = std::move(best);
  }
  now.n_remaining_candidates = static_cast<int64_t>(left.size());
}

HalvingGridSearchCV::HalvingGridSearchCV() : HalvingGridSearchCV(KMeans(), {}) {}
HalvingGridSearchCV::HalvingGridSearchCV(const Estimator& estimator, const SearchSpace& param_grid,
                                         const HalvingOptions& halving,
                                         const SearchOptions& options, Where where)
    : HalvingSearchCV(estimator, param_grid, halving, options, where) {
  if (!halving_.minimum) halving_.minimum = MinResources::kExhaust;
}
std::vector<ParamValues> HalvingGridSearchCV::candidates(int64_t, Where where) const {
  return parameter_grid(space_, where);
}

HalvingRandomSearchCV::HalvingRandomSearchCV() : HalvingRandomSearchCV(KMeans(), {}) {}
HalvingRandomSearchCV::HalvingRandomSearchCV(const Estimator& estimator,
                                             const SearchSpace& param_distributions,
                                             const HalvingOptions& halving,
                                             const SearchOptions& options, Where where)
    : HalvingSearchCV(estimator, param_distributions, halving, options, where) {
  if (!halving_.minimum) halving_.minimum = MinResources::kSmallest;
}
std::vector<ParamValues> HalvingRandomSearchCV::candidates(int64_t most, Where where) const {
  return parameter_samples(space_, halving_.n_candidates.value_or(most), halving_.random_state,
                           where);
}

}  // namespace glia::classic
