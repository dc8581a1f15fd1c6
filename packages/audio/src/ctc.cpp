#include "glia/audio/ctc.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

#include "glia/error.h"
#include "glia/ops.h"
#include "logs.h"

namespace glia::audio {
namespace {

// Log-probabilities on the host.
struct Frames {
  int64_t count, classes;
  std::vector<double> values;

  Frames(const char* op, const Tensor& x, int64_t blank) {
    if (!x.defined() || !is_float(x.dtype()) || x.rank() != 2 || x.size(1) < 1)
      throw ShapeError(std::string(op) + ": needs log-probabilities (T, C), not " +
                       (x.defined() ? name(x.dtype()) + (" " + x.shape().str()) : "nothing"));
    count = x.size(0), classes = x.size(1);
    if (blank < 0 || blank >= classes)
      throw ValueError(std::string(op) + ": the blank " + std::to_string(blank) +
                       " is not one of " + std::to_string(classes) + " classes");
    values = x.to_vector<double>();
    for (const double v : values)
      if (std::isnan(v)) throw ValueError(std::string(op) + ": a log-probability is no number");
  }
  const double* operator[](int64_t t) const { return values.data() + t * classes; }
};

// What is added to the score of a beginning when a token is appended, and at the end.
class Scorer {
 public:
  virtual ~Scorer() = default;
  virtual double appended(const std::vector<int64_t>& prefix, int64_t token) const = 0;
  virtual double ended(const std::vector<int64_t>& tokens) const = 0;
};

class Fusion : public Scorer {
 public:
  Fusion(const NgramModel& model, const FusionOptions& options, int64_t classes)
      : model_(model), options_(options) {
    if (static_cast<int64_t>(options.tokens.size()) != classes)
      throw ValueError("ctc_beam_search: " + std::to_string(options.tokens.size()) +
                       " tokens for " + std::to_string(classes) + " classes");
    if (model.order() == 0) throw ValueError("ctc_beam_search: the language model is empty");
    if (!std::isfinite(options.alpha) || !std::isfinite(options.beta))
      throw ValueError("ctc_beam_search: alpha or beta is no number");
  }
  double appended(const std::vector<int64_t>& prefix, int64_t token) const override {
    const std::string& text = text_of(token);
    if (options_.separator.empty()) return scored(context(prefix), text);
    if (text != options_.separator) return 0;
    return last_word_of(prefix);
  }
  double ended(const std::vector<int64_t>& tokens) const override {
    std::vector<std::string> words = context(tokens);
    double sum = 0;
    if (!options_.separator.empty()) {
      sum = last_word_of(tokens);
      if (std::string word = open_word(tokens); !word.empty()) words.push_back(std::move(word));
    }
    return sum + options_.alpha * std::numbers::ln10 * model_.score(words, NgramModel::kEnd);
  }

 private:
  const std::string& text_of(int64_t token) const {
    return options_.tokens[static_cast<size_t>(token)];
  }
  double scored(const std::vector<std::string>& before, const std::string& word) const {
    return options_.alpha * std::numbers::ln10 * model_.score(before, word) + options_.beta;
  }
  double last_word_of(const std::vector<int64_t>& tokens) const {
    const std::string word = open_word(tokens);
    return word.empty() ? 0 : scored(context(tokens), word);
  }
  // What stands behind the last separator.
  std::string open_word(const std::vector<int64_t>& tokens) const {
    std::string word;
    for (auto t = tokens.rbegin(); t != tokens.rend() && text_of(*t) != options_.separator; ++t)
      word.insert(0, text_of(*t));
    return word;
  }
  // The last whole words, as many as the model looks at.
  std::vector<std::string> context(const std::vector<int64_t>& tokens) const {
    const auto most = static_cast<size_t>(model_.order() - 1);
    std::vector<std::string> words;
    size_t at = tokens.size();
    if (!options_.separator.empty())
      while (at > 0 && text_of(tokens[at - 1]) != options_.separator) --at;
    while (at > 0 && words.size() < most) {
      if (options_.separator.empty()) {
        words.push_back(text_of(tokens[--at]));
        continue;
      }
      std::string word;
      for (--at; at > 0 && text_of(tokens[at - 1]) != options_.separator; --at)
        word.insert(0, text_of(tokens[at - 1]));
      if (!word.empty()) words.push_back(std::move(word));
    }
    if (words.size() < most) words.emplace_back(NgramModel::kStart);
    std::reverse(words.begin(), words.end());
    return words;
  }

