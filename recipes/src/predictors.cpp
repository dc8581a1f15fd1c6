#include "recipes/src/predictors.h"

#include <utility>

#include "glia/error.h"

namespace glia::recipes {

const std::string& text_of(const Input& input, const std::string& complaint) {
  const auto* text = std::get_if<std::string>(&input);
  if (!text) throw ValueError(complaint);
  return *text;
}

report::Table probability_table(const std::vector<std::string>& classes,
                                const std::vector<double>& probabilities) {
  report::Table table{{{"class"}, {"probability", true}}, {}};
  for (size_t c = 0; c < probabilities.size(); ++c)
    table.rows.push_back({classes.at(c), probabilities[c]});
  return table;
}

Computation computation_of(const nn::Module& module, std::function<Tensor(const Tensor&)> f,
                           const Tensor& example, const std::string& input,
                           const std::string& output) {
  return {.module = &module,
          .function = [f = std::move(f)](
                          const std::vector<Tensor>& x) { return std::vector<Tensor>{f(x[0])}; },
          .examples = {example},
          .inputs = {input},
          .outputs = {output}};
}

}  // namespace glia::recipes
