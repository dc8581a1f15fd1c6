#include "glia/audio/ngram.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>

#include "glia/audio/errors.h"
#include "glia/error.h"
#include "glia/io.h"

namespace glia::audio {
namespace {

constexpr int64_t kMostOrder = 10;
constexpr double kNever = -99;  // what ARPA files write for a probability of 0
using Key = std::vector<int32_t>;

// Counts of n-grams of one length, and what follows from them.
struct Order {
  std::map<Key, int64_t> counts;  // below the highest order: how many words stand before it
  std::array<double, 3> discounts{};
};

// Chen & Goodman's discounts for counts of 1, 2, and 3 or more.
std::array<double, 3> estimated(const std::map<Key, int64_t>& counts) {
  std::array<double, 5> n{};  // n[c]: how many n-grams are counted c times
  for (const auto& [key, count] : counts)
    if (count <= 4) ++n[static_cast<size_t>(count)];
  constexpr double kUsual = 0.75;
  if (n[1] == 0 || n[2] == 0 || n[3] == 0) return {kUsual, kUsual, kUsual};
  const double y = n[1] / (n[1] + 2 * n[2]);
  std::array<double, 3> d{};
  for (size_t i = 0; i < 3; ++i) {
    const auto c = static_cast<double>(i + 1);
    d[i] = c - (c + 1) * y * n[i + 2] / n[i + 1];
    if (!(d[i] >= 0 && d[i] <= c)) return {kUsual, kUsual, kUsual};
  }
  return d;
}

double discount_of(const Order& order, int64_t count) {
  return std::min(order.discounts[static_cast<size_t>(std::min<int64_t>(count, 3) - 1)],
                  static_cast<double>(count));
}

Key without_first(const Key& key) { return {key.begin() + 1, key.end()}; }
Key without_last(const Key& key) { return {key.begin(), key.end() - 1}; }

// Reading an ARPA file line by line.
class Lines {
 public:
  Lines(std::string path, const std::string& text) : path_(std::move(path)), text_(text) {}
  // The next line that is not empty, without its white space; false behind the last.
  bool next(std::string_view* line) {
    while (at_ < text_.size()) {
      const size_t end = std::min(text_.find('\n', at_), text_.size());
      std::string_view all = std::string_view(text_).substr(at_, end - at_);
      at_ = end + 1;
      ++number_;
      const size_t first = all.find_first_not_of(" \t\r");
      if (first == std::string_view::npos) continue;
      *line = all.substr(first, all.find_last_not_of(" \t\r") - first + 1);
      return true;
    }
    return false;
  }
  [[noreturn]] void fail(const std::string& fault) const {
    throw IoError(path_ + ": line " + std::to_string(number_) + ": " + fault);
  }
  template <class T>
  T number(std::string_view text) const {
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      fail("'" + std::string(text) + "' is no number");
    return value;
  }

 private:
  const std::string path_;
  const std::string& text_;
  size_t at_ = 0;
  int64_t number_ = 0;
};

std::string written(double value) {
  std::array<char, 32> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 9);
  return {text.data(), end};
}

}  // namespace

