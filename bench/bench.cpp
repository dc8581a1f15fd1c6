#include "bench.h"

#include <algorithm>
#include <chrono>

namespace glia::bench {

double median_ms(const std::function<void()>& call, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto time = [&](int64_t calls) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < calls; ++i) call();
    return std::chrono::duration<double>(Clock::now() - start).count() / calls;
  };
  time(3);
  const auto calls = std::max<int64_t>(1, static_cast<int64_t>(0.2 / std::max(time(1), 1e-7)));
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  std::vector<double> rounds;
  while (rounds.size() < 3 || Clock::now() < end) rounds.push_back(time(calls));
  const auto middle = rounds.begin() + static_cast<int64_t>(rounds.size() / 2);
  std::nth_element(rounds.begin(), middle, rounds.end());
  return *middle * 1e3;
}

Result run(const Options& options, const std::function<Tensor()>& step) {
  Result result;
  if (options.proof_steps == 0) {
    result.ms = median_ms([&] { step(); }, options.seconds);
    reset_memory_peak();
    step();
    result.peak_bytes = static_cast<double>(memory_stats().peak);
    const GraphStats stats = graph_stats();
    result.plan_bytes = static_cast<double>(stats.plan_bytes);
    result.plan_bytes_least = static_cast<double>(stats.plan_bytes_least);
    result.planning_ms = stats.planning_ms;
  }
  for (int i = 0; i < options.proof_steps; ++i) {
    result.results.push_back(mean(abs(step())).item());
  }
  return result;
}

Start::Start(const Options& options) {
  if (!options.start.empty()) tensors_ = io::read_safetensors(options.start);
}

Tensor Start::operator()(const std::string& name, const Shape& shape) const {
  if (!from_file()) {
    const Tensor values = randn(shape);
    eval(values);
    return values;
  }
  for (const auto& [key, value] : tensors_) {
    if (key != name) continue;
    if (value.shape() == shape && value.dtype() == kF32) return value;
    throw Error("start: " + name + " is " + value.shape().str() + ", not f32 " + shape.str());
  }
  throw Error("start: no tensor named " + name);
}

void Start::load(nn::Module& model) const {
  if (from_file() && !model.load_state_dict(tensors_, false).missing.empty())
    throw Error("start: the file lacks weights");
}

}  // namespace glia::bench
