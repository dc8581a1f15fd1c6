// Glia's side of pretrained.py: pretrained TASK WEIGHTS IN.npz OUT.npz
#include <string>

#include "glia/autodiff.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "glia/vision/weights.h"

using namespace glia;

int main(int, char** a) {
  const std::string task = a[1], weights = a[2];
  const NoGrad no_grad;
  io::NamedTensors out;
  const io::NamedTensors in = io::read_npz(a[3]);
  vision::Hed hed;
  vision::UpConv7 up;
  std::shared_ptr<vision::Network> net;
  if (task == "hed") {
    hed.load(weights);
  } else if (task == "upconv7") {
    up.load(weights);
  } else {
    net = vision::make_network(task);
    if (!vision::load_weights(*net, weights)) return 1;
    net->eval();
  }
  for (const auto& [name, image] : in) {
    if (task == "hed")
      out.emplace_back(name, hed(unsqueeze(image, 0)));
    else if (task == "upconv7")
      out.emplace_back(name, vision::upscaled(up, image, 64));
    else
      out.emplace_back(name, (*net)(image));
  }
  if (task == "upconv7")
    for (const auto& [name, image] : in)
      out.emplace_back(name + ".f32", up(unsqueeze(cast(image, kF32) / 255, 0)));
  io::write_npz(a[4], out);
}
