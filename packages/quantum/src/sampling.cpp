#include <algorithm>
#include <cmath>

#include "glia/data/source.h"
#include "glia/error.h"
#include "glia/ops.h"
#include "glia/quantum/circuit.h"

namespace glia::quantum {

Samples Circuit::sample(int64_t shots, uint64_t seed, Where where) const {
  if (shots < 1) throw ValueError("sample: " + std::to_string(shots) + " shots", where);
  if (batch_ != 0) throw ValueError("sample: of a circuit with a batch", where);
  const auto p = cast(stop_gradient(probs({}, where)), kF64).to_vector<double>();
  std::vector<double> below(p.size());
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) below[i] = sum += std::max(p[i], 0.0);
  if (!(sum > 0) || !std::isfinite(sum))
    throw ValueError("sample: the probabilities are not numbers above 0", where);
  data::Random random(seed);
  std::vector<int64_t> bits(static_cast<size_t>(shots * wires_));
  for (int64_t s = 0; s < shots; ++s) {
    const double high = random.uniform(), low = random.uniform();
    const double at = (high + std::ldexp(low, -32)) * sum;
    const auto found = std::ranges::upper_bound(below, at) - below.begin();
    const auto word = std::min<int64_t>(found, static_cast<int64_t>(p.size()) - 1);
    for (int64_t w = 0; w < wires_; ++w)
      bits[static_cast<size_t>(s * wires_ + w)] = word >> (wires_ - 1 - w) & 1;
  }
  return {from_vector(bits, {shots, wires_})};
}

double Circuit::estimate(const Observable& observable, int64_t shots, uint64_t seed,
                         Where where) const {
  expval(observable, where);  // says what is wrong with it
  // Terms that agree in the letter of each wire are measured by the same shots.
  struct Group {
    std::vector<char> letters;
    std::vector<PauliTerm> terms;
  };
  std::vector<Group> groups;
  double value = 0;
  for (const PauliTerm& term : observable.terms()) {
    if (term.word.empty()) {
      value += term.factor;
      continue;
    }
    const auto fits = [&](const Group& g) {
      return std::ranges::all_of(term.word, [&](const auto& at) {
        const char letter = g.letters[static_cast<size_t>(at.first)];
        return letter == 0 || letter == at.second;
      });
    };
    auto group = std::ranges::find_if(groups, fits);
    if (group == groups.end()) {
      groups.push_back({std::vector<char>(static_cast<size_t>(wires_), 0), {}});
      group = groups.end() - 1;
    }
    for (const auto& [wire, letter] : term.word) group->letters[static_cast<size_t>(wire)] = letter;
    group->terms.push_back(term);
  }
  for (size_t g = 0; g < groups.size(); ++g) {
    Circuit turned = *this;
    for (int64_t w = 0; w < wires_; ++w) {
      const char letter = groups[g].letters[static_cast<size_t>(w)];
      if (letter == 'Y') turned.add(adjoint(S(w)));
      if (letter == 'X' || letter == 'Y') turned.add(Hadamard(w));
    }
    const Samples samples = turned.sample(shots, seed + g, where);
    const auto bits = samples.bits.data<int64_t>();
    for (const PauliTerm& term : groups[g].terms) {
      int64_t sum = 0;
      for (int64_t s = 0; s < shots; ++s) {
        int64_t ones = 0;
        for (const auto& [wire, letter] : term.word)
          ones += bits[static_cast<size_t>(s * wires_ + wire)];
        sum += ones % 2 ? -1 : 1;
      }
      value += term.factor * static_cast<double>(sum) / static_cast<double>(shots);
    }
  }
  return value;
}

}  // namespace glia::quantum
