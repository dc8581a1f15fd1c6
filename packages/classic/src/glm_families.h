// Families and links of generalised linear models, number by number.
#pragma once

#include "glia/classic/glm.h"

namespace glia::classic {

struct Link {
  GLMLink kind;

  double predictor(double mean) const;
  double mean(double predictor) const;
  // Of the mean, by the predictor.
  double slope(double predictor) const;
};
// That of statsmodels where it is kDefault.
Link link_of(const GLMOptions& options);

struct Family {
  GLMFamily kind;
  double power = 1.5, nb_alpha = 1;

  // What is wrong with y: "y is between 0 and 1"; nothing if it may be.
  const char* refuses(double y) const;
  double variance(double mean) const;
  double deviance(double y, double mean) const;  // of one sample
  double start(double y, double mean) const;     // a mean to begin with
  // The mean kept within what the family knows.
  double inside(double mean) const;
  // Of one sample; NaN for Tweedie.
  double log_likelihood(double y, double mean, double scale) const;
};

// Of variance mean^power.
double tweedie_deviance(double y, double mean, double power);

}  // namespace glia::classic
