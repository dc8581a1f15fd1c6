// What a covariance function is made of, and how it is written.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "glia/classic/gaussian_process_kernels.h"

namespace glia::classic::detail {

enum class KernelKind {
  kConstant,
  kWhite,
  kRBF,
  kMatern,
  kRationalQuadratic,
  kExpSineSquared,
  kDotProduct,
  kSum,
  kProduct,
  kPower
};

struct Hyperparameter {
  std::string name;
  std::vector<double> value;
  KernelBounds bounds = {};
};

struct KernelNode {
  KernelKind kind;
  std::vector<Hyperparameter> own = {};  // in the order of their names
  double number = 0;                     // nu of kMatern, the exponent of kPower
  std::shared_ptr<const KernelNode> a = {}, b = {};
};

// A leaf by its name and hyperparameters' names, and what they are by default.
struct KernelForm {
  KernelKind kind;
  std::string_view name;
  std::vector<std::string_view> hyperparameters;
};
const std::vector<KernelForm>& kernel_forms();

// Throws ValueError for what is not above 0, or not finite.
std::shared_ptr<const KernelNode> checked(KernelNode node, Where where);

}  // namespace glia::classic::detail
