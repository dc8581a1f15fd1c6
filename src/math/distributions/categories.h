// What distributions of K categories share.
#pragma once

#include "math/distributions/law.h"

namespace glia::distributions {

// The last parameter given is probs or logits (..., K).
struct CategoryLaw : Law {
  CategoryLaw(const char* name, Support support, const std::vector<Given>& given, bool from_logits,
              const Where& where);
  Tensor probs, log_probs;  // (..., K), of sum 1
  int64_t draws = 1;        // of a Multinomial
  int64_t count() const { return probs.size(-1); }
  Tensor own_information() const;
  // Indices of that shape.
  Tensor draw_index(const Shape& shape) const;
};

}  // namespace glia::distributions