NgramModel NgramModel::estimate(const std::vector<std::vector<std::string>>& sentences,
                                const KneserNeyOptions& options) {
  if (options.order < 1 || options.order > kMostOrder)
    throw ValueError("NgramModel: an order of " + std::to_string(options.order));
  if (!options.discounts.empty() && options.discounts.size() != 3)
    throw ValueError("NgramModel: " + std::to_string(options.discounts.size()) +
                     " discounts, not 3");
  for (const double d : options.discounts)
    if (!(d >= 0 && d <= 1)) throw ValueError("NgramModel: a discount of " + std::to_string(d));
  if (sentences.empty()) throw ValueError("NgramModel: there are no sentences");

  NgramModel model;
  const auto number = [&](const std::string& word) {
    const auto [found, added] =
        model.words_.try_emplace(word, static_cast<int32_t>(model.names_.size()));
    if (added) model.names_.push_back(word);
    return found->second;
  };
  number(kUnknown);
  const int32_t start = number(kStart), end = number(kEnd);
  const auto highest = static_cast<size_t>(options.order);
  std::vector<Order> orders(highest);
  for (const auto& sentence : sentences) {
    Key words{start};
    for (const std::string& word : sentence) {
      if (word.empty() || word == kStart || word == kEnd || words_of(word).size() != 1)
        throw ValueError("NgramModel: '" + word + "' is no word");
      words.push_back(number(word));
    }
    words.push_back(end);
    // Of the highest order all that occur; of lower ones only those at the beginning, before which
    // nothing can stand: <s> itself is never predicted.
    for (size_t i = 0; i < words.size(); ++i) {
      const size_t n = std::min(highest, i + 1);
      if (n > 1 || i > 0)
        ++orders[n - 1].counts[{words.begin() + i - n + 1, words.begin() + i + 1}];
    }
  }
  // Below that: how many different words stand before each, but for what begins with <s>.
  for (size_t n = highest - 1; n > 0; --n)
    for (const auto& [key, count] : orders[n].counts) {
      const Key shorter = without_first(key);
      if (shorter.front() != start) ++orders[n - 1].counts[shorter];
    }
  for (Order& order : orders) {
    if (options.discounts.empty())
      order.discounts = estimated(order.counts);
    else
      std::copy_n(options.discounts.begin(), 3, order.discounts.begin());
  }

  // Words that are predicted: all but <s>.
  const double evenly = 1 / static_cast<double>(model.names_.size() - 1);
  model.grams_.resize(highest);
  std::vector<std::map<Key, double>> probability(highest);
  for (size_t n = 0; n < highest; ++n) {
    const Order& order = orders[n];
    std::map<Key, double> total, left;  // of each context: counts, and what is taken from them
    for (const auto& [key, count] : order.counts) {
      const Key context = without_last(key);
      total[context] += static_cast<double>(count);
      left[context] += discount_of(order, count);
    }
    for (const auto& [key, count] : order.counts) {
      const Key context = without_last(key);
      const double below = n == 0 ? evenly : probability[n - 1].at(without_first(key));
      probability[n][key] =
          (static_cast<double>(count) - discount_of(order, count) + left[context] * below) /
          total[context];
    }
    if (n == 0) {
      const double rest = total.empty() ? 1 : left[{}] / total[{}];
      for (int32_t w = 0; w < static_cast<int32_t>(model.names_.size()); ++w)
        if (w != start) probability[0].try_emplace({w}, rest * evenly);
    } else {
      for (const auto& [context, sum] : total) {
        Gram& gram = model.grams_[n - 1][context];
        gram.back_off = std::log10(left[context] / sum);
        if (!std::isfinite(gram.back_off)) gram.back_off = kNever;
      }
    }
    for (const auto& [key, p] : probability[n])
      model.grams_[n][key].score = p > 0 ? std::log10(p) : kNever;
  }
  model.grams_[0][{start}].score = kNever;
  return model;
}

int64_t NgramModel::count(int64_t n) const {
  return n < 1 || n > order() ? 0 : static_cast<int64_t>(grams_[static_cast<size_t>(n - 1)].size());
}

std::vector<std::string> NgramModel::vocabulary() const { return names_; }

int32_t NgramModel::number_of(const std::string& word) const {
  auto found = words_.find(word);
  if (found == words_.end()) found = words_.find(kUnknown);
  return found == words_.end() ? -1 : found->second;
}

double NgramModel::score_of(const Key& context, int32_t word) const {
  double back_off = 0;
  Key key = context;
  key.push_back(word);
  while (true) {
    const auto& grams = grams_[key.size() - 1];
    if (const auto found = grams.find(key); found != grams.end())
      return back_off + found->second.score;
    if (key.size() == 1) return kNever;
    const Key before = without_last(key);
    const auto& contexts = grams_[before.size() - 1];
    if (const auto found = contexts.find(before); found != contexts.end())
      back_off += found->second.back_off;
    key = without_first(key);
  }
}

double NgramModel::score(const std::vector<std::string>& context, const std::string& word) const {
  if (grams_.empty()) throw ValueError("NgramModel: the model is empty");
  const size_t room = grams_.size() - 1, skipped = context.size() - std::min(room, context.size());
  Key key;
  for (size_t i = skipped; i < context.size(); ++i) key.push_back(number_of(context[i]));
  return score_of(key, number_of(word));
}

double NgramModel::score_sentence(const std::vector<std::string>& words, bool begins,
                                  bool ends) const {
  std::vector<std::string> context;
  if (begins) context.emplace_back(kStart);
  double sum = 0;
  for (const std::string& word : words) {
    sum += score(context, word);
    context.push_back(word);
  }
  return ends ? sum + score(context, kEnd) : sum;
}

