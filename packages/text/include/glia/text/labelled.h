// Texts with classes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/data.h"

namespace glia::text {

struct LabelledTexts {
  std::vector<std::string> texts;
  std::vector<int64_t> labels;  // as many, numbers of classes
  std::vector<std::string> classes;
  int64_t size() const { return static_cast<int64_t>(texts.size()); }
};
// Those of these numbers.
LabelledTexts chosen(const LabelledTexts& all, const std::vector<int64_t>& numbers);

// Sentences of film reviews, 5,331 negative and 5,331 positive (Pang, Lee 2005).
LabelledTexts movie_reviews(const std::string& folder = "");
// Whole film reviews of IMDb, 1,000 negative and 1,000 positive (Pang, Lee 2004).
LabelledTexts imdb_reviews(const std::string& folder = "");
// Short messages, 4,827 "ham" and 747 "spam" (Almeida, Hidalgo, Yamakami 2011).
LabelledTexts sms_spam(const std::string& folder = "");

}  // namespace glia::text
