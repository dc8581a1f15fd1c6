// Texts and what they become.
#pragma once

#include <cstdint>
#include <string>

#include "glia/data.h"

namespace glia::text {

struct Pairs {
  data::Texts source, target;  // as many of each
  int64_t size() const { return static_cast<int64_t>(source.size()); }
};
// A file with a pair in each line that is not empty: SOURCE TAB TARGET, or SOURCE,TARGET where
// quotes stand as in RFC 4180 but for line breaks; the first line tells which, and may name the
// columns "source" and "target". Throws IoError, "FILE: line 7: fault".
Pairs read_pairs(const std::string& path);

// Without the sources that a draw by the seed and the text alone leaves for the test, and those: a
// source that comes twice is on one side.
struct SplitPairs {
  Pairs train, test;
};
SplitPairs split(const Pairs& pairs, double test_share, uint64_t seed);

}  // namespace glia::text
