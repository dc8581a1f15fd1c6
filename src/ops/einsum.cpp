// Einstein summation: the equation as sets of labels, an order of contractions, and each of these
// as a matrix product.
#include <bit>
#include <cmath>
#include <unordered_map>

#include "glia/ops/arrange.h"
#include "glia/ops/contract.h"
#include "ops/private.h"

namespace glia {
namespace {

// 0 to 51 are letters in the order of their characters, those behind are axes of an ellipsis.
constexpr int kLetters = 52, kLabels = kLetters + kMaxRank;
using Labels = std::vector<int>;
using Set = uint64_t;  // a bit for each label

Set bit(int label) { return Set{1} << label; }
Set set_of(const Labels& labels) {
  Set set = 0;
  for (int label : labels) set |= bit(label);
  return set;
}

int label_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  return c >= 'a' && c <= 'z' ? 26 + c - 'a' : -1;
}
std::string text_of(int label) {
  if (label >= kLetters) return "...";
  return std::string(1, static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26));
}

// ---- The equation ----

struct Term {
  std::string text;
  Labels letters;
  int ellipsis = -1;  // how many letters stand before it
};

class Equation {
 public:
  std::vector<Term> inputs;
  Term output;
  bool has_output = false;

  Equation(const std::string& given, const Where& where) : text_(given), where_(where) {
    std::string equation;
    for (char c : given) {
      if (c != ' ') equation += c;
    }
    const size_t arrow = equation.find("->");
    has_output = arrow != std::string::npos;
    const std::string left = equation.substr(0, arrow);
    for (size_t begin = 0;;) {
      const size_t comma = left.find(',', begin);
      inputs.push_back(parsed(left.substr(begin, comma - begin)));
      if (comma == std::string::npos) break;
      begin = comma + 1;
    }
    if (!has_output) return;
    output = parsed(equation.substr(arrow + 2));
    Set seen = 0;
    for (int label : output.letters) {
      if (seen & bit(label)) reject("the result has '" + text_of(label) + "' twice");
      seen |= bit(label);
    }
  }

  [[noreturn]] void reject(const std::string& why) const {
    fail("einsum", '"' + text_ + "\": " + why, where_);
  }

 private:
  Term parsed(const std::string& text) const {
    Term term{text, {}, -1};
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '.') {
        if (text.compare(i, 3, "...") != 0) reject("a dot that is not part of an ellipsis");
        if (term.ellipsis >= 0) reject('"' + text + "\" has two ellipses");
        term.ellipsis = static_cast<int>(term.letters.size());
        i += 2;
        continue;
      }
      const int label = label_of(text[i]);
      if (label < 0) {
        if (text[i] == '-' || text[i] == '>') reject("more than one arrow, or a part of one");
        reject(std::string("'") + text[i] + "' is no letter");
      }
      term.letters.push_back(label);
    }
    return term;
  }

  const std::string& text_;
  const Where& where_;
};

// The labels of each axis, the size of each label, and those of the result.
struct Problem {
  std::vector<Labels> inputs;
  Labels output;
  int64_t sizes[kLabels];

  Problem(const Equation& e, const std::vector<Tensor>& operands) {
    if (operands.size() != e.inputs.size())
      e.reject(std::to_string(e.inputs.size()) + " operands are named, " +
               std::to_string(operands.size()) + " are given");
    std::fill_n(sizes, kLabels, int64_t{1});
    int wide = 0;
    for (size_t i = 0; i < operands.size(); ++i) {
      const Term& term = e.inputs[i];
      const int open = operands[i].rank() - static_cast<int>(term.letters.size());
      if (open < 0 || (open > 0 && term.ellipsis < 0))
        e.reject('"' + term.text + "\" does not fit the shape " + operands[i].shape().str());
      wide = std::max(wide, open);
    }
    for (size_t i = 0; i < operands.size(); ++i) {
      const Term& term = e.inputs[i];
      inputs.push_back(labels_of(term, operands[i].rank() - static_cast<int>(term.letters.size())));
      for (int k = 0; k < operands[i].rank(); ++k) widen(e, inputs[i][k], operands[i].shape()[k]);
    }
    make_output(e, wide);
  }

 private:
  // The axes of an ellipsis are aligned at the last one.
  static Labels labels_of(const Term& term, int open) {
    Labels labels = term.letters;
    for (int k = 0; k < open; ++k)
      labels.insert(labels.begin() + term.ellipsis + k, kLabels - open + k);
    return labels;
  }
  void widen(const Equation& e, int label, int64_t size) {
    if (sizes[label] != 1 && size != 1 && sizes[label] != size)
      e.reject('\'' + text_of(label) + "' has sizes " + std::to_string(sizes[label]) + " and " +
               std::to_string(size));
    if (size != 1) sizes[label] = size;
  }
  void make_output(const Equation& e, int wide) {
    int count[kLabels] = {};
    for (const Labels& labels : inputs) {
      for (int label : labels) ++count[label];
    }
    if (e.has_output) {
      for (int label : e.output.letters) {
        if (count[label] == 0) e.reject('\'' + text_of(label) + "' is in no operand");
      }
      output = labels_of(e.output, e.output.ellipsis < 0 ? 0 : wide);
    } else {
      for (int k = 0; k < wide; ++k) output.push_back(kLabels - wide + k);
      for (int label = 0; label < kLetters; ++label) {
        if (count[label] == 1) output.push_back(label);
      }
    }
    if (output.size() > kMaxRank)
      e.reject("the result has " + std::to_string(output.size()) + " axes");
  }
};

