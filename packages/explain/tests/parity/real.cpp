// Glia's side of real.py: real picture WEIGHTS IN.npz OUT.npz, real words FOLDER FIRST SECOND.
#include <cmath>
#include <iostream>
#include <string>

#include "glia/explain/attribution.h"
#include "glia/explain/layers.h"
#include "glia/explain/metrics.h"
#include "glia/explain/perturb.h"
#include "glia/io.h"
#include "glia/llm/bert.h"
#include "glia/ops.h"
#include "glia/vision/weights.h"

using namespace glia;

namespace {

void picture(const std::string& weights, const std::string& from, const std::string& to) {
  const auto net = vision::make_network("efficientnet_lite0");
  if (!vision::load_weights(*net, weights)) throw Error("other weights");
  net->eval();
  const explain::Forward f = [&](const Tensor& x) { return (*net)(x); };
  io::NamedTensors out;
  for (const auto& [name, x] : io::read_npz(from)) {
    const explain::Target target = explain::likeliest(f, x);
    const Tensor base = zeros({1, 1, 1, 3});
    const auto change = [&] {
      const NoGrad no_grad;
      return (target.of(f(x)) - target.of(f(expand(base, x.shape())))).item();
    }();
    const auto lift = explain::deep_lift(f, x, {.target = target});
    const auto ig = explain::integrated_gradients(
        f, x, {.target = target, .n_steps = 50, .internal_batch_size = 10});
    const Tensor cam =
        explain::grad_cam(f, x, {.target = target, .relu_attributions = true, .upsample = true});
    const Tensor heat = expand(unsqueeze(cam, 3), x.shape());
    const auto curve = explain::deletion_insertion(f, x, heat, {.target = target, .steps = 10});
    const auto opposite = explain::deletion_insertion(f, x, -heat, {.target = target, .steps = 10});
    out.emplace_back(name + "_class", argmax(f(x)));
    out.emplace_back(name + "_cam", index(cam, {0}));
    out.emplace_back(
        name + "_numbers",
        from_vector(
            std::vector<double>{change, std::abs(lift.delta.item()), std::abs(ig.delta.item()),
                                curve.deletion.item(), opposite.deletion.item(),
                                curve.insertion.item(), opposite.insertion.item()},
            {7}));
  }
  io::write_npz(to, out);
}

// What each word of the first text adds to its nearness to the second.
void words(const std::string& folder, const std::string& first, const std::string& second) {
  llm::SentenceEncoder encoder(folder);
  const Tensor other = encoder.encode({second});
  const auto batch = encoder.tokens({first});
  const auto found = explain::embedding_gradients(
      encoder.model.embeddings.word_embeddings,
      [&] { return sum(encoder(batch) * other, {1}, true); }, {.n_steps = 60});
  const auto weight = found.attributions.to_vector<double>();
  std::cout << "delta " << found.delta.item() << '\n';
  for (size_t i = 0; i < weight.size(); ++i) std::cout << i << ' ' << weight[i] << '\n';
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 5) return 2;
  std::string(argv[1]) == "picture" ? picture(argv[2], argv[3], argv[4])
                                    : words(argv[2], argv[3], argv[4]);
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return 1;
}
