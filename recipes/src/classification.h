// How good a classifier is: what recipes with classes report of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "glia/nn/module.h"
#include "glia/optim.h"
#include "glia/recipes/result.h"
#include "glia/recipes/run.h"

namespace glia::recipes {

struct Verdict {
  struct Mistake {
    int64_t position = 0;  // of the sample
    int64_t truth = 0, guess = 0;
    double probability = 0;  // of the guess
  };
  std::vector<std::string> classes;
  int64_t samples = 0, right = 0;
  double loss = 0;                 // mean cross-entropy
  std::vector<int64_t> confusion;  // (truth, guess)
  std::vector<Mistake> mistakes;   // the worst first, 30 at most

  double accuracy() const;
  int64_t samples_of(int64_t truth) const;
  double accuracy_of(int64_t truth) const;
  // Accuracy, loss, the number of `unit`, and a table of the classes.
  Results results(const std::string& unit) const;
  // The confusion matrix, each class's accuracy and, given all images (N, H, W, C), the worst
  // mistakes.
  std::vector<report::Section> sections(const Tensor& images = {}) const;
};

// Goes over batches (x, label i64); logits(x) is (N, classes). Without gradients.
Verdict examine(const std::function<Tensor(const Tensor&)>& logits, data::Dataset<2> batches,
                const std::vector<std::string>& classes);

// Classes with their probabilities, the likeliest first. Throws ValueError unless all are numbers.
Results ranked(const std::vector<double>& probabilities, const std::vector<std::string>& classes);

enum class Rule { kAdamW, kSGD };
// What classifiers are trained by: a rate that goes up to `lr` and down again within `steps`;
// weights decay, biases and scales do not. SGD has Nesterov's momentum, as ResNets are used to (He
// et al. 2016).
std::unique_ptr<optim::Optimizer> one_cycle(const nn::Module& model, Rule rule, double lr,
                                            int64_t steps);

}  // namespace glia::recipes