// ---- The order: pairs of numbers, of operands and then of what the pairs before made ----

using Path = std::vector<std::pair<int, int>>;

class Planner {
 public:
  Planner(const std::vector<Set>& operands, Set output, const int64_t* sizes)
      : operands_(operands), output_(output), sizes_(sizes) {}

  Path path() {
    constexpr size_t kFew = 6;
    return operands_.size() <= kFew ? best() : greedy();
  }

 private:
  double volume(Set labels) const {
    double v = 1;
    for (; labels; labels &= labels - 1)
      v *= static_cast<double>(std::max<int64_t>(sizes_[std::countr_zero(labels)], 1));
    return v;
  }

  // The least arithmetic over all orders, by subsets of the operands.
  Path best() {
    const int n = static_cast<int>(operands_.size()), all = (1 << n) - 1;
    kept_.assign(all + 1, 0);
    cost_.assign(all + 1, INFINITY);
    split_.assign(all + 1, 0);
    for (int s = 1; s <= all; ++s) {
      Set inside = 0, outside = output_;
      for (int i = 0; i < n; ++i) (s >> i & 1 ? inside : outside) |= operands_[i];
      kept_[s] = inside & outside;
      if (std::has_single_bit(static_cast<unsigned>(s))) {
        kept_[s] = operands_[std::countr_zero(static_cast<unsigned>(s))];
        cost_[s] = 0;
        continue;
      }
      for (int a = (s - 1) & s; a > (s & ~a); a = (a - 1) & s) {
        const int b = s & ~a;
        const double cost = cost_[a] + cost_[b] + volume(kept_[a] | kept_[b]);
        if (cost < cost_[s]) cost_[s] = cost, split_[s] = a;
      }
    }
    Path path;
    if (n > 1) follow(all, &path);
    return path;
  }
  int follow(int s, Path* path) {
    if (std::has_single_bit(static_cast<unsigned>(s)))
      return std::countr_zero(static_cast<unsigned>(s));
    const int a = follow(split_[s], path), b = follow(s & ~split_[s], path);
    path->push_back({a, b});
    return static_cast<int>(operands_.size() + path->size()) - 1;
  }

  // Step by step the pair whose product is smallest beside what it replaces.
  Path greedy() {
    std::vector<std::pair<int, Set>> left;
    for (size_t i = 0; i < operands_.size(); ++i)
      left.push_back({static_cast<int>(i), operands_[i]});
    Path path;
    while (left.size() > 1) {
      size_t first = 0, second = 1;
      double least = INFINITY;
      for (size_t i = 0; i < left.size(); ++i) {
        for (size_t j = i + 1; j < left.size(); ++j) {
          const double gain =
              volume(product(left, i, j)) - volume(left[i].second) - volume(left[j].second);
          if (gain < least) least = gain, first = i, second = j;
        }
      }
      const Set made = product(left, first, second);
      path.push_back({left[first].first, left[second].first});
      left.erase(left.begin() + static_cast<int64_t>(second));
      left.erase(left.begin() + static_cast<int64_t>(first));
      left.push_back({static_cast<int>(operands_.size() + path.size()) - 1, made});
    }
    return path;
  }
  Set product(const std::vector<std::pair<int, Set>>& left, size_t a, size_t b) const {
    Set outside = output_;
    for (size_t i = 0; i < left.size(); ++i) {
      if (i != a && i != b) outside |= left[i].second;
    }
    return (left[a].second | left[b].second) & outside;
  }

  const std::vector<Set>& operands_;
  const Set output_;
  const int64_t* sizes_;
  std::vector<Set> kept_;
  std::vector<double> cost_;
  std::vector<int> split_;
};

// The order for these operands, which is looked for once in each thread.
const Path& path_of(const std::vector<Set>& operands, Set output, const int64_t* sizes) {
  constexpr size_t kMostKnown = 256;
  thread_local std::unordered_map<std::string, Path> known;
  std::string key;
  const auto append = [&](const auto& number) {
    key.append(reinterpret_cast<const char*>(&number), sizeof(number));
  };
  Set used = output;
  for (Set operand : operands) {
    append(operand);
    used |= operand;
  }
  append(output);
  for (; used; used &= used - 1) append(sizes[std::countr_zero(used)]);
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  if (known.size() >= kMostKnown) known.clear();
  return known.emplace(key, Planner(operands, output, sizes).path()).first->second;
}

// ---- The contractions ----

struct Labelled {
  Tensor x;
  Labels labels;
};

