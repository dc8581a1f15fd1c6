#include "glia/vision/models.h"

#include "glia/error.h"

namespace glia::vision {
namespace {

template <class Net>
Classifier classifier(std::shared_ptr<Net> net) {
  return {net, [net](const Tensor& x) { return (*net)(x); }};
}

}  // namespace

Classifier make_classifier(const std::string& name, int64_t size, int64_t channels,
                           int64_t classes) {
  if (name == "mlp") return classifier(std::make_shared<Mlp>(size, channels, classes));
  if (name == "cnn") return classifier(std::make_shared<Cnn>(size, channels, classes));
  if (name == "resnet20") return classifier(std::make_shared<ResNet20>(channels, classes));
  throw Error("unknown classifier '" + name + "' (known: mlp, cnn, resnet20)");
}

}  // namespace glia::vision