  const NgramModel& model_;
  const FusionOptions& options_;
};

// Beginnings as a tree: each once, known by its number.
struct Node {
  int64_t parent = -1, token = -1;
  double added = 0;  // by the language model, on the whole way
  std::map<int64_t, int64_t> children = {};
};
struct Way {
  double blank = kNoWay, label = kNoWay;  // paths that end in a blank, and in the last label
  double total() const { return log_add(blank, label); }
};

std::vector<Hypothesis> searched(const Tensor& log_probs, const BeamOptions& o,
                                 const Scorer* scorer) {
  const Frames frames("ctc_beam_search", log_probs, o.blank);
  if (o.beam_width < 1 || o.nbest < 1 || o.candidates < 0)
    throw ValueError("ctc_beam_search: a beam of " + std::to_string(o.beam_width) + ", " +
                     std::to_string(o.nbest) + " best, " + std::to_string(o.candidates) +
                     " candidates");
  std::vector<Node> nodes(1);
  const auto tokens_of = [&](int64_t node) {
    std::vector<int64_t> tokens;
    for (; nodes[node].parent >= 0; node = nodes[node].parent) tokens.push_back(nodes[node].token);
    std::reverse(tokens.begin(), tokens.end());
    return tokens;
  };
  const auto child_of = [&](int64_t node, int64_t token) {
    const auto found = nodes[node].children.find(token);
    if (found != nodes[node].children.end()) return found->second;
    Node next{.parent = node, .token = token, .added = nodes[node].added};
    if (scorer) next.added += scorer->appended(tokens_of(node), token);
    const auto number = static_cast<int64_t>(nodes.size());
    nodes[node].children[token] = number;
    nodes.push_back(std::move(next));
    return number;
  };
  std::vector<std::pair<int64_t, Way>> beam = {{0, {.blank = 0}}};
  std::vector<int64_t> classes(static_cast<size_t>(frames.classes));
  const auto going = static_cast<size_t>(
      o.candidates == 0 ? frames.classes : std::min(o.candidates, frames.classes));
  for (int64_t t = 0; t < frames.count; ++t) {
    const double* p = frames[t];
    std::iota(classes.begin(), classes.end(), 0);
    if (going < classes.size())
      std::partial_sort(classes.begin(), classes.begin() + going, classes.end(),
                        [&](int64_t a, int64_t b) { return p[a] > p[b]; });
    std::map<int64_t, Way> next;
    for (const auto& [node, way] : beam) {
      const double total = way.total();
      for (size_t i = 0; i < going; ++i) {
        const int64_t token = classes[i];
        if (p[token] == kNoWay) continue;
        if (token == o.blank) {
          double& sum = next[node].blank;
          sum = log_add(sum, total + p[token]);
          continue;
        }
        const bool again = token == nodes[node].token;
        if (again) {
          double& sum = next[node].label;
          sum = log_add(sum, way.label + p[token]);
        }
        const double from = again ? way.blank : total;
        if (from == kNoWay) continue;
        double& sum = next[child_of(node, token)].label;
        sum = log_add(sum, from + p[token]);
      }
    }
    beam.assign(next.begin(), next.end());
    const auto better = [&](const auto& a, const auto& b) {
      const double x = a.second.total() + nodes[a.first].added;
      const double y = b.second.total() + nodes[b.first].added;
      return x != y ? x > y : a.first < b.first;
    };
    if (static_cast<int64_t>(beam.size()) > o.beam_width) {
      std::nth_element(beam.begin(), beam.begin() + o.beam_width, beam.end(), better);
      beam.resize(static_cast<size_t>(o.beam_width));
    }
  }
  std::vector<Hypothesis> all;
  for (const auto& [node, way] : beam) {
    Hypothesis h{tokens_of(node), way.total() + nodes[node].added};
    if (scorer) h.score += scorer->ended(h.tokens);
    all.push_back(std::move(h));
  }
  std::ranges::stable_sort(all, std::greater(), &Hypothesis::score);
  if (static_cast<int64_t>(all.size()) > o.nbest) all.resize(static_cast<size_t>(o.nbest));
  return all;
}

}  // namespace

std::vector<int64_t> ctc_greedy(const Tensor& log_probs, int64_t blank) {
  const Frames frames("ctc_greedy", log_probs, blank);
  std::vector<int64_t> out;
  int64_t before = blank;
  for (int64_t t = 0; t < frames.count; ++t) {
    const int64_t best = std::max_element(frames[t], frames[t] + frames.classes) - frames[t];
    if (best != blank && best != before) out.push_back(best);
    before = best;
  }
  return out;
}

std::vector<Hypothesis> ctc_beam_search(const Tensor& log_probs, const BeamOptions& options) {
  return searched(log_probs, options, nullptr);
}

std::vector<Hypothesis> ctc_beam_search(const Tensor& log_probs, const NgramModel& model,
                                        const FusionOptions& fusion, const BeamOptions& options) {
  if (!log_probs.defined() || log_probs.rank() != 2)
    throw ShapeError("ctc_beam_search: needs log-probabilities (T, C)");
  const Fusion scorer(model, fusion, log_probs.size(1));
  return searched(log_probs, options, &scorer);
}

CtcAlignment ctc_forced_align(const Tensor& log_probs, const std::vector<int64_t>& targets,
                              int64_t blank) {
  const Frames frames("ctc_forced_align", log_probs, blank);
  for (const int64_t t : targets)
    if (t < 0 || t >= frames.classes || t == blank)
      throw ValueError("ctc_forced_align: a label of " + std::to_string(t));
  // States are the labels with a blank before, between and behind them.
  const auto states = static_cast<int64_t>(2 * targets.size() + 1);
  const auto label = [&](int64_t s) { return s % 2 ? targets[s / 2] : blank; };
  std::vector<double> best(static_cast<size_t>(states), kNoWay);
  std::vector<int8_t> step(static_cast<size_t>(frames.count * states));
  for (int64_t t = 0; t < frames.count; ++t) {
    std::vector<double> now(static_cast<size_t>(states), kNoWay);
    for (int64_t s = 0; s < states; ++s) {
      double from = kNoWay;
      if (t == 0) {
        from = s < 2 ? 0 : kNoWay;
      } else {
        const bool skips = s > 1 && s % 2 == 1 && label(s) != label(s - 2);
        for (int64_t back = 0; back <= (skips ? 2 : std::min<int64_t>(s, 1)); ++back)
          if (best[s - back] > from) {
            from = best[s - back];
            step[t * states + s] = static_cast<int8_t>(back);
          }
      }
      now[s] = from + frames[t][label(s)];
    }
    best = std::move(now);
  }
  int64_t s = states - 1;
  if (frames.count > 0 && states > 1 && best[s - 1] > best[s]) --s;
  if (frames.count == 0 ? states > 1 : best[s] == kNoWay)
    throw ValueError("ctc_forced_align: no path of " + std::to_string(frames.count) +
                     " frames gives these " + std::to_string(targets.size()) + " labels");
  CtcAlignment out;
  if (frames.count == 0) return out;
  out.score = best[s];
  out.path.resize(static_cast<size_t>(frames.count));
  std::vector<int64_t> visited(out.path.size());
  for (int64_t t = frames.count - 1; t >= 0; --t) {
    visited[t] = s;
    out.path[t] = label(s);
    s -= step[t * states + s];
  }
  for (int64_t t = 0; t < frames.count;) {
    int64_t end = t;
    double sum = 0;
    for (; end < frames.count && visited[end] == visited[t]; ++end)
      sum += frames[end][out.path[end]];
    if (visited[t] % 2 == 1)
      out.tokens.push_back({out.path[t], t, end, sum / static_cast<double>(end - t)});
    t = end;
  }
  return out;
}

}  // namespace glia::audio
