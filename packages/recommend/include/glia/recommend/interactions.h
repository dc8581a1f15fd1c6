// Who rated, bought or saw what: reading it, and splitting it for training and testing.
//
//   const recommend::Interactions all = recommend::movielens_100k();
//   for (const recommend::Fold& fold : recommend::k_fold(all)) {
//     model.fit(all.take(fold.train));
//     error += recommend::rmse(model, all.take(fold.test));
//   }
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "glia/error.h"
#include "glia/tables/table.h"

namespace glia::recommend {

// Row k says that users[user[k]] gave items[item[k]] the rating rating[k] at time[k].
struct Interactions {
  std::vector<std::string> users, items;  // names by number
  std::vector<std::string> titles = {};   // of items, for people; empty: their names
  std::vector<int32_t> user = {}, item = {};
  std::vector<double> rating = {};               // 1 where nothing is said
  std::vector<int64_t> time = {};                // rising; empty: not known
  std::pair<double, double> rating_scale{0, 0};  // the least and the greatest that there may be

  int64_t size() const { return static_cast<int64_t>(user.size()); }
  int64_t n_users() const { return static_cast<int64_t>(users.size()); }
  int64_t n_items() const { return static_cast<int64_t>(items.size()); }
  const std::string& title(int64_t item_number) const;
  // Those rows, in their order; numbers stay what they are. Throws ValueError.
  Interactions take(std::span<const int64_t> rows, Where where = Where::current()) const;
};

// Which columns hold what; empty: by the usual names ("user_id", "item", "rating", "timestamp"...),
// else the first, the second and so on, if they are numbers where that is needed.
struct InteractionColumns {
  std::string user = {}, item = {}, rating = {}, time = {};
};
// Numbers in the order of first appearance. Of a user's rows for one item the latest counts (the
// last, without times). Throws ValueError for a column that is not there, for a user or an item
// that is missing and for a rating that is no finite number, with the row.
Interactions to_interactions(const tables::Table& table, const InteractionColumns& columns = {});
// A table of the user's: .csv, .tsv, .inter (RecBole's), .jsonl, .arff, each also gzipped. Throws
// IoError, "FILE: fault".
Interactions read_interactions(const std::string& path, const InteractionColumns& columns = {});

// MovieLens 100K (Harper & Konstan 2015): 100,000 ratings from 1 to 5 of 1,682 films by 943 users.
// u.data and u.item, or RecBole's ml-100k.inter and ml-100k.item. The folder as in
// glia/catalogue.h; throws IoError.
Interactions movielens_100k(const std::string& folder = "");

// ---- Splits -----------------------------------------------------------------------------------

struct Fold {
  std::vector<int64_t> train, test;  // rows
};
struct KFoldOptions {
  int64_t n_splits = 5;
  bool shuffle = true;
  uint64_t random_state = 0;
};
// Each row is tested once. All throw ValueError for what leaves no row on a side.
std::vector<Fold> k_fold(const Interactions& all, const KFoldOptions& options = {});
Fold random_split(const Interactions& all, double test_size = 0.2, uint64_t random_state = 0);
// The latest rows are for testing. Also throws ValueError without times.
Fold time_split(const Interactions& all, double test_size = 0.2);
// The latest row of each user (the last, without times) that has so many at least.
Fold leave_one_out(const Interactions& all, int64_t min_ratings = 2);

// ---- By user and by item ----------------------------------------------------------------------

// The ratings of each user and of each item, in the order in which they came.
struct RatingMatrix {
  struct Entry {
    int32_t index;  // the item of a user, or the user of an item
    double rating;
  };
  // Throws ValueError without rows.
  explicit RatingMatrix(const Interactions& all, Where where = Where::current());

  int64_t n_users = 0, n_items = 0, n_ratings = 0;
  double global_mean = 0;
  std::span<const Entry> of_user(int64_t user) const { return row(by_user, user_start, user); }
  std::span<const Entry> of_item(int64_t item) const { return row(by_item, item_start, item); }
  bool knows_user(int64_t user) const { return !of_user(user).empty(); }
  bool knows_item(int64_t item) const { return !of_item(item).empty(); }
  RatingMatrix transposed() const;

  std::vector<Entry> by_user, by_item;
  std::vector<int64_t> user_start, item_start;  // one more than there are users, items

 private:
  RatingMatrix() = default;
  static std::span<const Entry> row(const std::vector<Entry>& all,
                                    const std::vector<int64_t>& start, int64_t i) {
    const auto at = static_cast<size_t>(i);
    return {all.data() + start[at], static_cast<size_t>(start[at + 1] - start[at])};
  }
};

}  // namespace glia::recommend
