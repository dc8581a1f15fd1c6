#include "glia/vision/models.h"

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/vision/networks.h"

namespace glia::vision {
namespace {

template <class Net>
Classifier classifier(std::shared_ptr<Net> net) {
  return {net, [net](const Tensor& x) { return (*net)(x); }};
}

}  // namespace

std::vector<std::string> classifier_names() {
  std::vector<std::string> names = network_names();
  names.insert(names.begin(), {"mlp", "cnn", "resnet20"});
  return names;
}

Classifier make_classifier(const std::string& name, int64_t size, int64_t channels,
                           int64_t classes) {
  if (name == "mlp") return classifier(std::make_shared<Mlp>(size, channels, classes));
  if (name == "cnn") return classifier(std::make_shared<Cnn>(size, channels, classes));
  if (name == "resnet20") return classifier(std::make_shared<ResNet20>(channels, classes));
  const std::shared_ptr<Network> net =
      make_network(name, {.classes = classes, .channels = channels, .image_size = size});
  try {  // records, and computes nothing
    const NoGrad no_grad;
    net->eval();
    (*net)(zeros({1, size, size, channels}));
  } catch (const ShapeError& e) {
    throw Error(name + ": pictures of " + std::to_string(size) + " x " + std::to_string(size) +
                " do not fit it: " + e.what());
  }
  net->train();
  return classifier(net);
}

}  // namespace glia::vision