// x with each label once, without those of size 1 that are wider elsewhere.
Labelled distinct(Labelled in, const int64_t* sizes, const Equation& e, const Where& where) {
  for (size_t i = 0; i < in.labels.size(); ++i) {
    for (size_t j = in.labels.size() - 1; j > i; --j) {
      if (in.labels[i] != in.labels[j]) continue;
      const int a = static_cast<int>(i), b = static_cast<int>(j), label = in.labels[i];
      if (in.x.shape()[a] != in.x.shape()[b])
        e.reject('\'' + text_of(label) + "' has sizes " + std::to_string(in.x.shape()[a]) +
                 " and " + std::to_string(in.x.shape()[b]) + " in one operand");
      in.x = movedim(diagonal(in.x, 0, a, b, where), {-1}, {a}, where);
      in.labels.erase(in.labels.begin() + b);
    }
  }
  Shape shape;
  Labels labels;
  for (size_t i = 0; i < in.labels.size(); ++i) {
    const int64_t size = in.x.shape()[static_cast<int>(i)];
    if (size == 1 && sizes[in.labels[i]] != 1) continue;
    shape.push_back(size);
    labels.push_back(in.labels[i]);
  }
  return {reshape(in.x, shape, where), labels};
}

// The sum over all labels but those of `kept`.
Labelled summed(const Labelled& in, Set kept, const Where& where) {
  Axes axes;
  Labels labels;
  for (size_t i = 0; i < in.labels.size(); ++i) {
    if (kept & bit(in.labels[i]))
      labels.push_back(in.labels[i]);
    else
      axes.push_back(static_cast<int64_t>(i));
  }
  if (axes.empty()) return in;
  return {cast(sum(in.x, axes, false, where), in.x.dtype()), labels};
}

// x with axes in the order of three groups of labels, each as one axis.
Tensor grouped(const Labelled& in, const Labels& first, const Labels& second, const Labels& third,
               const Where& where) {
  Axes order;
  Shape shape;
  for (const Labels* group : {&first, &second, &third}) {
    int64_t size = 1;
    for (int label : *group) {
      const auto at = std::find(in.labels.begin(), in.labels.end(), label) - in.labels.begin();
      order.push_back(at);
      size *= in.x.shape()[static_cast<int>(at)];
    }
    shape.push_back(size);
  }
  return reshape(permute(in.x, order, where), shape, where);
}

Labelled contracted(const Labelled& a, const Labelled& b, Set kept, const int64_t* sizes,
                    const Equation& e, const Where& where) {
  const Set in_a = set_of(a.labels), in_b = set_of(b.labels);
  Labels both, sums, only_a, only_b;
  for (int label : a.labels)
    (!(in_b & bit(label)) ? only_a : kept & bit(label) ? both : sums).push_back(label);
  for (int label : b.labels) {
    if (!(in_a & bit(label))) only_b.push_back(label);
  }
  Labels labels = both;
  labels.insert(labels.end(), only_a.begin(), only_a.end());
  labels.insert(labels.end(), only_b.begin(), only_b.end());
  if (labels.size() > kMaxRank)
    e.reject("a product on the way has " + std::to_string(labels.size()) + " axes");
  Shape shape;
  for (int label : labels) shape.push_back(sizes[label]);
  const Tensor left = grouped(a, both, only_a, sums, where);
  const Tensor right = grouped(b, both, sums, only_b, where);
  const Tensor product = sums.empty() ? Operand(left, where) * right : matmul(left, right, where);
  return {reshape(product, shape, where), labels};
}

}  // namespace

Tensor einsum(const std::string& equation, const std::vector<Tensor>& operands, Where where) {
  for (const Tensor& x : operands) require_defined("einsum", x, where);
  const Equation e(equation, where);
  const Problem p(e, operands);
  DType dtype = operands[0].dtype();
  for (const Tensor& x : operands) dtype = promote(dtype, x.dtype());

  std::vector<Labelled> parts;
  for (size_t i = 0; i < operands.size(); ++i)
    parts.push_back(distinct({cast(operands[i], dtype), p.inputs[i]}, p.sizes, e, where));
  const Set output = set_of(p.output);
  const auto needed = [&](size_t a, size_t b) {
    Set kept = output;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i != a && i != b) kept |= set_of(parts[i].labels);
    }
    return kept;
  };
  std::vector<Set> sets;
  for (size_t i = 0; i < parts.size(); ++i) {
    parts[i] = summed(parts[i], needed(i, i), where);
    sets.push_back(set_of(parts[i].labels));
  }
  for (const auto& [a, b] : path_of(sets, output, p.sizes)) {
    parts.push_back(contracted(parts[a], parts[b], needed(a, b), p.sizes, e, where));
    parts[a] = parts[b] = {};  // in no later set
  }
  const Labelled& last = parts.back();
  Axes order;
  for (int label : p.output)
    order.push_back(std::find(last.labels.begin(), last.labels.end(), label) - last.labels.begin());
  return permute(last.x, order, where);
}

}  // namespace glia
