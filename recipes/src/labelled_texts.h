// Texts with classes, of the catalogue or a table.
#pragma once

#include <string>

#include "glia/text/labelled.h"

namespace glia::recipes {

// "mr", "imdb" (or its name in the catalogue) and "sms-spam", or a table FILE.csv or FILE.tsv,
// whose columns may be named; else they are "text" and "label", or the table's two. Rows with
// nothing in either are left out. Throws IoError.
text::LabelledTexts read_labelled_texts(const std::string& from,
                                        const std::string& text_column = "",
                                        const std::string& label_column = "");

}  // namespace glia::recipes
