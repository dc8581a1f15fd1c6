#include "runtime/teamwork.h"

#include <algorithm>

#include "runtime/clock.h"

namespace glia {

Teamwork::Turn::Turn(Teamwork* of)
    : of_(*of),
      alone_(of->trial() ? of->turn_ >= kTried : of->alone_),
      jobs_(jobs_shared()),
      start_(of->trial() ? milliseconds() : 0) {}

Teamwork::Turn::~Turn() {
  if (of_.trial()) of_.note(milliseconds() - start_, jobs_shared() > jobs_);
  of_.turn_ = (of_.turn_ + 1) % kPeriod;
}

void Teamwork::note(double ms, bool shared) {
  const bool together = turn_ < kTried;
  double& least = together ? together_ms_ : alone_ms_;
  least = turn_ % kTried == 0 ? ms : std::min(least, ms);
  const bool all_long = turn_ == kTried - 1 && least > kLongMs;
  if (together ? !shared || all_long : ms > 2 * together_ms_) {  // clear without more trials
    alone_ = false;
    turn_ = 2 * kTried;
  } else if (turn_ == 2 * kTried - 1) {
    alone_ = alone_ms_ < together_ms_;
  }
}

}  // namespace glia
