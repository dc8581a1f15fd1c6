// Whether short work is worth sharing among threads.
#pragma once

#include <cstdint>

#include "runtime/threads.h"

namespace glia {

// Finds out for work that is done again and again whether it is faster on all threads or on the
// calling one alone, and does it so. What has to move between two cores can cost a short step more
// than their help gains; how much differs between machines, and in a virtual one from minute to
// minute: hence both are tried now and then. Work takes its turns one at a time.
class Teamwork {
 public:
  // One repetition, from construction to destruction, on one thread.
  class Turn {
   public:
    explicit Turn(Teamwork* of);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Teamwork& of_;
    const Alone alone_;
    const int64_t jobs_;  // shared before
    const double start_;  // in milliseconds; 0 if this is no trial
  };

 private:
  static constexpr int kTried = 12;       // turns of either kind
  static constexpr int kPeriod = 1024;    // turns until both are tried again
  static constexpr double kLongMs = 0.5;  // work so long is always shared

  bool trial() const { return turn_ < 2 * kTried; }
  void note(double ms, bool shared);

  int turn_ = 0;  // of the period, which begins with trials, first together
  bool alone_ = false;
  double together_ms_ = 0, alone_ms_ = 0;  // the least
};

}  // namespace glia
