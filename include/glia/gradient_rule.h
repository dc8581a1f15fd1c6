// Other rules for gradients for a while: for what goes back through a graph as derivatives do and
// is none, such as guided backpropagation and relevance. Not part of glia.h; goes with glia/op.h.
#pragma once

#include <functional>

namespace glia {

class Vjp;  // glia/op.h

// Sets the gradients of an operation's inputs and says true, or says false: then the operation's
// own rule does.
using GradientRule = std::function<bool(Vjp&)>;
// While one lives, gradients() on this thread asks it about every operation that it comes by. An
// empty rule gives operations their own again. May be nested: the innermost counts.
class OtherRules {
 public:
  explicit OtherRules(GradientRule rule);
  ~OtherRules();
  OtherRules(const OtherRules&) = delete;
  OtherRules& operator=(const OtherRules&) = delete;

 private:
  GradientRule rule_;
  const GradientRule* previous_;
};

}  // namespace glia
