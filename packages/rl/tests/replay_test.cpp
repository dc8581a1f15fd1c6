// The replay buffer: its ring, what is drawn, its state, and what it refuses.
#include "glia/rl/replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "glia/io.h"

namespace glia::rl {
namespace {

// A transition that can be known again by its number.
void add(ReplayBuffer& buffer, int64_t i) {
  const auto x = static_cast<float>(i);
  buffer.add(std::vector<float>{x, -x}, i % 3, 2 * x, std::vector<float>{x + 1, -x - 1},
             i % 2 == 1);
}

ReplayBuffer small(int64_t capacity, uint64_t seed = 0) {
  return {capacity, Space::box(-1e9, 1e9, {2}), Space::discrete(3), {.seed = seed}};
}

std::vector<double> all_of(const Transitions& t) {
  std::vector<double> out;
  for (const Tensor& part :
       {t.observations, t.actions, t.rewards, t.next_observations, t.terminated})
    for (const double x : part.to_vector<double>()) out.push_back(x);
  return out;
}

TEST(ReplayBuffer, KeepsTheLastAndDrawsThemWhole) {
  ReplayBuffer buffer = small(10);
  for (int64_t i = 0; i < 25; ++i) add(buffer, i);
  EXPECT_EQ(buffer.size(), 10);
  const Transitions drawn = buffer.sample(5000);
  EXPECT_EQ(drawn.observations.shape(), (Shape{5000, 2}));
  EXPECT_EQ(drawn.actions.shape(), (Shape{5000}));
  EXPECT_EQ(drawn.actions.dtype(), kI64);
  EXPECT_EQ(drawn.rewards.dtype(), kF32);
  EXPECT_EQ(drawn.terminated.dtype(), kBool);
  const auto seen = drawn.observations.to_vector<int64_t>();
  const auto next = drawn.next_observations.to_vector<int64_t>();
  const auto actions = drawn.actions.to_vector<int64_t>(),
             rewards = drawn.rewards.to_vector<int64_t>();
  const auto terminated = drawn.terminated.to_vector<int64_t>();
  std::vector<int> counts(25);
  for (size_t j = 0; j < 5000; ++j) {
    const int64_t i = seen[2 * j];
    ASSERT_TRUE(i >= 15 && i < 25) << i;
    ++counts[static_cast<size_t>(i)];
    EXPECT_EQ(seen[2 * j + 1], -i);
    EXPECT_EQ(next[2 * j], i + 1);
    EXPECT_EQ(actions[j], i % 3);
    EXPECT_EQ(rewards[j], 2 * i);
    EXPECT_EQ(terminated[j], i % 2);
  }
  // 500 of each expected, with a deviation of 21.
  for (size_t i = 15; i < 25; ++i) EXPECT_NEAR(counts[i], 500, 106) << i;
}

TEST(ReplayBuffer, TakesBoxes) {
  ReplayBuffer buffer(4, Space::discrete(7), Space::box(-2.0, 2.0, {2}));
  buffer.add(std::vector<int64_t>{6}, {1.5f, -0.5f}, -1, std::vector<int64_t>{0}, true);
  const Transitions drawn = buffer.sample(2);
  EXPECT_EQ(drawn.observations.to_vector<int64_t>(), (std::vector<int64_t>{6, 6}));
  EXPECT_EQ(drawn.actions.to_vector<float>(), (std::vector<float>{1.5f, -0.5f, 1.5f, -0.5f}));
  EXPECT_EQ(drawn.terminated.to_vector<int>(), (std::vector<int>{1, 1}));
}

TEST(ReplayBuffer, DrawsByItsSeed) {
  ReplayBuffer a = small(100, 1), b = small(100, 1), c = small(100, 2);
  for (ReplayBuffer* buffer : {&a, &b, &c})
    for (int64_t i = 0; i < 50; ++i) add(*buffer, i);
  const auto first = all_of(a.sample(20));
  EXPECT_EQ(first, all_of(b.sample(20)));
  EXPECT_NE(first, all_of(c.sample(20)));
  EXPECT_NE(first, all_of(a.sample(20)));
}

TEST(ReplayBuffer, GoesOnFromItsStateBitForBit) {
  const std::string path = testing::TempDir() + "replay_test.safetensors";
  for (const int64_t before : {0, 7, 10, 33}) {
    ReplayBuffer buffer = small(10, 5), other = small(10);
    for (int64_t i = 0; i < before; ++i) add(buffer, i);
    if (before) buffer.sample(3);
    add(other, 99);
    io::write_safetensors(path, buffer.state_dict());
    other.load_state_dict(io::read_safetensors(path));
    EXPECT_EQ(other.size(), buffer.size());
    for (int64_t i = 50; i < 75; ++i) {
      add(buffer, i);
      add(other, i);
      EXPECT_EQ(all_of(buffer.sample(8)), all_of(other.sample(8))) << before << " " << i;
    }
  }
  std::remove(path.c_str());
}

TEST(ReplayBuffer, RefusesAndStaysAsItIs) {
  EXPECT_THROW(small(0), ValueError);
  EXPECT_THROW(small(INT64_MAX), Error);
  EXPECT_THROW(ReplayBuffer(4, Space::discrete(2), Space::box(0, 1, {1}, kF64)), ValueError);
  ReplayBuffer buffer = small(4);
  EXPECT_THROW(buffer.sample(1), Error);
  add(buffer, 1);
  const std::vector<float> good = {0, 0}, nan = {0, NAN}, three = {0, 0, 0};
  EXPECT_THROW(buffer.add(three, 0, 0, good, false), ShapeError);
  EXPECT_THROW(buffer.add(nan, 0, 0, good, false), ValueError);
  EXPECT_THROW(buffer.add(good, 0, 0, nan, false), ValueError);
  EXPECT_THROW(buffer.add(good, 3, 0, good, false), ValueError);
  EXPECT_THROW(buffer.add(good, {0.5f}, 0, good, false), ValueError);
  EXPECT_THROW(buffer.add(good, 0, NAN, good, false), ValueError);
  EXPECT_THROW(buffer.add(good, 0, 1e300, good, false), ValueError);
  EXPECT_THROW(buffer.sample(0), ValueError);
  EXPECT_THROW(buffer.sample(-1), ValueError);
  EXPECT_EQ(buffer.size(), 1);

  EXPECT_THROW(buffer.load_state_dict({}), Error);
  EXPECT_THROW(buffer.load_state_dict(small(5).state_dict()), ValueError);
  StateDict values = buffer.state_dict();
  values[0].second = zeros({2, 2});
  EXPECT_THROW(buffer.load_state_dict(values), ShapeError);
  values = buffer.state_dict();
  values.back().second = tensor<int64_t>({4, 5, 0, 0, 0});
  EXPECT_THROW(buffer.load_state_dict(values), ValueError);
  values.back().second = tensor<int64_t>({4, 1, 3, 0, 0});
  EXPECT_THROW(buffer.load_state_dict(values), ValueError);
  EXPECT_EQ(buffer.sample(1).rewards.item(), 2);
}

// Transition i has the reward 2^i, and episodes of three.
ReplayBuffer with_steps(int64_t n_step, int64_t capacity, int64_t count) {
  ReplayBuffer buffer(capacity, Space::box(-1e9, 1e9, {1}), Space::discrete(3),
                      {.n_step = n_step, .gamma = 0.5});
  for (int64_t i = 0; i < count; ++i) {
    const auto x = static_cast<float>(i);
    buffer.add(std::vector<float>{x}, 0, 1 << i, std::vector<float>{x + 1}, i % 6 == 2, i % 6 == 5);
  }
  return buffer;
}

TEST(ReplayBuffer, SumsRewardsOfSteps) {
  // Eight transitions in room for six: those of 2 to 7 are there, 7 is the newest.
  ReplayBuffer buffer = with_steps(2, 6, 8);
  const Transitions t = buffer.sample(200);
  const auto seen = t.observations.to_vector<int64_t>(),
             next = t.next_observations.to_vector<int64_t>();
  const auto rewards = t.rewards.to_vector<double>(), discounts = t.discounts.to_vector<double>();
  for (size_t i = 0; i < seen.size(); ++i) {
    const int64_t at = seen[i], r = int64_t{1} << at;
    const bool alone = at == 2 || at == 5 || at == 7;  // terminated, truncated, the newest
    EXPECT_EQ(rewards[i], alone ? r : r + 0.5 * 2 * double(r)) << at;
    EXPECT_EQ(next[i], at + (alone ? 1 : 2));
    EXPECT_EQ(discounts[i], at == 2 ? 0 : alone ? 0.5 : 0.25);
  }
  const Transitions one = with_steps(1, 6, 8).sample(200);
  EXPECT_EQ(max(one.discounts).item(), 0.5);
  EXPECT_EQ(min(one.weights).item(), 1);
}

TEST(ReplayBuffer, DrawsByPriorities) {
  const auto filled = [] {
    ReplayBuffer buffer(5, Space::box(-1e9, 1e9, {1}), Space::discrete(3),
                        {.alpha = 1, .eps = 1e-9});
    for (int64_t i = 0; i < 4; ++i)
      buffer.add(std::vector<float>{static_cast<float>(i)}, 0, 0, std::vector<float>{0}, false);
    buffer.update_priorities(std::vector<int64_t>{0, 1, 2, 3}, std::vector<float>{1, -2, 3, 4});
    return buffer;
  };
  ReplayBuffer buffer = filled();
  std::vector<double> counts(4);
  const Transitions t = buffer.sample(10000, 0.5);
  const auto weights = t.weights.to_vector<double>();
  for (size_t i = 0; i < t.rows.size(); ++i) {
    const auto row = static_cast<size_t>(t.rows[i]);
    ++counts[row];
    EXPECT_NEAR(weights[i], std::sqrt(1.0 / static_cast<double>(row + 1)), 1e-6);
  }
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(counts[i], 1000.0 * double(i + 1), 3);  // stratified
  // A new one has the largest priority so far.
  buffer.add(std::vector<float>{9}, 0, 0, std::vector<float>{0}, false);
  const auto drawn = buffer.sample(1400).rows;
  EXPECT_NEAR(static_cast<double>(std::ranges::count(drawn, 4)), 400, 2);
  EXPECT_THROW(buffer.update_priorities(std::vector<int64_t>{5}, std::vector<float>{1}),
               ValueError);
  EXPECT_THROW(buffer.update_priorities(std::vector<int64_t>{0}, std::vector<float>{NAN}),
               ValueError);
  EXPECT_THROW(buffer.update_priorities(std::vector<int64_t>{0}, std::vector<float>{}), ShapeError);
  EXPECT_THROW(small(4).update_priorities(std::vector<int64_t>{0}, std::vector<float>{1}), Error);
  ReplayBuffer other = filled();
  other.load_state_dict(buffer.state_dict());
  EXPECT_EQ(buffer.sample(50).rows, other.sample(50).rows);
  EXPECT_THROW(ReplayBuffer(4, Space::discrete(2), Space::discrete(2), {.n_step = 0}), ValueError);
  EXPECT_THROW(ReplayBuffer(4, Space::discrete(2), Space::discrete(2), {.alpha = 2}), ValueError);
}

}  // namespace
}  // namespace glia::rl
