// The optimizer alone, on gradients that stay.
#include "bench.h"

namespace glia::bench {
namespace {

Result adamw(const Options& options, int count, int64_t size) {
  const Start start(options);
  std::vector<Parameter> parameters;
  ParameterList list;
  std::vector<Tensor> grads;
  for (int i = 0; i < count; ++i) {
    list.push_back(parameters.emplace_back(start("p." + std::to_string(i), {size})));
    grads.push_back(start("g." + std::to_string(i), {size}));
  }
  optim::AdamW optimizer(list, {.lr = options.lr > 0 ? options.lr : 1e-3});
  Result result = run(options, [&] {
    optimizer.step(grads);
    return list[0].tensor();
  });
  // Parameter and two moments read and written, gradient read.
  result.facts = {{"bytes", 7.0 * sizeof(float) * count * size}};
  return result;
}

}  // namespace

Result adamw_small(const Options& options) { return adamw(options, 200, 64); }
Result adamw_large(const Options& options) { return adamw(options, 50, 200'000); }

}  // namespace glia::bench
