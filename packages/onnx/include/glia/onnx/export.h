// Any of Glia's models as an ONNX file.
//
//   net.eval();
//   onnx::write("net.onnx", net, zeros({1, 28, 28, 1}));
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "glia/nn/module.h"
#include "glia/tensor.h"

namespace glia::onnx {

struct WriteOptions {
  std::vector<std::string> input_names = {};   // missing ones: "input", "input_1", ...
  std::vector<std::string> output_names = {};  // "output", "output_1", ...
  // Axis 0 of every input is the batch, of any size (as dynamic_axes of torch.onnx); otherwise the
  // file is for the examples' sizes alone.
  bool dynamic_batch = true;
  // Weights stand beside the file, in FILE.data, as they must above 2 GB.
  bool external_data = false;
};

// What f(inputs) computes, recorded on inputs of the examples' shapes and dtypes, in operators of
// opset 20. Inputs and outputs keep Glia's order of axes: pictures are (N, H, W, C). Parameters of
// the module that f uses are initializers under their names. Throws Error for an operation that has
// no counterpart, names it and the line that recorded it; where f reads a value that depends on an
// input; for a module in training mode; and where the graph is another one for another batch.
// IoError where the file cannot be written.
void write(const std::string& path, const nn::Module& module,
           const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& f,
           const std::vector<Tensor>& examples, const WriteOptions& options = {});
// The same of a module of one input and one output.
template <class M>
void write(const std::string& path, const M& module, const Tensor& example,
           const WriteOptions& options = {}) {
  write(
      path, module,
      [&module](const std::vector<Tensor>& x) { return std::vector<Tensor>{module(x[0])}; },
      {example}, options);
}

}  // namespace glia::onnx
