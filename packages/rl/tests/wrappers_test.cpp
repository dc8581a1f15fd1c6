// Wrappers, checks, pictures and GIFs.
#include "glia/rl/wrappers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "glia/ops.h"
#include "glia/rl/policy.h"
#include "tests/support/values.h"

namespace glia::rl {
namespace {

using test::message_of;

template <class W, class... Args>
std::unique_ptr<W> wrapped(const std::string& name, Args... args) {
  return std::make_unique<W>(make(name), args...);
}

std::vector<float> row_of(const Env& env) {
  std::vector<float> seen(static_cast<size_t>(env.observation_space().size()));
  env.observe(seen);
  return seen;
}

TEST(Wrappers, NormaliseByRunningStatistics) {
  const auto env = wrapped<NormalizeObservation>("CartPole-v1");
  const auto plain = make("CartPole-v1");
  std::vector<float> seen(4), raw(4);
  env->reset(seen, 4);
  plain->reset(raw, 4);
  double mean = 0, var = 1, count = 1e-4;
  for (int i = 0; i < 30; ++i) {
    const double delta = raw[1] - mean, total = count + 1;  // one sample more
    mean += delta / total;
    var = (var * count + delta * delta * count / total) / total;
    count = total;
    EXPECT_NEAR(seen[1], (raw[1] - mean) / std::sqrt(var + 1e-8), 1e-5);
    env->step(i % 2, seen);
    plain->step(i % 2, raw);
  }
  env->set_update_running_mean(false);
  env->step(0, seen);
  EXPECT_NEAR(env->statistics().count(), 30.0001 + 1, 1e-9);

  const auto rewards = wrapped<NormalizeReward>("Pendulum-v1", 0.9);
  std::vector<float> three(3);
  rewards->reset(three, 1);
  double sum = 0;
  for (int i = 0; i < 300; ++i) sum += rewards->step({0.0f}, three).reward;
  EXPECT_LT(std::abs(sum / 300), 5);
  EXPECT_THROW(wrapped<NormalizeReward>("Pendulum-v1", 2.0), ValueError);
  EXPECT_THROW(wrapped<NormalizeObservation>("Taxi-v4"), ValueError);
  EXPECT_THROW(NormalizeObservation{nullptr}, ValueError);
}

TEST(Wrappers, StackFlattenAndClip) {
  const auto stack = wrapped<FrameStack>("CartPole-v1", 3);
  EXPECT_EQ(stack->observation_space().shape(), (Shape{3, 4}));
  std::vector<float> seen(12), one(4);
  stack->reset(seen, 2);
  const auto plain = make("CartPole-v1");
  plain->reset(one, 2);
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(seen[i], one[i % 4]);
  plain->step(1, one);
  stack->step(1, seen);
  EXPECT_EQ(std::vector<float>(seen.begin() + 8, seen.end()), one);
  EXPECT_EQ(std::vector<float>(seen.begin(), seen.begin() + 4),
            std::vector<float>(seen.begin() + 4, seen.begin() + 8));
  EXPECT_THROW(wrapped<FrameStack>("CartPole-v1", 0), ValueError);

  const auto flat = wrapped<FlattenObservation>("FrozenLake-v1");
  std::vector<float> hot(16);
  flat->reset(hot, 1);
  EXPECT_EQ(hot[0], 1);
  EXPECT_EQ(flat->max_episode_steps(), 100);
  const auto cards = wrapped<FlattenObservation>("Blackjack-v1");
  std::vector<float> three(3);
  cards->reset(three, 1);
  EXPECT_GE(three[0], 4);

  const auto clipped = wrapped<ClipAction>("MountainCarContinuous-v0");
  std::vector<float> two(2);
  clipped->reset(two, 1);
  EXPECT_NEAR(clipped->step({50.0f}, two).reward, -0.1, 1e-12);
}

TEST(Wrappers, GoOnFromTheirStates) {
  const std::map<std::string, std::function<std::unique_ptr<Env>()>> all = {
      {"observation", [] { return wrapped<NormalizeObservation>("CartPole-v1"); }},
      {"reward", [] { return wrapped<NormalizeReward>("CartPole-v1"); }},
      {"stack", [] {
         return std::make_unique<FrameStack>(wrapped<NormalizeObservation>("CartPole-v1"), 2);
       }}};
  for (const auto& [name, made] : all) {
    const auto env = made(), other = made();
    std::vector<float> seen(static_cast<size_t>(env->observation_space().size())), again = seen;
    const auto step = [&](Env& of, std::vector<float>& to, int i) {
      const Step s = of.step(i / 3 % 2, to);
      if (s.terminated || s.truncated) of.reset(to);
      return s.reward;
    };
    env->reset(seen, 3);
    for (int i = 0; i < 70; ++i) step(*env, seen, i);
    other->load_state_dict(env->state_dict());
    EXPECT_EQ(row_of(*env), row_of(*other)) << name;
    for (int i = 0; i < 90; ++i) {
      EXPECT_EQ(step(*env, seen, i), step(*other, again, i)) << name;
      EXPECT_EQ(seen, again) << name;
    }
    const StateDict before = env->state_dict();
    StateDict bad = before;
    bad.back().second = tensor(1.0f);
    EXPECT_THROW(env->load_state_dict(bad), Error) << name;
    EXPECT_EQ(row_of(*env), seen) << name;
    EXPECT_THROW(env->load_state_dict(make("CartPole-v1")->state_dict()), Error) << name;
  }
}

TEST(CheckEnv, PassesOurs) {
  for (const std::string& name : registered()) {
    const auto env = make(name);
    const std::vector<std::string> faults = check_env(*env, 300);
    if (env->max_episode_steps() > 0) EXPECT_TRUE(faults.empty()) << name << ": " << faults[0];
  }
  FlattenObservation flat(make("Taxi-v4"));
  EXPECT_TRUE(check_env(flat).empty());
}

// With one fault of several kinds.
class Faulty : public Env {
 public:
  explicit Faulty(int fault)
      : Env("Faulty", Space::box(0.0, 1.0, {1}), Space::discrete(2), Space::box(0, 9, {1}, kF64)),
        fault_(fault) {
    if (fault != 4) set_max_episode_steps(5);
  }

