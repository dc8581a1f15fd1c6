// Values and results as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "glia/recipes/result.h"
#include "glia/recipes/settings.h"

namespace glia::recipes {

using Json = nlohmann::ordered_json;

Json as_json(const Value& value);
Json as_json(const Values& values);
Json as_json(const Results& results);
// What is no value (null, a list) is the text of its JSON, which no number's setting allows.
Value value_of(const Json& json);

}  // namespace glia::recipes
