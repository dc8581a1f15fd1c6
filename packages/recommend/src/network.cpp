#include "network.h"

#include <algorithm>
#include <cmath>

#include "glia/autodiff.h"
#include "glia/optim.h"

namespace glia::recommend {

MLP::MLP(const std::vector<int64_t>& sizes, bool relu_last) : relu_last(relu_last) {
  for (size_t i = 0; i + 1 < sizes.size(); ++i) layers.emplace_back(sizes[i], sizes[i + 1]);
}

Tensor MLP::operator()(const Tensor& x) const {
  Tensor y = x;
  for (size_t i = 0; i < layers.size(); ++i) {
    y = layers[i](y);
    if (relu_last || i + 1 < layers.size()) y = relu(y);
  }
  return y;
}

void train_network(nn::Module& net, const NetworkOptions& o, int64_t samples, const BatchLoss& loss,
                   const std::function<bool(int64_t epoch, double loss)>& told) {
  if (o.epochs < 0 || o.batch_size < 1 || !(o.lr >= 0))
    throw ValueError("NetworkOptions: epochs, batch_size or lr is out of range");
  const Seeded seeded(o.random_state + 1);
  const ParameterList parameters = net.parameters();
  optim::Adam optimizer(parameters, {.lr = o.lr, .weight_decay = o.weight_decay});
  net.train();
  std::vector<int64_t> order(static_cast<size_t>(samples));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  for (int64_t epoch = 1; epoch <= o.epochs; ++epoch) {
    data::Random random(o.random_state, static_cast<uint64_t>(epoch));
    for (int64_t i = samples - 1; i > 0; --i)
      std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
    double sum = 0;
    for (int64_t at = 0; at < samples; at += o.batch_size) {
      const auto count = static_cast<size_t>(std::min(o.batch_size, samples - at));
      const Tensor value = loss({order.data() + at, count}, random);
      optimizer.step(gradients(value, parameters));
      const double seen = value.item();
      if (!std::isfinite(seen))
        throw ValueError("the loss is not finite in epoch " + std::to_string(epoch) +
                         ": a smaller lr may help");
      sum += seen * static_cast<double>(count);
    }
    if (!told(epoch, sum / static_cast<double>(samples))) break;
  }
  net.eval();
}

Negatives::Negatives(const RatingMatrix& all)
    : has_(static_cast<size_t>(all.n_users)), items_(all.n_items) {
  for (int64_t u = 0; u < all.n_users; ++u) {
    auto& own = has_[static_cast<size_t>(u)];
    for (const auto& e : all.of_user(u)) own.push_back(e.index);
    std::ranges::sort(own);
  }
}

int64_t Negatives::draw(int64_t user, data::Random& random) const {
  const auto& own = has_[static_cast<size_t>(user)];
  int64_t item = 0;
  for (int tries = 0; tries < 100; ++tries) {
    item = random.below(items_);
    if (!std::ranges::binary_search(own, static_cast<int32_t>(item))) break;
  }
  return item;
}

Pairs::Pairs(const RatingMatrix& all) {
  for (int64_t u = 0; u < all.n_users; ++u)
    for (const auto& e : all.of_user(u)) {
      users.push_back(u);
      items.push_back(e.index);
    }
}

}  // namespace glia::recommend