 private:
  void start(data::Random, std::span<double> state) override {
    state[0] = fault_ == 1 ? ++hidden_ % 5 : 0;
  }
  Step advance(const Action&, std::span<double> state) override {
    ++hidden_;
    state[0] = fault_ == 3 ? hidden_ % 7 : 0;
    return {fault_ == 5 ? NAN : 0.0, false, false};
  }
  void write(std::span<const double> state, const Observation& out) const override {
    const double value = fault_ == 2 ? 2 : fault_ == 6 ? NAN : state[0] / 9;
    out.values<float>()[0] = static_cast<float>(value);
  }
  const int fault_;
  int hidden_ = 0;
};

TEST(CheckEnv, FindsFaults) {
  const std::pair<int, const char*> expected[] = {
      {1, "same seed"}, {2, "not in Box"}, {3, "does not bring everything back"},
      {4, "no limit"},  {5, "not finite"}, {6, "not finite"}};
  for (const auto& [fault, part] : expected) {
    Faulty env(fault);
    std::string all;
    for (const std::string& line : check_env(env, 100)) all += line + "\n";
    EXPECT_NE(all.find(part), std::string::npos) << fault << ": " << all;
  }
  Faulty good(0);
  EXPECT_TRUE(check_env(good).empty());
  EXPECT_THROW(check_env(good, 0), ValueError);
}

TEST(Pictures, ShowWhatHappens) {
  for (const std::string& name : registered()) {
    const auto env = make(name);
    EXPECT_THROW(env->render(), Error);
    if (name == "Blackjack-v1" || name == "Counter-v0") continue;
    if (env->max_episode_steps() == 0) env->set_max_episode_steps(50);
    const auto pictures = record(*env, random_policy(env->action_space(), 3), 1, 30);
    ASSERT_GE(pictures.size(), 3u) << name;
    EXPECT_EQ(pictures[0].dtype(), kU8);
    EXPECT_EQ(pictures[0].shape()[2], 3);
    bool changes = false;
    for (const Tensor& picture : pictures) changes |= any(picture != pictures[0]).item<bool>();
    EXPECT_TRUE(changes) << name;
  }
  EXPECT_EQ(message_of<Error>([] {
              const auto env = make("Blackjack-v1");
              std::vector<int64_t> seen(3);
              env->reset(seen);
              env->render();
            }),
            "Blackjack-v1 has no picture");
}

// What a decoder makes of a GIF: its pictures' colours.
std::vector<std::vector<uint8_t>> decoded(const std::string& gif) {
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(gif.at(i))); };
  std::vector<std::vector<uint8_t>> pictures;
  for (size_t at = 13 + 768; byte(at) != 0x3b;) {
    if (byte(at) == 0x21) {  // an extension: blocks up to an empty one
      for (at += 2; byte(at) != 0;) at += byte(at) + 1;
      ++at;
      continue;
    }
    at += 11;  // the picture's place and the first size of codes
    std::string data;
    for (; byte(at) != 0; at += byte(at) + 1) data += gif.substr(at + 1, byte(at));
    ++at;
    std::vector<std::string> codes;
    std::string last;
    std::vector<uint8_t> out;
    size_t bits = 9, from = 0;
    for (;;) {
      size_t code = 0;
      for (size_t b = 0; b < bits; ++b, ++from)
        code |= (static_cast<size_t>(static_cast<uint8_t>(data.at(from / 8))) >> (from % 8) & 1)
                << b;
      if (code == 257) break;
      if (code == 256) {
        codes.assign(258, "");
        for (size_t i = 0; i < 256; ++i) codes[i] = std::string(1, static_cast<char>(i));
        bits = 9;
        last.clear();
        continue;
      }
      const std::string run = code < codes.size() ? codes[code] : last + last[0];
      if (!last.empty() && codes.size() < 4096) codes.push_back(last + run[0]);
      if (codes.size() == size_t{1} << bits && bits < 12) ++bits;
      last = run;
      for (const char c : run)
        for (size_t i = 0; i < 3; ++i)
          out.push_back(static_cast<uint8_t>(byte(13 + static_cast<uint8_t>(c) * size_t{3} + i)));
    }
    pictures.push_back(out);
  }
  return pictures;
}

