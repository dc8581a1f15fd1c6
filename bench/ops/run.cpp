#include <algorithm>
#include <chrono>

#include "glia/io.h"
#include "ops.h"

namespace glia::bench {
namespace {

// The inputs, those trainable that a gradient is asked for, and these alone.
struct Prepared {
  std::vector<Tensor> all, wanted;
};

bool is_wanted(const Op& op, size_t i) {
  return op.kind != Kind::kValue && is_float(op.inputs[i].dtype) && !op.inputs[i].fixed;
}

Prepared prepare(const Op& op, std::vector<Tensor> inputs) {
  Prepared result{std::move(inputs), {}};
  for (size_t i = 0; i < result.all.size(); ++i) {
    if (!is_wanted(op, i)) continue;
    result.all[i] = trainable(result.all[i]);
    result.wanted.push_back(result.all[i]);
  }
  return result;
}

// The value, then the gradients.
std::vector<Tensor> results(const Op& op, const std::vector<Tensor>& inputs,
                            const std::vector<Tensor>& wanted, const Tensor& cotangent) {
  std::vector<Tensor> all{op.function(inputs)};
  if (op.kind == Kind::kValue) return all;
  const auto found = gradients(all[0], wanted, cotangent);
  all.insert(all.end(), found.begin(), found.end());
  return all;
}

}  // namespace

Bench::Bench(const Op& op, bool gradients_only, int sets)
    : op_(op), gradients_only_(gradients_only && op.kind != Kind::kValue) {
  for (int i = 0; i < sets; ++i) {
    std::vector<Tensor> made;
    for (const Input& input : op.inputs) made.push_back(input.make());
    eval(made);
    Prepared prepared = prepare(op, std::move(made));
    Tensor cotangent;
    if (op.kind == Kind::kGradient) {
      const Tensor value = op.function(prepared.all);  // only recorded
      cotangent = randn(value.shape(), value.dtype());
      eval(cotangent);
    }
    inputs_.push_back(std::move(prepared.all));
    wanted_.push_back(std::move(prepared.wanted));
    cotangents_.push_back(cotangent);
  }
}

double Bench::call(int64_t i) {
  using Clock = std::chrono::steady_clock;
  const auto set = static_cast<size_t>(i) % inputs_.size();
  const auto start = Clock::now();
  auto all = results(op_, inputs_[set], wanted_[set], cotangents_[set]);
  if (gradients_only_) all.erase(all.begin());
  eval(all);
  // Before the results are freed, which a program does when it likes.
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

Timing Bench::time(bool once) {
  const double first = call(0);
  if (once) return {first, first, 1};
  for (int64_t i = 1; i < (first > 300 ? 3 : 6); ++i) call(i);
  std::vector<double> ms;
  double total = 0;
  while ((total < 250 || ms.size() < 7) && ms.size() < 400 && total < 3000) {
    ms.push_back(call(static_cast<int64_t>(ms.size())));
    total += ms.back();
  }
  std::sort(ms.begin(), ms.end());
  return {ms[ms.size() / 2], ms[0], static_cast<int64_t>(ms.size())};
}

void prove(const Op& op, const std::string& in, const std::string& out) {
  const io::NamedTensors file = io::read_safetensors(in);
  const auto get = [&](const std::string& name, const Shape& shape, DType dtype) {
    for (const auto& [key, tensor] : file) {
      if (key != name) continue;
      if (tensor.shape() == shape && tensor.dtype() == dtype) return tensor;
      throw Error(op.name + ": " + name + " is " + glia::name(tensor.dtype()) + " " +
                  tensor.shape().str() + ", not " + glia::name(dtype) + " " + shape.str());
    }
    throw Error(op.name + ": the file has no " + name);
  };
  std::vector<Tensor> inputs;
  for (const Input& input : op.inputs) {
    inputs.push_back(get(std::to_string(inputs.size()), input.shape, input.dtype));
  }
  const Prepared prepared = prepare(op, std::move(inputs));
  Tensor cotangent;
  size_t more = 0;
  if (op.kind == Kind::kGradient) {
    const Tensor value = op.function(prepared.all);
    cotangent = get("cotangent", value.shape(), value.dtype());
    ++more;
  }
  if (file.size() != op.inputs.size() + more) throw Error(op.name + ": the file has other inputs");
  const auto all = results(op, prepared.all, prepared.wanted, cotangent);
  eval(all);
  io::NamedTensors named{{"value", all[0]}};
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (is_wanted(op, i)) named.emplace_back("grad" + std::to_string(i), all[named.size()]);
  }
  io::write_safetensors(out, named);
}

}  // namespace glia::bench
