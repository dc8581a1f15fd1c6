#include "named_parts.h"

#include <algorithm>
#include <set>

#include "checks.h"
#include "glia/io.h"
#include "glia/ops.h"

namespace glia::classic {

void check_names(const char* op, const NamedEstimators& parts, Where where) {
  std::set<std::string> seen;
  for (const auto& [name, part] : parts) {
    if (name.empty() || name.find("__") != std::string::npos ||
        name.find_first_of("/.:") != std::string::npos)
      throw ValueError(std::string(op) + ": \"" + name + "\" is no name of a part", where);
    if (!seen.insert(name).second)
      throw ValueError(std::string(op) + ": two parts are named " + name, where);
    if (!part.defined()) throw ValueError(std::string(op) + ": " + name + " is none", where);
  }
}

void require_parts(const char* op, bool any, Where where) {
  if (!any) throw Error(std::string(op) + ": it has no parts", where);
}

std::vector<Param> params_of(const NamedEstimators& parts) {
  std::vector<Param> out;
  for (const auto& [name, part] : parts)
    for (const Param& p : part->params()) out.push_back(p.of(name));
  return out;
}

std::vector<std::pair<std::string, const Estimator*>> seen(const NamedEstimators& parts) {
  std::vector<std::pair<std::string, const Estimator*>> out;
  for (const auto& [name, part] : parts) out.emplace_back(name, &*part);
  return out;
}

StateDict states_of(const NamedEstimators& parts, int64_t width) {
  StateDict state = {{"n_features_in", tensor(width)}};
  for (const auto& [name, part] : parts) io::append(state, name + ".", part->state_dict());
  return state;
}

NamedEstimators loaded_parts(const NamedEstimators& parts, const StateDict& state, StateDict& own,
                             Where where) {
  for (const auto& [key, value] : state)
    if (std::ranges::none_of(parts,
                             [&, &k = key](const auto& p) { return k.starts_with(p.first + "."); }))
      own.emplace_back(key, value);
  NamedEstimators out = parts;
  for (auto& [part_name, part] : out)
    part->load_state_dict(io::with_prefix(state, part_name + "."), where);
  return out;
}

NamedEstimators loaded(const char* name, const NamedEstimators& parts, const StateDict& state,
                       int64_t& width, Where where) {
  StateDict own;
  NamedEstimators out = loaded_parts(parts, state, own, where);
  StateReader read(name, own, where);
  width = read.count("n_features_in");
  read.finish();
  if (width == 0) throw Error(std::string(name) + ".load_state_dict: n_features_in is 0", where);
  return out;
}

}  // namespace glia::classic
