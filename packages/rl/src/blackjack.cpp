#include <algorithm>
#include <cmath>

#include "glia/rl/toy_text.h"

namespace glia::rl {
namespace {

constexpr size_t kMost = 24;  // cards of a hand: more than make 21 of aces and one
constexpr size_t kSize = 2 + 2 * kMost;
constexpr size_t kPlayer = 0, kDealer = 1;  // where the state counts the cards of a hand

// A hand: 1 an ace, 10 a face too, 0 no card.
using Cards = std::span<const double>;

Cards hand(std::span<const double> state, size_t whose) {
  return state.subspan(2 + whose * kMost, kMost);
}

double hard_sum(Cards cards) {
  double sum = 0;
  for (const double card : cards) sum += card;
  return sum;
}

bool has_usable_ace(Cards cards) {
  return std::ranges::count(cards, 1.0) > 0 && hard_sum(cards) + 10 <= 21;
}

double sum_of(Cards cards) { return hard_sum(cards) + (has_usable_ace(cards) ? 10 : 0); }

double score(Cards cards) { return sum_of(cards) > 21 ? 0 : sum_of(cards); }

bool is_natural(Cards cards) { return cards[2] == 0 && sum_of(cards) == 21; }

void draw(std::span<double> state, size_t whose, data::Random& deck) {
  const auto card = static_cast<double>(std::min<int64_t>(deck.below(13) + 1, 10));
  if (state[whose] >= kMost) return;  // it is lost already
  state[2 + whose * kMost + static_cast<size_t>(state[whose])] = card;
  state[whose] += 1;
}

std::vector<double> most_of_state() {
  std::vector<double> most(kSize, 10);
  most[kPlayer] = most[kDealer] = kMost;
  return most;
}

class Blackjack : public Env {
 public:
  explicit Blackjack(const BlackjackOptions& options)
      : Env("Blackjack-v1", Space::box({0, 0, 0}, {31, 10, 1}, {3}, kI64), Space::discrete(2),
            Space::box(std::vector<double>(kSize), most_of_state(), {kSize}, kF64)),
        options_(options) {}

 private:
  void start(data::Random random, std::span<double> state) override {
    std::ranges::fill(state, 0.0);
    for (const size_t whose : {kDealer, kPlayer})
      for (int i = 0; i < 2; ++i) rl::draw(state, whose, random);
  }

  Step advance(const Action& action, std::span<double> state) override {
    const Cards player = hand(state, kPlayer), dealer = hand(state, kDealer);
    data::Random deck = random();
    if (action.choice() == 1) {
      rl::draw(state, kPlayer, deck);
      const bool lost = sum_of(player) > 21;
      return {lost ? -1.0 : 0.0, lost, false};
    }
    while (sum_of(dealer) < 17) rl::draw(state, kDealer, deck);
    const double mine = score(player), other = score(dealer);
    double reward = mine > other ? 1 : mine < other ? -1 : 0;
    if (options_.sab && is_natural(player) && !is_natural(dealer))
      reward = 1;
    else if (!options_.sab && options_.natural && is_natural(player) && reward == 1)
      reward = 1.5;
    return {reward, true, false};
  }

  void write(std::span<const double> state, const Observation& out) const override {
    const Cards player = hand(state, kPlayer);
    const auto values = out.values<int64_t>();
    values[0] = static_cast<int64_t>(sum_of(player));
    values[1] = static_cast<int64_t>(hand(state, kDealer)[0]);
    values[2] = has_usable_ace(player);
  }

  void accept(std::span<const double> state) override {
    bool good = true;
    for (const double x : state) good &= x == std::floor(x);
    for (const size_t whose : {kPlayer, kDealer}) {
      const auto cards = static_cast<size_t>(state[whose]);
      good = good && cards >= 2 && cards <= kMost;
      for (size_t i = 0; good && i < kMost; ++i) good = (hand(state, whose)[i] > 0) == (i < cards);
    }
    if (!good) throw ValueError("Blackjack-v1: the state has a hand that is none");
  }

  const BlackjackOptions options_;
};

}  // namespace

std::unique_ptr<Env> blackjack(const BlackjackOptions& options) {
  return std::make_unique<Blackjack>(options);
}

}  // namespace glia::rl
