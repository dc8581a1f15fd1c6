// Translations in a report.
#pragma once

#include <string>
#include <vector>

#include "glia/report.h"
#include "glia/text/translator.h"

namespace glia::recipes {

// Some of them, wrong ones first.
report::Table table_of(std::vector<text::Judged> all);
// What each character of a text's translation was written from.
report::Section attention(const text::Translator& translator, const std::string& source);

}  // namespace glia::recipes
