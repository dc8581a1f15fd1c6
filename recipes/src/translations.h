// Translations as results and in a report.
#pragma once

#include <string>
#include <vector>

#include "glia/recipes/result.h"
#include "glia/text/translator.h"

namespace glia::recipes {

// The likeliest of so many, its log-probability and all of them, with a note if the text has
// characters that the translator does not know.
Results results_of(const text::Translator& translator, const std::string& source, int64_t beam);
// Some of them, wrong ones first.
report::Table table_of(std::vector<text::Judged> all);
// What each character of a text's translation was written from.
report::Section attention(const text::Translator& translator, const std::string& source);

}  // namespace glia::recipes
