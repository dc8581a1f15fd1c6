#include "glia/recommend/interactions.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_map>

#include "glia/data.h"
#include "glia/tables/read.h"

namespace glia::recommend {
namespace {

using tables::Column;
using tables::ColumnType;
using tables::Table;

// "user_id:token" and "UserId" are "userid".
std::string plain(const std::string& name) {
  std::string out;
  for (const char c : name.substr(0, name.find(':')))
    if (std::isalnum(static_cast<unsigned char>(c)))
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// The column of a role: as it is named, else by the usual names, else by position among those that
// no role has; null if there is none.
class Roles {
 public:
  explicit Roles(const Table& table) : table_(table), taken_(table.columns().size()) {}
  const Column* find(const std::string& named, const std::vector<std::string>& usual) {
    if (!named.empty()) {
      const Column& column = table_.column(named, {});
      return take(static_cast<size_t>(&column - table_.columns().data()));
    }
    for (size_t i = 0; i < taken_.size(); ++i)
      if (!taken_[i] && std::ranges::find(usual, plain(table_.columns()[i].name())) != usual.end())
        return take(i);
    return nullptr;
  }
  const Column* next(bool number) {
    for (size_t i = 0; i < taken_.size(); ++i)
      if (!taken_[i]) return !number || table_.columns()[i].is_number() ? take(i) : nullptr;
    return nullptr;
  }

 private:
  const Column* take(size_t i) {
    taken_[i] = true;
    return &table_.columns()[i];
  }
  const Table& table_;
  std::vector<bool> taken_;
};

class Numbers {
 public:
  explicit Numbers(std::vector<std::string>& names) : names_(names) {}
  int32_t of(const std::string& name) {
    const auto [at, added] = numbers_.try_emplace(name, static_cast<int32_t>(names_.size()));
    if (added) names_.push_back(name);
    return at->second;
  }

 private:
  std::vector<std::string>& names_;
  std::unordered_map<std::string, int32_t> numbers_;
};

[[noreturn]] void fail_row(int64_t row, const std::string& fault) {
  throw ValueError("row " + std::to_string(row + 1) + ": " + fault);
}

std::vector<int64_t> in_time(const Interactions& all) {
  std::vector<int64_t> rows(all.user.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int64_t>(i);
  if (!all.time.empty())
    std::ranges::stable_sort(rows, {}, [&](int64_t r) { return all.time[static_cast<size_t>(r)]; });
  return rows;
}

int64_t tested(const char* what, int64_t rows, double test_size) {
  if (!(test_size > 0 && test_size < 1))
    throw ValueError(std::string(what) + ": test_size is not between 0 and 1");
  const auto count = static_cast<int64_t>(std::ceil(test_size * static_cast<double>(rows)));
  if (count < 1 || count >= rows)
    throw ValueError(std::string(what) + ": " + std::to_string(rows) +
                     " rows are too few to split");
  return count;
}

// A drawn order of 0 to n - 1.
std::vector<int64_t> drawn(int64_t n, uint64_t seed) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  data::Random random(seed);
  for (int64_t i = n - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
  return order;
}

}  // namespace

const std::string& Interactions::title(int64_t number) const {
  return (titles.empty() ? items : titles).at(static_cast<size_t>(number));
}

Interactions Interactions::take(std::span<const int64_t> rows, Where where) const {
  Interactions out{.users = users, .items = items, .titles = titles};
  out.rating_scale = rating_scale;
  for (const int64_t r : rows) {
    if (r < 0 || r >= size())
      throw ValueError("take: there is no row " + std::to_string(r) + " of " +
                       std::to_string(size()) + " (" + where.file_name() + ":" +
                       std::to_string(where.line()) + ")");
    const auto i = static_cast<size_t>(r);
    out.user.push_back(user[i]);
    out.item.push_back(item[i]);
    out.rating.push_back(rating[i]);
    if (!time.empty()) out.time.push_back(time[i]);
  }
  return out;
}

Interactions to_interactions(const Table& table, const InteractionColumns& columns) {
  Roles roles(table);
  const Column* user = roles.find(
      columns.user, {"user", "userid", "uid", "customer", "customerid", "reviewer", "reviewerid"});
  const Column* item =
      roles.find(columns.item, {"item", "itemid", "iid", "movie", "movieid", "product", "productid",
                                "film", "book", "bookid", "track", "asin", "isbn"});
  const Column* rating =
      roles.find(columns.rating, {"rating", "ratings", "score", "stars", "value", "overall"});
  const Column* time =
      roles.find(columns.time, {"time", "timestamp", "date", "datetime", "unixreviewtime"});
  if (!user) user = roles.next(false);
  if (!item) item = roles.next(false);
  if (!user || !item) throw ValueError("there is no column of users and one of items");
  if (!rating) rating = roles.next(true);
  if (!time) time = rating ? roles.next(true) : nullptr;
  if (rating && !rating->is_number())
    throw ValueError("column '" + rating->name() + "' of ratings holds a " +
                     std::string(type_name(rating->type())));
  const bool dates = time && time->type() == ColumnType::kDate;
  if (time && !time->is_number() && !dates)
    throw ValueError("column '" + time->name() + "' of times holds a " +
                     std::string(type_name(time->type())));

  const int64_t rows = table.rows();
  const std::vector<double> ratings =
      rating ? rating->to_tensor().to_vector<double>() : std::vector<double>();
  const std::vector<double> times =
      time && !dates ? time->to_tensor().to_vector<double>() : std::vector<double>();
  Interactions out;
  Numbers users(out.users), items(out.items);
  std::unordered_map<uint64_t, size_t> seen;
  for (int64_t r = 0; r < rows; ++r) {
    if (user->is_missing(r)) fail_row(r, "there is no user");
    if (item->is_missing(r)) fail_row(r, "there is no item");
    const auto i = static_cast<size_t>(r);
    const double value = rating ? ratings[i] : 1;
    if (!std::isfinite(value)) fail_row(r, "the rating is no finite number");
    int64_t when = 0;
    if (time) {
      if (time->is_missing(r) || (!dates && !(std::abs(times[i]) < 9e18)))
        fail_row(r, "the time is no number");
      when = dates ? time->dates()[i] : static_cast<int64_t>(times[i]);
    }
    const int32_t u = users.of(user->text(r)), it = items.of(item->text(r));
    const uint64_t pair = static_cast<uint64_t>(u) << 32 | static_cast<uint32_t>(it);
    const auto [at, added] = seen.try_emplace(pair, out.user.size());
    if (added) {
      out.user.push_back(u);
      out.item.push_back(it);
      out.rating.push_back(value);
      if (time) out.time.push_back(when);
    } else if (!time || when >= out.time[at->second]) {
      out.rating[at->second] = value;
      if (time) out.time[at->second] = when;
    }
  }
  if (out.user.empty()) throw ValueError("holds no rows");
  const auto [least, most] = std::ranges::minmax_element(out.rating);
  out.rating_scale = {*least, *most};
  return out;
}

Interactions read_interactions(const std::string& path, const InteractionColumns& columns) {
  const std::string name = path.ends_with(".gz") ? path.substr(0, path.size() - 3) : path;
  const bool tabs = name.ends_with(".inter") || name.ends_with(".tsv");
  try {
    if (tabs || name.ends_with(".csv"))
      return to_interactions(tables::read_csv(path, {.separator = tabs ? '\t' : ',',
                                                     .header = tables::Header::kGuess,
                                                     .default_missing = true}),
                             columns);
    return to_interactions(tables::read_table(path), columns);
  } catch (const IoError&) {
    throw;
  } catch (const Error& fault) {
    throw IoError(path + ": " + fault.what());
  }
}

// ---- Splits -----------------------------------------------------------------------------------

std::vector<Fold> k_fold(const Interactions& all, const KFoldOptions& options) {
  const int64_t rows = all.size(), n = options.n_splits;
  if (n < 2 || n > rows)
    throw ValueError("k_fold: n_splits " + std::to_string(n) + " is not from 2 to the " +
                     std::to_string(rows) + " rows");
  const std::vector<int64_t> order = options.shuffle ? drawn(rows, options.random_state) : [&] {
    std::vector<int64_t> o;
    for (int64_t i = 0; i < rows; ++i) o.push_back(i);
    return o;
  }();
  std::vector<Fold> out;
  int64_t start = 0;
  for (int64_t f = 0; f < n; ++f) {
    const int64_t stop = start + rows / n + (f < rows % n ? 1 : 0);
    Fold fold;
    for (int64_t i = 0; i < rows; ++i)
      (i >= start && i < stop ? fold.test : fold.train).push_back(order[static_cast<size_t>(i)]);
    out.push_back(std::move(fold));
    start = stop;
  }
  return out;
}

Fold random_split(const Interactions& all, double test_size, uint64_t random_state) {
  const int64_t count = tested("random_split", all.size(), test_size);
  const std::vector<int64_t> order = drawn(all.size(), random_state);
  return {{order.begin() + count, order.end()}, {order.begin(), order.begin() + count}};
}

Fold time_split(const Interactions& all, double test_size) {
  if (all.time.empty()) throw ValueError("time_split: there are no times");
  const int64_t count = tested("time_split", all.size(), test_size);
  const std::vector<int64_t> order = in_time(all);
  return {{order.begin(), order.end() - count}, {order.end() - count, order.end()}};
}

Fold leave_one_out(const Interactions& all, int64_t min_ratings) {
  std::vector<int64_t> last(all.users.size(), -1), count(all.users.size(), 0);
  for (const int64_t r : in_time(all)) {
    const auto u = static_cast<size_t>(all.user[static_cast<size_t>(r)]);
    last[u] = r;
    ++count[u];
  }
  Fold out;
  for (int64_t r = 0; r < all.size(); ++r) {
    const auto u = static_cast<size_t>(all.user[static_cast<size_t>(r)]);
    const bool left = last[u] == r && count[u] >= std::max<int64_t>(min_ratings, 2);
    (left ? out.test : out.train).push_back(r);
  }
  if (out.test.empty())
    throw ValueError("leave_one_out: no user has " + std::to_string(min_ratings) + " rows");
  return out;
}

// ---- By user and by item ----------------------------------------------------------------------

RatingMatrix::RatingMatrix(const Interactions& all, Where where)
    : n_users(all.n_users()), n_items(all.n_items()), n_ratings(all.size()) {
  if (n_ratings == 0)
    throw ValueError("there are no ratings to learn from (" + std::string(where.file_name()) + ":" +
                     std::to_string(where.line()) + ")");
  const auto grouped = [&](const std::vector<int32_t>& rows, const std::vector<int32_t>& columns,
                           int64_t count, std::vector<int64_t>& start) {
    start.assign(static_cast<size_t>(count) + 1, 0);
    for (const int32_t r : rows) {
      if (r < 0 || r >= count) throw ValueError("a user or an item has a number that is none");
      ++start[static_cast<size_t>(r) + 1];
    }
    for (size_t i = 1; i < start.size(); ++i) start[i] += start[i - 1];
    std::vector<int64_t> next(start.begin(), start.end() - 1);
    std::vector<Entry> out(rows.size());
    for (size_t k = 0; k < rows.size(); ++k)
      out[static_cast<size_t>(next[static_cast<size_t>(rows[k])]++)] = {columns[k], all.rating[k]};
    return out;
  };
  by_user = grouped(all.user, all.item, n_users, user_start);
  by_item = grouped(all.item, all.user, n_items, item_start);
  for (const Entry& e : by_user) global_mean += e.rating;
  global_mean /= static_cast<double>(n_ratings);
}

RatingMatrix RatingMatrix::transposed() const {
  RatingMatrix out;
  out.n_users = n_items;
  out.n_items = n_users;
  out.n_ratings = n_ratings;
  out.global_mean = global_mean;
  out.by_user = by_item;
  out.by_item = by_user;
  out.user_start = item_start;
  out.item_start = user_start;
  return out;
}

}  // namespace glia::recommend
