// What a search is to do, checked against the recipe; and what its report shows.
#pragma once

#include <string>
#include <vector>

#include "glia/classic/search_space.h"
#include "glia/recipes/search.h"

namespace glia::recipes {

class SearchPlan {
 public:
  // Throws Error for what the recipe has not.
  SearchPlan(const Recipe& recipe, const SearchJob& job);
  // Of a file that write() made. Throws IoError.
  static SearchPlan read(const Recipe& recipe, const std::string& path);
  void write(const std::string& path) const;

  const SearchJob& job() const { return job_; }
  const classic::SearchSpace& space() const { return space_; }
  std::string description() const;

  Values settings(const classic::ParamValues& params) const;
  // Of settings, of which others than the space's are left out.
  classic::ParamValues params(const Values& settings) const;
  // A value in the setting's own type.
  Value converted(const std::string& name, const Value& value) const;

  // What a grid, draws or the first round of halving try.
  std::vector<Values> candidates() const;
  // Of halving: what each round gives the setting `budget`, of so many candidates.
  std::vector<int64_t> budgets(int64_t count) const;
  size_t kept(size_t count) const;  // after a round

 private:
  const Setting& setting(const std::string& name) const;
  void check_space();
  void check_folds() const;
  void check_budget() const;
  // Throws Error if the recipe refuses the settings.
  void check(const Values& settings) const;

  const Recipe* recipe_;
  SearchJob job_;
  std::vector<Setting> all_;
  classic::SearchSpace space_;
};

const char* name_of(SearchMethod method);
SearchMethod method_of(const std::string& name);  // throws Error
// Throws Error where a name does not tell.
bool is_highest(const std::string& metric, Goal goal);
// "lr 0.01, hidden 64".
std::string settings_text(const Values& settings);

report::Report report_of(const Recipe& recipe, const SearchPlan& plan, const Searched& searched,
                         double seconds);

}  // namespace glia::recipes
