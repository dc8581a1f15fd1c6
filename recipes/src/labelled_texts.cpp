#include "recipes/src/labelled_texts.h"

#include <algorithm>
#include <map>

#include "glia/tables/read.h"

namespace glia::recipes {

text::LabelledTexts read_labelled_texts(const std::string& from, const std::string& text_column,
                                        const std::string& label_column) {
  if (from == "mr") return text::movie_reviews();
  if (from == "imdb" || from == "imdb-review-polarity") return text::imdb_reviews();
  if (from == "sms-spam") return text::sms_spam();
  const std::string name = from.ends_with(".gz") ? from.substr(0, from.size() - 3) : from;
  tables::CsvOptions options;
  if (name.ends_with(".tsv")) options.separator = '\t';
  const tables::Table table = tables::read_csv(from, options);
  const auto column = [&](const std::string& given, const char* usual, int place) {
    if (!given.empty() && !table.has(given))
      throw IoError(from + ": there is no column \"" + given + "\"");
    if (!given.empty()) return table.column(given);
    if (table.has(usual)) return table.column(usual);
    if (table.columns().size() == 2) return table.columns()[static_cast<size_t>(place)];
    throw IoError(from + ": has no column \"" + usual +
                  "\"; --text-column and --label-column name them");
  };
  const tables::Column texts = column(text_column, "text", 0),
                       labels = column(label_column, "label", 1);
  std::map<std::string, int64_t> numbers;
  for (int64_t i = 0; i < table.rows(); ++i)
    if (!texts.is_missing(i) && !labels.is_missing(i)) numbers[labels.text(i)] = 0;
  text::LabelledTexts out;
  for (auto& [label, number] : numbers) {
    number = static_cast<int64_t>(out.classes.size());
    out.classes.push_back(label);
  }
  if (out.classes.size() < 2) throw IoError(from + ": holds texts of fewer than two classes");
  if (out.classes.size() > 10000)
    throw IoError(from + ": has " + std::to_string(out.classes.size()) +
                  " different labels; --label-column names the column of classes");
  for (int64_t i = 0; i < table.rows(); ++i) {
    if (texts.is_missing(i) || labels.is_missing(i)) continue;
    out.texts.push_back(texts.text(i));
    out.labels.push_back(numbers.at(labels.text(i)));
  }
  return out;
}

}  // namespace glia::recipes
