// What the recipe "recommend" makes of a user's table, and what its models keep of it.
#pragma once

#include "glia/recipes/run.h"
#include "glia/recommend/metrics.h"

namespace glia::recipes {

struct RecommendSettings : Settings {
  std::string data, model, split;
  recommend::InteractionColumns columns;
  recommend::ModelOptions options;
  int64_t folds = 0, top = 0;
  double test = 0, at_least = 0;

  void declare(Fields& f) override;
  bool is_rating_model() const;
  recommend::Interactions read(const std::string& from) const;
  std::vector<recommend::Fold> splits(const recommend::Interactions& all) const;
};

// Errors of ratings first, if the model foretells them; and, if asked or nothing else is known, the
// order of the k best items.
Results judged(const recommend::Recommender& model, const recommend::Interactions& test, int64_t k,
               bool ranks);

// The data a model was trained on: tensors "train.*" of its file, and facts. Reading throws IoError
// for what does not fit together.
void append(StateDict& weights, const recommend::Interactions& known);
Facts facts_of(const recommend::Interactions& known);
recommend::Interactions known_of(const Saved& saved);

// The same rows with the numbers of `known`; those of users or items that it has not are left out.
recommend::Interactions renumbered(const recommend::Interactions& rows,
                                   const recommend::Interactions& known);
// Those with that rating at least.
recommend::Interactions liked(const recommend::Interactions& all, double rating);

}  // namespace glia::recipes
