// u.data: user TAB item TAB rating TAB time; u.item: number|title|... in Latin 1. RecBole's files
// hold the same under names.
#include <unordered_map>

#include "glia/catalogue.h"
#include "glia/recommend/interactions.h"
#include "glia/tables/read.h"

namespace glia::recommend {
namespace {

const data::RegisterEntry set({
    .name = "ml-100k",
    .title = "MovieLens 100K",
    .home = "https://grouplens.org/datasets/movielens/100k",
    .licence = "research use, cite Harper & Konstan 2015",
    .task = "recommendation",
    .files = {{"u.data", "https://files.grouplens.org/datasets/movielens/ml-100k/u.data"},
              {"u.item", "https://files.grouplens.org/datasets/movielens/ml-100k/u.item"}},
});
const data::RegisterForm recbole({
    .set = "ml-100k",
    .difference = "RecBole's files",
    .files = {{"ml-100k.inter"}, {"ml-100k.item"}},
    .labelled = {},
});

std::string utf8_of_latin1(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | byte >> 6);
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

// Titles by the item's name, as "Toy Story (1995)".
std::unordered_map<std::string, std::string> titles_of(const std::string& path, bool original) {
  tables::CsvOptions options{.separator = original ? '|' : '\t',
                             .header = original ? tables::Header::kNo : tables::Header::kYes};
  const std::vector<std::string> names =
      original ? std::vector<std::string>{"1", "2"}
               : std::vector<std::string>{"item_id:token", "movie_title:token_seq",
                                          "release_year:token"};
  options.columns = names;
  for (const std::string& name : names) options.types.emplace_back(name, tables::ColumnType::kText);
  const tables::Table table = tables::read_csv(path, options);
  std::unordered_map<std::string, std::string> out;
  for (int64_t i = 0; i < table.rows(); ++i) {
    const std::string title = table.column(names[1]).text(i);
    out[table.column(names[0]).text(i)] =
        original ? utf8_of_latin1(title) : title + " (" + table.column(names[2]).text(i) + ")";
  }
  return out;
}

}  // namespace

Interactions movielens_100k(const std::string& folder) {
  const data::Found found = data::find_any(data::entry("ml-100k"), folder);
  const bool original = !found.form;
  const std::string path = data::file_in(found.folder, original ? "u.data" : "ml-100k.inter");
  try {
    Interactions out = original ? to_interactions(tables::read_csv(
                                      path, {.separator = '\t',
                                             .header = tables::Header::kNo,
                                             .names = {"user", "item", "rating", "timestamp"},
                                             .row_length = tables::RowLength::kExact}))
                                : to_interactions(tables::read_csv(path, {.separator = '\t'}));
    out.rating_scale = {1, 5};
    const auto titles =
        titles_of(data::file_in(found.folder, original ? "u.item" : "ml-100k.item"), original);
    for (const std::string& item : out.items) {
      const auto at = titles.find(item);
      out.titles.push_back(at == titles.end() ? item : at->second);
    }
    return out;
  } catch (const IoError&) {
    throw;
  } catch (const Error& fault) {
    throw IoError(path + ": " + fault.what());
  }
}

}  // namespace glia::recommend
