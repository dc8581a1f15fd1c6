// Training of networks, and what they draw.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "glia/data.h"
#include "glia/random.h"
#include "glia/recommend/neural.h"

namespace glia::recommend {

// While one lives, this thread's stream of random numbers is one of that seed.
class Seeded {
 public:
  explicit Seeded(uint64_t seed) : before_(random_state()) { manual_seed(seed); }
  ~Seeded() { set_random_state(before_); }
  Seeded(const Seeded&) = delete;
  Seeded& operator=(const Seeded&) = delete;

 private:
  RandomState before_;
};

// Epochs of Adam over `samples` in batches of drawn numbers; the loss is the mean of a batch.
using BatchLoss = std::function<Tensor(std::span<const int64_t> batch, data::Random& random)>;
void train_network(nn::Module& net, const NetworkOptions& options, int64_t samples,
                   const BatchLoss& loss,
                   const std::function<bool(int64_t epoch, double loss)>& told);

// Items that a user does not have.
class Negatives {
 public:
  explicit Negatives(const RatingMatrix& all);
  // One drawn at random; any, where the user has (nearly) all.
  int64_t draw(int64_t user, data::Random& random) const;

 private:
  std::vector<std::vector<int32_t>> has_;
  int64_t items_;
};

// The rows of the training data: users and items by position.
struct Pairs {
  std::vector<int64_t> users, items;
  explicit Pairs(const RatingMatrix& all);
};

inline Tensor indices(const std::vector<int64_t>& values) {
  return from_vector(values, {static_cast<int64_t>(values.size())});
}

}  // namespace glia::recommend