double NgramModel::perplexity(const std::vector<std::vector<std::string>>& sentences) const {
  double sum = 0, count = 0;
  for (const auto& sentence : sentences) {
    sum += score_sentence(sentence);
    count += static_cast<double>(sentence.size()) + 1;
  }
  if (count == 0) throw ValueError("NgramModel: there are no sentences");
  return std::pow(10, -sum / count);
}

NgramModel NgramModel::read_arpa(const std::string& path) {
  return from_arpa(io::read_file(path), path);
}

NgramModel NgramModel::from_arpa(const std::string& text, const std::string& name) {
  Lines lines(name, text);
  NgramModel model;
  std::vector<int64_t> sizes;
  std::string_view line;
  bool begun = false, ended = false;
  size_t n = 0;
  const auto check_size = [&] {
    if (n > 0 && static_cast<int64_t>(model.grams_[n - 1].size()) != sizes[n - 1])
      lines.fail(std::to_string(model.grams_[n - 1].size()) + " n-grams of length " +
                 std::to_string(n) + ", not " + std::to_string(sizes[n - 1]));
  };
  while (!ended && lines.next(&line)) {
    if (line == "\\data\\") {
      begun = true;
    } else if (!begun) {
      continue;  // what stands before is a comment
    } else if (line.starts_with("ngram ")) {
      const size_t equals = line.find('=');
      if (n > 0 || equals == std::string_view::npos) lines.fail("no count of n-grams");
      const auto order = lines.number<int64_t>(line.substr(6, equals - 6));
      if (order != static_cast<int64_t>(sizes.size()) + 1 || order > kMostOrder)
        lines.fail("an order of " + std::to_string(order));
      sizes.push_back(lines.number<int64_t>(line.substr(equals + 1)));
    } else if (line == "\\end\\") {
      check_size();
      ended = n == sizes.size() && n > 0;
      if (!ended) lines.fail("the file ends before its longest n-grams");
    } else if (line.starts_with('\\')) {
      check_size();
      if (line != "\\" + std::to_string(++n) + "-grams:" || n > sizes.size())
        lines.fail("'" + std::string(line) + "' is not the next section");
      model.grams_.emplace_back();
    } else {
      if (n == 0) lines.fail("an n-gram before its section");
      const std::vector<std::string> fields = words_of(std::string(line));
      if (fields.size() != n + 1 && fields.size() != n + 2)
        lines.fail(std::to_string(fields.size()) + " fields in an n-gram of length " +
                   std::to_string(n));
      Gram gram{lines.number<double>(fields[0]), 0};
      if (fields.size() == n + 2) gram.back_off = lines.number<double>(fields[n + 1]);
      if (!(gram.score <= 0) || !std::isfinite(gram.score) || !std::isfinite(gram.back_off))
        lines.fail("a logarithm of " + fields[0] +
                   (fields.size() == n + 2 ? ", " + fields[n + 1] : ""));
      Key key;
      for (size_t i = 1; i <= n; ++i) {
        if (n == 1) {
          model.words_.try_emplace(fields[i], static_cast<int32_t>(model.names_.size()));
          model.names_.push_back(fields[i]);
        }
        const auto found = model.words_.find(fields[i]);
        if (found == model.words_.end()) lines.fail("'" + fields[i] + "' is no word of the model");
        key.push_back(found->second);
      }
      if (!model.grams_[n - 1].try_emplace(key, gram).second) lines.fail("an n-gram comes twice");
    }
  }
  if (!ended) lines.fail(begun ? "there is no \\end\\" : "there is no \\data\\");
  return model;
}

void NgramModel::write_arpa(const std::string& path) const {
  io::write_file_atomic(path, to_arpa());
}

std::string NgramModel::to_arpa() const {
  std::string out = "\\data\\\n";
  for (size_t n = 0; n < grams_.size(); ++n)
    out += "ngram " + std::to_string(n + 1) + "=" + std::to_string(grams_[n].size()) + "\n";
  for (size_t n = 0; n < grams_.size(); ++n) {
    out += "\n\\" + std::to_string(n + 1) + "-grams:\n";
    for (const auto& [key, gram] : grams_[n]) {
      out += written(gram.score) + "\t";
      for (size_t i = 0; i < key.size(); ++i)
        out += (i ? " " : "") + names_[static_cast<size_t>(key[i])];
      if (n + 1 < grams_.size()) out += "\t" + written(gram.back_off);
      out += "\n";
    }
  }
  return out + "\n\\end\\\n";
}

}  // namespace glia::audio
