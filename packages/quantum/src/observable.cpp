#include "glia/quantum/observable.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "glia/error.h"
#include "matrix.h"

namespace glia::quantum {
namespace {

Observable of_letter(int64_t wire, char letter) {
  if (wire < 0) throw ValueError("an observable on wire " + std::to_string(wire));
  return Observable(std::vector<PauliTerm>{{1, {{wire, letter}}}});
}

// The product of two letters: another one ('I': none) and a power of i.
std::pair<char, int> times(char a, char b) {
  if (a == b) return {'I', 0};
  const std::string cycle = "XYZ";
  const size_t i = cycle.find(a), j = cycle.find(b);
  return {cycle[3 - i - j], (i + 1) % 3 == j ? 1 : 3};
}

}  // namespace

Observable::Observable(const std::vector<PauliTerm>& terms) {
  std::map<std::vector<std::pair<int64_t, char>>, double> sums;
  std::vector<std::vector<std::pair<int64_t, char>>> order;
  for (PauliTerm term : terms) {
    std::ranges::sort(term.word);
    for (const auto& [wire, letter] : term.word)
      if (wire < 0 || (letter != 'X' && letter != 'Y' && letter != 'Z'))
        throw ValueError("an observable has the letters X, Y and Z on wires from 0 on");
    const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
    if (std::ranges::adjacent_find(term.word, same) != term.word.end())
      throw ValueError("an observable names a wire twice in a product");
    if (!sums.contains(term.word)) order.push_back(term.word);
    sums[term.word] += term.factor;
  }
  for (const auto& word : order) terms_.push_back({sums[word], word});
}

Observable::Observable(const std::vector<double>& factors, const std::vector<std::string>& words,
                       Where where) {
  if (factors.size() != words.size())
    throw ValueError("Observable: " + std::to_string(factors.size()) + " factors for " +
                         std::to_string(words.size()) + " words",
                     where);
  std::vector<PauliTerm> terms;
  for (size_t t = 0; t < words.size(); ++t) {
    PauliTerm term{factors[t], {}};
    for (size_t wire = 0; wire < words[t].size(); ++wire) {
      const char letter = words[t][wire];
      if (letter == 'I') continue;
      if (letter != 'X' && letter != 'Y' && letter != 'Z')
        throw ValueError("Observable: '" + words[t] + "' is no word of I, X, Y and Z", where);
      term.word.emplace_back(static_cast<int64_t>(wire), letter);
    }
    terms.push_back(std::move(term));
  }
  *this = Observable(terms);
}

int64_t Observable::wires() const {
  int64_t most = 0;
  for (const PauliTerm& t : terms_)
    for (const auto& [wire, letter] : t.word) most = std::max(most, wire + 1);
  return most;
}

std::string Observable::str() const {
  std::string out;
  for (const PauliTerm& t : terms_) {
    const double size = std::abs(t.factor);
    const bool negative = t.factor < 0;
    out += out.empty() ? (negative ? "-" : "") : (negative ? " - " : " + ");
    if (size != 1 || t.word.empty()) {
      char text[32];
      std::snprintf(text, sizeof(text), "%.10g", size);
      out += text;
      if (!t.word.empty()) out += " * ";
    }
    for (size_t i = 0; i < t.word.size(); ++i)
      out += std::string(i ? " " : "") + t.word[i].second + "(" + std::to_string(t.word[i].first) +
             ")";
  }
  return out.empty() ? "0" : out;
}

Complex Observable::matrix(int64_t wires, Where where) const {
  if (wires < std::max<int64_t>(this->wires(), 0) || wires > 12)
    throw ValueError("Observable: a matrix of " + std::to_string(wires) + " wires", where);
  const int64_t size = int64_t{1} << wires;
  std::vector<double> re(static_cast<size_t>(size * size), 0.0), im(re);
  for (const PauliTerm& t : terms_)
    for (int64_t column = 0; column < size; ++column) {
      int64_t row = column;
      Cx value{t.factor, 0};
      for (const auto& [wire, letter] : t.word) {
        const int64_t bit = int64_t{1} << (wires - 1 - wire);
        const bool on = column & bit;
        if (letter != 'Z') row ^= bit;
        if (letter == 'Y') value = value * Cx{0, on ? -1.0 : 1.0};
        if (letter == 'Z' && on) value = -1 * value;
      }
      re[static_cast<size_t>(row * size + column)] += value.re;
      im[static_cast<size_t>(row * size + column)] += value.im;
    }
  return {from_vector(re, {size, size}), from_vector(im, {size, size})};
}

Observable operator+(const Observable& a, const Observable& b) {
  std::vector<PauliTerm> terms = a.terms_;
  terms.insert(terms.end(), b.terms_.begin(), b.terms_.end());
  return Observable(terms);
}
Observable operator*(double factor, const Observable& a) {
  Observable out = a;
  for (PauliTerm& t : out.terms_) t.factor *= factor;
  return out;
}
Observable operator-(const Observable& a) { return -1 * a; }
Observable operator-(const Observable& a, const Observable& b) { return a + -b; }

Observable operator*(const Observable& a, const Observable& b) {
  // Real and imaginary sums: only together is a product of sums known to be Hermitian.
  std::vector<PauliTerm> real, imaginary;
  for (const PauliTerm& s : a.terms_)
    for (const PauliTerm& t : b.terms_) {
      std::map<int64_t, char> word(s.word.begin(), s.word.end());
      int turns = 0;
      for (const auto& [wire, letter] : t.word) {
        const auto at = word.find(wire);
        if (at == word.end()) {
          word[wire] = letter;
          continue;
        }
        const auto [product, turn] = times(at->second, letter);
        turns += turn;
        if (product == 'I')
          word.erase(at);
        else
          at->second = product;
      }
      const double factor = s.factor * t.factor * (turns % 4 >= 2 ? -1 : 1);
      (turns % 2 ? imaginary : real).push_back({factor, {word.begin(), word.end()}});
    }
  const Observable rest(imaginary);
  for (const PauliTerm& t : rest.terms())
    if (std::abs(t.factor) > 1e-12)
      throw ValueError("the product of " + a.str() + " and " + b.str() + " is not Hermitian");
  return Observable(real);
}

Observable X(int64_t wire) { return of_letter(wire, 'X'); }
Observable Y(int64_t wire) { return of_letter(wire, 'Y'); }
Observable Z(int64_t wire) { return of_letter(wire, 'Z'); }
Observable I(double factor) { return Observable(std::vector<PauliTerm>{{factor, {}}}); }

}  // namespace glia::quantum
