// Dates as people write them, beside ISO's form.
#pragma once

#include <cstdint>

#include "glia/data.h"
#include "glia/text/pairs.h"

namespace glia::recipes {

// From 1950 to 2049, which years of two digits mean, each in one of ten formats. Of the test: the
// same 2,000 days whatever the seed, none of which is ever trained on; `count` is for training.
text::Pairs dates(data::Split split, int64_t count, uint64_t seed);

}  // namespace glia::recipes
