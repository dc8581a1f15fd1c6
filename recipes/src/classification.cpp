#include "classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "glia/autodiff.h"
#include "glia/error.h"
#include "glia/ops.h"

namespace glia::recipes {

double Verdict::accuracy() const {
  return static_cast<double>(right) / static_cast<double>(std::max<int64_t>(samples, 1));
}

int64_t Verdict::samples_of(int64_t truth) const {
  const auto size = static_cast<int64_t>(classes.size());
  const auto row = confusion.begin() + truth * size;
  return std::accumulate(row, row + size, int64_t{0});
}

double Verdict::accuracy_of(int64_t truth) const {
  const auto size = static_cast<int64_t>(classes.size());
  return static_cast<double>(confusion[truth * size + truth]) /
         static_cast<double>(std::max<int64_t>(samples_of(truth), 1));
}

Results Verdict::results(const std::string& unit) const {
  report::Table table{{{"class"}, {unit}, {"accuracy", true}}, {}};
  for (size_t k = 0; k < classes.size(); ++k)
    table.rows.push_back({classes[k], samples_of(k), accuracy_of(k)});
  return {{"accuracy", accuracy(), true}, {"loss", loss}, {unit, samples}, {"classes", table}};
}

std::vector<report::Section> Verdict::sections(const Tensor& images) const {
  const auto size = static_cast<int64_t>(classes.size());
  report::Bars bars{.percent = true};
  for (int64_t k = 0; k < size; ++k) bars.bars.push_back({classes[k], accuracy_of(k)});
  std::vector<report::Section> out = {
      {"Confusion matrix",
       report::Matrix{.rows = classes,
                      .columns = classes,
                      .values = from_vector(confusion, {size, size}),
                      .confusion = true,
                      .row_name = "truth",
                      .column_name = "guess"},
       "Rows are true classes, columns what the model said; test data."},
      {"Accuracy of each class", bars}};
  if (!images.defined() || mistakes.empty()) return out;
  report::Images::Group pictures;
  for (const auto& [position, truth, guess, probability] : mistakes)
    pictures.pictures.push_back(
        {index(images, {position}), classes[guess],
         fmt::format("{:.1f}\u00a0% sure, is {}", 100 * probability, classes[truth])});
  out.push_back({"Worst mistakes", report::Images{{pictures}},
                 "Test images on which the model was most certain of a wrong class.", true});
  return out;
}

Verdict examine(const std::function<Tensor(const Tensor&)>& logits, data::Dataset<2> batches,
                const std::vector<std::string>& classes) {
  constexpr size_t kMistakes = 30;
  const auto size = static_cast<int64_t>(classes.size());
  Verdict verdict{.classes = classes};
  verdict.confusion.resize(classes.size() * classes.size());
  const NoGrad no_grad;
  for (auto [x, labels] : batches) {
    const Tensor y = logits(x);
    const Tensor loss = cross_entropy(y, labels);
    const Tensor probabilities = softmax(y);
    eval({loss, probabilities});
    const auto p = probabilities.data<float>();
    const auto truths = labels.data<int64_t>();
    verdict.loss += loss.item() * static_cast<double>(truths.size());
    for (size_t i = 0; i < truths.size(); ++i, ++verdict.samples) {
      const auto row = p.subspan(i * classes.size(), classes.size());
      const int64_t guess = std::max_element(row.begin(), row.end()) - row.begin();
      ++verdict.confusion[truths[i] * size + guess];
      if (guess == truths[i])
        ++verdict.right;
      else
        verdict.mistakes.push_back({verdict.samples, truths[i], guess, row[guess]});
    }
  }
  verdict.loss /= static_cast<double>(std::max<int64_t>(verdict.samples, 1));
  std::ranges::stable_sort(verdict.mistakes, std::greater(), &Verdict::Mistake::probability);
  if (verdict.mistakes.size() > kMistakes) verdict.mistakes.resize(kMistakes);
  return verdict;
}

Results ranked(const std::vector<double>& p, const std::vector<std::string>& classes) {
  if (!std::ranges::all_of(p, [](double v) { return std::isfinite(v); }))
    throw ValueError("the probabilities are no numbers");
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(), [&](size_t k) { return p[k]; });
  report::Table table{{{"class"}, {"probability", true}}, {}};
  for (const size_t k : order) table.rows.push_back({classes[k], p[k]});
  return {{"class", classes[order[0]]}, {"probabilities", table}};
}

std::unique_ptr<optim::Optimizer> one_cycle(const nn::Module& model, Rule rule, double lr,
                                            int64_t steps) {
  ParameterList weights, others;
  for (const Variable& p : model.parameters())
    (p.shape().rank() > 1 ? weights : others).push_back(p);
  const auto finished = [&](auto optimizer, auto options) {
    options.weight_decay = 0;
    optimizer->add_param_group(others, options);
    optimizer->set_schedule(optim::one_cycle(lr, steps, {.pct_start = 0.25}));
    return optimizer;
  };
  if (rule == Rule::kAdamW) {
    const optim::AdamWOptions how{.lr = lr, .weight_decay = 0.05};
    return finished(std::make_unique<optim::AdamW>(weights, how), how);
  }
  const optim::SGDOptions how{.lr = lr, .momentum = 0.9, .weight_decay = 5e-4, .nesterov = true};
  return finished(std::make_unique<optim::SGD>(weights, how), how);
}

}  // namespace glia::recipes
