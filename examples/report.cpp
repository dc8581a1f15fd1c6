// Two moons told apart by a small network, and the report of it: report [FILE].
#include "glia/glia.h"
using namespace glia;

struct Net : nn::Module {
  nn::Linear hidden{2, 32}, out{32, 2};
  Tensor operator()(const Tensor& x) const { return out(tanh(hidden(x))); }  // (N, 2) -> (N, 2)
  GLIA_FIELDS(hidden, out)
};

int main(int argc, char** argv) {
  const int64_t n = 400;
  const Tensor label = concat({zeros({n / 2}, kI64), ones({n / 2}, kI64)});
  const Tensor moon = cast(label, kF32), angle = uniform({n}, 0, 3.14159);
  const Tensor x = (1 - 2 * moon) * cos(angle) + moon, y = (1 - 2 * moon) * sin(angle) + 0.5 * moon;
  const Tensor points = stack({x, y}, 1) + 0.1 * randn({n, 2});

  Net net;
  optim::Adam opt(net.parameters(), {.lr = 1e-2});
  std::vector<double> losses;
  for (int step = 0; step < 300; ++step) {
    const Tensor loss = cross_entropy(net(points), label);
    opt.step(gradients(loss, net.parameters()));
    losses.push_back(loss.item());
  }
  const Tensor guess = argmax(net(points));
  const double accuracy = mean(cast(guess == label, kF32)).item();

  report::Report page{.title = "Two moons", .subtitle = version()};
  page.highlights = {{"accuracy", report::shown(accuracy, true)},
                     {"parameters", report::shown(static_cast<double>(net.parameter_count()))}};
  page.sections = {
      {"Loss", report::Curves{.series = {{"training", losses}}, .x = {"step"}, .y = {.log = true}}},
      {"What the network says",
       report::Scatter{.frames = {{.points = points, .labels = guess.to_vector<int64_t>()}},
                       .classes = {"upper moon", "lower moon"}}},
      {"Weights of the first layer",
       report::Histogram{.samples = {{"hidden.weight", net.hidden.weight}}}}};
  io::write_file_atomic(argc > 1 ? argv[1] : "report.html", report::to_html(page));
  return accuracy > 0.95 ? 0 : 1;
}
