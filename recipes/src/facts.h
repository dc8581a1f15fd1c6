// What a model file says, as texts of its header.
#pragma once

#include <optional>

#include "glia/recipes/recipe.h"

namespace glia::recipes {

// JSON, or nothing for a text that is no fact. JSON is UTF-8; texts of the user's in another
// encoding go byte by byte, so that a model of such data is not lost.
std::string to_text(const Fact& fact);
std::optional<Fact> fact_of(const std::string& text);

bool is_utf8(const std::string& text);

}  // namespace glia::recipes
