// An optimizer of one's own whose states live in shards (ZeRO-1, Rajbhandari et al. 2020): each of
// several workers keeps the moments of its part of every parameter, and updates that part. Here
// they are in one process; that update() gets all parameters and gradients and sets them is enough.
// What is gathered is, bit for bit, what one optimizer alone would have.
#include <cstdio>
#include <functional>
#include <memory>

#include "glia/glia.h"

using namespace glia;

// Around any optimizer with an elementwise rule: `make` gives each worker one for its parts.
class Sharded final : public optim::Optimizer {
 public:
  using Make = std::function<std::unique_ptr<optim::Optimizer>(const ParameterList&)>;

  Sharded(const ParameterList& parameters, int64_t workers, const Make& make)
      : Optimizer("sharded", {}), workers_(static_cast<size_t>(workers)) {
    add_group(parameters, {});
    for (size_t w = 0; w < workers_.size(); ++w) {
      for (const Variable& p : parameters) {
        const auto [begin, end] = part(p.shape().numel(), w);
        workers_[w].shards.emplace_back(zeros({end - begin}, p.dtype()));
      }
      ParameterList list;
      for (const Parameter& shard : workers_[w].shards) list.push_back(shard);
      workers_[w].optimizer = make(list);
    }
  }

  // The numbers of its state that one worker keeps.
  int64_t numbers_of(size_t worker) const {
    int64_t count = 0;
    for (const auto& [name, value] : workers_[worker].optimizer->state_dict())
      if (name.starts_with("state.") && value.rank() > 0) count += value.numel();
    return count;
  }
  // One part of the state of parameter i, from all workers.
  Tensor gathered(size_t i, const std::string& name) const {
    std::vector<Tensor> parts;
    const std::string key = "state." + std::to_string(i) + "." + name;
    for (const Worker& worker : workers_)
      for (const auto& [found, value] : worker.optimizer->state_dict())
        if (found == key) parts.push_back(value);
    return concat(parts);
  }

 private:
  struct Worker {
    std::vector<Parameter> shards;  // of each parameter
    std::unique_ptr<optim::Optimizer> optimizer;
  };

  // Which numbers of `count` are the worker's: parts differ by one at most.
  std::pair<int64_t, int64_t> part(int64_t count, size_t worker) const {
    const auto n = static_cast<int64_t>(workers_.size()), w = static_cast<int64_t>(worker);
    return {count * w / n, count * (w + 1) / n};
  }
  Tensor part_of(const Tensor& all, size_t worker) const {
    const auto [begin, end] = part(all.numel(), worker);
    return slice(reshape(all, {-1}), 0, {begin, end});
  }

  void check(const Options&) const override {}
  void update(Slots changing, std::span<const Tensor> gradients, const Where& where) override {
    optim::DeferredSteps together;  // what the workers do is one plan
    for (size_t w = 0; w < workers_.size(); ++w) {
      std::vector<Tensor> parts(slots().size());  // undefined: not updated
      for (size_t i = 0; i < changing.size(); ++i) {
        const auto at = static_cast<size_t>(changing[i] - slots().data());
        parts[at] = part_of(gradients[i], w);
        workers_[w].shards[at].set(part_of(changing[i]->parameter.tensor(where), w), where);
      }
      workers_[w].optimizer->step(std::move(parts), where);
    }
    for (Slot* slot : changing) {
      std::vector<Tensor> parts;
      for (Worker& worker : workers_)
        parts.push_back(worker.shards[static_cast<size_t>(slot - slots().data())].tensor(where));
      slot->parameter.set(reshape(concat(parts), slot->parameter.shape()), where);
    }
    together.finish();
  }
  // "shards.W.NAME" of what each worker's optimizer has.
  std::string_view extra_prefix() const override { return "shards."; }
  StateDict extra_state() const override {
    StateDict out;
    for (size_t w = 0; w < workers_.size(); ++w)
      io::append(out, std::to_string(w) + ".", workers_[w].optimizer->state_dict());
    return out;
  }
  void load_extra_state(const StateDict& values) override {
    for (size_t w = 0; w < workers_.size(); ++w)
      workers_[w].optimizer->load_state_dict(io::with_prefix(values, std::to_string(w) + "."));
  }

  std::vector<Worker> workers_;
};

// The same network each time, and the same batches.
nn::Sequential network() {
  manual_seed(1);
  return nn::Sequential(nn::Linear(5, 7), relu, nn::Linear(7, 3));
}
void train(const nn::Sequential& net, optim::Optimizer& optimizer, int from, int to) {
  for (int step = from; step < to; ++step) {
    manual_seed(100 + step);
    const Tensor x = randn({16, 5}), y = randint(0, 3, {16});
    optimizer.step([&] { return cross_entropy(net(x), y); });
  }
}
bool same_bits(const Tensor& a, const Tensor& b) {
  return a.numel() == b.numel() && a.to_vector<float>() == b.to_vector<float>();
}

int main() {
  const auto adam = [](const ParameterList& list) -> std::unique_ptr<optim::Optimizer> {
    return std::make_unique<optim::AdamW>(list, optim::AdamWOptions{.lr = 0.01});
  };
  const nn::Sequential alone = network();
  const auto reference = adam(alone.parameters());
  train(alone, *reference, 0, 20);

  for (const int64_t workers : {1, 2, 3, 8}) {
    const nn::Sequential net = network();
    Sharded sharded(net.parameters(), workers, adam);
    train(net, sharded, 0, 12);
    // Saved in the middle, and gone on with by another one.
    nn::Sequential again = network();
    Sharded second(again.parameters(), workers, adam);
    again.load_state_dict(net.state_dict());
    second.load_state_dict(sharded.state_dict());
    train(again, second, 12, 20);

    int64_t most = 0, all = 0;
    for (size_t w = 0; w < static_cast<size_t>(workers); ++w) {
      most = std::max(most, second.numbers_of(w));
      all += second.numbers_of(w);
    }
    std::printf("%d workers: %d numbers of state, at most %d in one\n", static_cast<int>(workers),
                static_cast<int>(all), static_cast<int>(most));
    for (size_t i = 0; i < alone.parameters().size(); ++i) {
      if (!same_bits(alone.parameters()[i], again.parameters()[i])) return 1;
      for (const auto& [name, value] : reference->state_dict())
        for (const char* part : {"exp_avg", "exp_avg_sq"})
          if (name == "state." + std::to_string(i) + "." + part &&
              !same_bits(value, second.gathered(i, part)))
            return 2;
    }
  }
  return 0;
}
