// Rows of 14 values and the class, ", " between; the test's classes end with a point, and its first
// line is none.
#include "file.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/tables/datasets.h"
#include "glia/tables/read.h"

namespace glia::tables {
namespace {

bool starts_with_bar(const std::string& path) { return FileText(path).text().starts_with('|'); }

const data::RegisterEntry set({
    .name = "adult",
    .title = "census income (adult)",
    .home = "https://archive.ics.uci.edu/dataset/2/adult",
    .licence = "CC BY 4.0",
    .task = "tabular",
    .files = {{"train.csv",
               "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.data",
               3974305, "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"},
              {"test.csv",
               "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/adult.test",
               2003153, "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05"}},
    .classes = {"<=50K", ">50K"},
});

}  // namespace

Table adult(data::Split split, const std::string& folder) {
  const std::string path = data::file_in(data::find(data::entry("adult"), folder),
                                         split == data::Train ? "train.csv" : "test.csv");
  CsvOptions options{
      .header = Header::kNo,
      .names = {"age", "workclass", "fnlwgt", "education", "education-num", "marital-status",
                "occupation", "relationship", "race", "sex", "capital-gain", "capital-loss",
                "hours-per-week", "native-country", "income"},
      .missing = {"?"},
      .skip_initial_space = true,
      .row_length = RowLength::kExact,
  };
  for (const char* number :
       {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"})
    options.types.emplace_back(number, ColumnType::kInteger);
  options.types.emplace_back("income", ColumnType::kText);
  options.skip_rows = starts_with_bar(path) ? 1 : 0;
  Table table = read_csv(path, options);
  const Column& income = table.column("income");
  std::vector<std::optional<std::string>> classes;
  for (int64_t i = 0; i < income.size(); ++i) {
    std::string text = income.text(i);
    if (text.ends_with('.')) text.pop_back();
    if (text != "<=50K" && text != ">50K")
      throw IoError(path + ": row " + std::to_string(i + 1) + ": '" + text +
                    "' is neither <=50K nor >50K");
    classes.emplace_back(std::move(text));
  }
  table.set(Column::from_texts("income", classes));
  return table;
}

}  // namespace glia::tables
