// Why a model says what it says of an input: attributions by gradients, with Captum's names and
// defaults.
//
//   const auto a = explain::integrated_gradients(
//       [&](const Tensor& x) { return net(x); }, image, {.target = 3});
//
// They are for any function that is made of Glia's operations: nothing has to be registered in a
// module, since rules other than derivatives go back through what was recorded. A module should be
// in evaluation mode. Attributions have the input's shape and dtype and are computed when they are
// needed. Functions throw ShapeError for what does not fit, and Error for an output that does not
// depend on the input by operations with gradients.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "glia/tensor.h"

namespace glia::explain {

// x (N, ...) -> scores (N, outputs), such as logits, or (N). Each example's score may depend on
// that example alone.
using Forward = std::function<Tensor(const Tensor& x)>;

// Which output is explained: of all examples the same one, or that of each by (N) i32 or i64. None:
// the output is (N) or (N, 1).
class Target {
 public:
  Target() = default;
  Target(int64_t output) : output_(output) {}
  Target(int output) : output_(output) {}
  Target(const Tensor& outputs) : outputs_(outputs) {}

  // The scores (N) that they choose of outputs. Throws ShapeError, and ValueError for an output
  // that there is not.
  Tensor of(const Tensor& outputs, Where where = Where::current()) const;
  // The same for a part or a repetition of the examples: positions i64 (M).
  Target at(const Tensor& examples) const;

 private:
  std::optional<int64_t> output_;
  Tensor outputs_;
};
// The output that is largest for each example, (N) i64.
Target likeliest(const Forward& f, const Tensor& x);

// ---- The gradient and what is made of it --------------------------------------------------------

struct SaliencyOptions {
  Target target = {};
  bool abs = true;
};
// The gradient of the score, or its absolute value (Simonyan et al. 2014).
Tensor saliency(const Forward& f, const Tensor& x, const SaliencyOptions& options = {},
                Where where = Where::current());
// The gradient times the input (Shrikumar et al. 2016).
Tensor input_x_gradient(const Forward& f, const Tensor& x, const Target& target = {},
                        Where where = Where::current());

// Attributions, and by how much their sum misses f(x) - f(baseline): (N).
struct Attributed {
  Tensor attributions, delta;
};
enum class IntegralMethod {
  kGaussLegendre,
  kRiemannRight,
  kRiemannLeft,
  kRiemannMiddle,
  kRiemannTrapezoid
};
struct IntegratedGradientsOptions {
  Target target = {};
  Tensor baseline = {};  // broadcasts to the input; undefined: zeros
  int64_t n_steps = 50;
  IntegralMethod method = IntegralMethod::kGaussLegendre;
  int64_t internal_batch_size = 64;  // inputs that are computed at once
};
// (x - baseline) times the mean of the gradient on the way between (Sundararajan et al. 2017).
Attributed integrated_gradients(const Forward& f, const Tensor& x,
                                const IntegratedGradientsOptions& options = {},
                                Where where = Where::current());

// Any of these functions as one of the input alone.
using Method = std::function<Tensor(const Tensor& x)>;
enum class NoiseTunnelType { kSmoothGrad, kSmoothGradSq, kVarGrad };
struct NoiseTunnelOptions {
  NoiseTunnelType type = NoiseTunnelType::kSmoothGrad;
  int64_t nt_samples = 5;
  double stdevs = 1;  // of the noise
};
// The mean of a method over noisy inputs (Smilkov et al. 2017), of its square, or its variance
// (Adebayo et al. 2018). By this thread's random stream.
Tensor noise_tunnel(const Method& method, const Tensor& x, const NoiseTunnelOptions& options = {},
                    Where where = Where::current());

struct GradientShapOptions {
  Target target = {};
  int64_t n_samples = 5;
  double stdevs = 0;  // of noise on the inputs
};
// Expected gradients (Erion et al. 2021): the mean of (x - b) times the gradient at a random point
// between them, over baselines b drawn from `baselines` (B, ...). By this thread's random stream.
Attributed gradient_shap(const Forward& f, const Tensor& x, const Tensor& baselines,
                         const GradientShapOptions& options = {}, Where where = Where::current());

// ---- Other ways back ----------------------------------------------------------------------------

// The gradient with what is negative behind each ReLU left out (Springenberg et al. 2015), and the
// same without regard to what passed the ReLU (Zeiler & Fergus 2014).
Tensor guided_backprop(const Forward& f, const Tensor& x, const Target& target = {},
                       Where where = Where::current());
Tensor deconvolution(const Forward& f, const Tensor& x, const Target& target = {},
                     Where where = Where::current());

struct DeepLiftOptions {
  Target target = {};
  Tensor baseline = {};  // broadcasts to the input; undefined: zeros
  double eps = 1e-10;    // differences below it count as none: the gradient is taken
};
// DeepLIFT (Shrikumar et al. 2017) with the rescale rule: differences from the baseline instead of
// slopes. Products and other functions of two things that both change share by Shapley's value, of
// which the rule for one is the special case: attributions add up to f(x) - f(baseline) through
// gates, attention and norms too.
Attributed deep_lift(const Forward& f, const Tensor& x, const DeepLiftOptions& options = {},
                     Where where = Where::current());
// Deep SHAP (Lundberg & Lee 2017): the mean over baselines (B, ...).
Attributed deep_lift_shap(const Forward& f, const Tensor& x, const Tensor& baselines,
                          const Target& target = {}, Where where = Where::current());

enum class LrpRule {
  kEpsilon,      // z / (sum of z + epsilon)
  kGamma,        // weights w + gamma max(w, 0)
  kAlpha1Beta0,  // positive weights alone
};
struct LrpOptions {
  Target target = {};
  LrpRule rule = LrpRule::kEpsilon;  // of linear layers and convolutions
  double epsilon = 1e-9;
  double gamma = 0.25;
};
// Layer-wise relevance propagation (Bach et al. 2015; Montavon et al. 2019): the score is shared
// among what it was added up from, layer by layer. Activations pass it on; a product of two things
// that both depend on the input halves it (Achtibat et al. 2024). `delta` is the score less the
// sum, which biases keep.
Attributed lrp(const Forward& f, const Tensor& x, const LrpOptions& options = {},
               Where where = Where::current());

}  // namespace glia::explain
