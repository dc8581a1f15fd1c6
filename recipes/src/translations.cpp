#include "translations.h"

#include <algorithm>

#include "glia/text/translator.h"

namespace glia::recipes {

Results results_of(const text::Translator& t, const std::string& source, int64_t beam) {
  const auto found = t.translate(source, beam);
  report::Table all{{{"translation"}, {"log-probability"}}, {}};
  for (const text::Translation& one : found)
    all.rows.push_back({t.target.decode(one.tokens), one.log_probability});
  Results results{{"translation", t.target.decode(found.at(0).tokens)},
                  {"log_probability", found[0].log_probability},
                  {"alternatives", all}};
  if (std::ranges::count(t.source.encode(source), text::Vocabulary::kUnknown) > 0)
    results.push_back({"note", std::string("has characters that were not trained on")});
  return results;
}

report::Table table_of(std::vector<text::Judged> all) {
  std::ranges::stable_partition(all,
                                [](const text::Judged& j) { return j.translation != j.wanted; });
  constexpr size_t kRows = 40;
  report::Table table{{{"source"}, {"translation"}, {"wanted"}, {"log-probability"}}, {}};
  for (size_t i = 0; i < std::min(kRows, all.size()); ++i)
    table.rows.push_back(
        {all[i].source, all[i].translation, all[i].wanted, all[i].log_probability});
  return table;
}

report::Section attention(const text::Translator& t, const std::string& source) {
  const text::Translation best = t.translate(source, 1).at(0);
  report::Matrix matrix{.columns = text::characters(source),
                        .values = best.attention,
                        .row_name = "written",
                        .column_name = "read"};
  for (const int64_t n : best.tokens) matrix.rows.push_back(t.target.shown(n));
  matrix.rows.resize(best.attention.size(0), "end");
  return {"Attention: " + source, matrix,
          "How much each character that is written is made of each that is read.", true};
}

}  // namespace glia::recipes
