// A model of a table that is used: rows and whole tables are predicted, judged and explained.
#pragma once

#include <memory>

#include "recipes/src/tabular_settings.h"

namespace glia::recipes {

std::unique_ptr<Predictor> table_predictor(const Saved& saved, const TabularSettings& s);

}  // namespace glia::recipes