TEST(Gif, KeepsPictures) {
  const auto env = make("CartPole-v1");
  auto pictures = record(*env, random_policy(env->action_space(), 1), 1, 4);
  const auto same = [&] {
    const auto back = decoded(encode_gif(pictures));
    ASSERT_EQ(back.size(), pictures.size());
    for (size_t i = 0; i < back.size(); ++i)
      EXPECT_EQ(back[i], pictures[i].to_vector<uint8_t>()) << i;
  };
  same();
  // 200 colours without any order: codes become long, and the table is begun anew.
  std::vector<uint8_t> noise(3 * 90 * 120);
  for (size_t i = 0; i < noise.size(); i += 3)
    noise[i] = noise[i + 1] = static_cast<uint8_t>(i * i / 7 % 200);
  pictures = {from_vector(noise, {90, 120, 3})};
  same();
  for (size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<uint8_t>(i * i / 5 % 256);
  pictures = {from_vector(noise, {90, 120, 3})};  // too many
  const auto rounded = decoded(encode_gif(pictures))[0];
  for (size_t i = 0; i < noise.size(); ++i) EXPECT_NEAR(rounded[i], noise[i], 64);
  EXPECT_THROW(encode_gif({}), ValueError);
  EXPECT_THROW(encode_gif(pictures, 0), ValueError);
  EXPECT_THROW(encode_gif({zeros({2, 2, 3})}), ShapeError);
  EXPECT_THROW(encode_gif({zeros({2, 2, 3}, kU8), zeros({2, 3, 3}, kU8)}), ShapeError);
}

}  // namespace
}  // namespace glia::rl
