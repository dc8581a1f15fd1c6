#include "glia/knowledge/triples.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "glia/catalogue.h"
#include "glia/error.h"

namespace glia::knowledge {
namespace {

using Names = std::array<std::string, 3>;  // head, relation, tail

struct Part {
  std::string path;
  std::vector<Names> rows;
};

Part read_part(const std::string& path) {
  Part out{path, {}};
  const data::SourcePtr lines = data::lines(path);
  for (int64_t i = 0; i < lines->size(); ++i) {
    std::string line = lines->get(0, i).text("line");
    while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
    if (line.empty()) continue;
    Names names;
    size_t at = 0;
    for (size_t k = 0; k < 3; ++k) {
      const size_t end = k < 2 ? line.find('\t', at) : line.size();
      if (end == std::string::npos || end == at || line.find('\t', at) < (k < 2 ? 0 : end))
        throw IoError(path + ": line " + std::to_string(i + 1) + ": '" + line +
                      "' is no HEAD TAB RELATION TAB TAIL");
      names[k] = line.substr(at, end - at);
      at = end + 1;
    }
    out.rows.push_back(std::move(names));
  }
  if (out.rows.empty()) throw IoError(path + ": holds no triples");
  return out;
}

int32_t number_in(const std::vector<std::string>& names, const std::string& name,
                  const char* what) {
  const auto at = std::ranges::lower_bound(names, name);
  if (at != names.end() && *at == name) return static_cast<int32_t>(at - names.begin());
  std::string near;
  const auto from = at - names.begin() > 1 ? at - 2 : names.begin();
  for (auto it = from; it != names.end() && it < from + 4; ++it)
    near += (near.empty() ? "" : ", ") + *it;
  throw ValueError("'" + name + "' is none of the " + std::to_string(names.size()) + " " + what +
                   "; near it are " + near);
}

KnowledgeGraph numbered(const std::array<std::vector<Names>, 3>& parts) {
  std::set<std::string> entities, relations;
  for (const auto& part : parts)
    for (const Names& n : part) {
      entities.insert(n[0]);
      relations.insert(n[1]);
      entities.insert(n[2]);
    }
  KnowledgeGraph out{
      {entities.begin(), entities.end()}, {relations.begin(), relations.end()}, {}, {}, {}};
  std::unordered_map<std::string, int32_t> of_entity, of_relation;
  for (size_t i = 0; i < out.entities.size(); ++i)
    of_entity[out.entities[i]] = static_cast<int32_t>(i);
  for (size_t i = 0; i < out.relations.size(); ++i)
    of_relation[out.relations[i]] = static_cast<int32_t>(i);
  std::vector<Triple>* const to[] = {&out.train, &out.valid, &out.test};
  for (size_t p = 0; p < 3; ++p) {
    std::set<std::array<int32_t, 3>> seen;
    for (const Names& n : parts[p]) {
      const Triple t{of_entity[n[0]], of_relation[n[1]], of_entity[n[2]]};
      if (seen.insert({t.head, t.relation, t.tail}).second) to[p]->push_back(t);
    }
  }
  return out;
}

// A tenth each for valid and test, of what is known without them.
void hold_out(KnowledgeGraph& graph, uint64_t seed) {
  std::vector<int64_t> entity(graph.entities.size()), relation(graph.relations.size());
  for (const Triple& t : graph.train) {
    ++entity[static_cast<size_t>(t.head)];
    ++entity[static_cast<size_t>(t.tail)];
    ++relation[static_cast<size_t>(t.relation)];
  }
  data::Random random(seed);
  for (size_t i = graph.train.size() - 1; i > 0; --i)
    std::swap(graph.train[i],
              graph.train[static_cast<size_t>(random.below(static_cast<int64_t>(i) + 1))]);
  const size_t wanted = (graph.train.size() + 9) / 10;
  std::vector<Triple> left;
  for (const Triple& t : graph.train) {
    auto& head = entity[static_cast<size_t>(t.head)];
    auto& tail = entity[static_cast<size_t>(t.tail)];
    auto& of = relation[static_cast<size_t>(t.relation)];
    const int64_t own = t.head == t.tail ? 2 : 1;
    if (graph.test.size() < wanted && head > own && tail > own && of > 1) {
      --head, --tail, --of;
      (graph.valid.size() < graph.test.size() ? graph.valid : graph.test).push_back(t);
    } else {
      left.push_back(t);
    }
  }
  graph.train = std::move(left);
}

std::string file_of(const std::string& folder, const std::string& part) {
  for (const char* end : {".tsv", ".txt", ".tsv.gz", ".txt.gz"})
    if (std::filesystem::exists(folder + "/" + part + end)) return folder + "/" + part + end;
  return "";
}

// ---- The catalogue ----------------------------------------------------------------------------

data::Entry conve_set(const std::string& name, const std::string& title) {
  return {.name = name,
          .title = title,
          .home = "https://github.com/TimDettmers/ConvE",
          .licence = "not stated",
          .task = "knowledge-graph",
          .files = {{"train.tsv"}, {"valid.tsv"}, {"test.tsv"}},
          .by_hand = "unpack its archive of that repository, train.txt as train.tsv and so on,"};
}
const data::RegisterEntry wn18rr(conve_set("wn18rr", "WordNet without inverse relations (WN18RR)"));
const data::RegisterEntry umls(conve_set("umls", "Unified Medical Language System (UMLS)"));
const data::RegisterEntry kinship(conve_set("kinship", "kinship of the Alyawarra"));
const data::RegisterEntry nations(conve_set("nations", "relations of nations"));

data::Entry codex_set() {
  data::Entry out{.name = "codex",
                  .title = "CoDEx, of Wikidata",
                  .home = "https://github.com/tsafavi/codex",
                  .licence = "MIT",
                  .task = "knowledge-graph"};
  for (const std::string size : {"s", "m"})
    for (const std::string part : {"train", "valid", "test"})
      out.files.push_back({size + "-" + part + ".tsv",
                           "https://raw.githubusercontent.com/tsafavi/codex/master/data/triples/"
                           "codex-" +
                               size + "/" + part + ".txt"});
  return out;
}
const data::RegisterEntry codex(codex_set());

}  // namespace

int32_t KnowledgeGraph::entity(const std::string& name) const {
  return number_in(entities, name, "entities");
}
int32_t KnowledgeGraph::relation(const std::string& name) const {
  return number_in(relations, name, "relations");
}

KnowledgeGraph read_knowledge_graph(const std::string& folder, uint64_t seed) {
  const std::string train = file_of(folder, "train");
  if (train.empty()) throw IoError(folder + ": holds no train.tsv or train.txt");
  std::array<std::vector<Names>, 3> parts = {read_part(train).rows, {}, {}};
  const std::string valid = file_of(folder, "valid"), test = file_of(folder, "test");
  if (!valid.empty()) parts[1] = read_part(valid).rows;
  if (!test.empty()) parts[2] = read_part(test).rows;
  KnowledgeGraph out = numbered(parts);
  if (test.empty()) hold_out(out, seed);
  return out;
}

std::vector<std::string> knowledge_graph_names() {
  return {"wn18rr", "umls", "kinship", "nations", "codex-s", "codex-m"};
}

KnowledgeGraph named_knowledge_graph(const std::string& name, const std::string& folder) {
  const bool part = name == "codex-s" || name == "codex-m";
  const std::string set = part ? "codex" : name, prefix = part ? name.substr(6) + "-" : "";
  const std::string at = data::find(data::entry(set), folder);
  std::array<std::vector<Names>, 3> parts;
  for (size_t p = 0; p < 3; ++p)
    parts[p] =
        read_part(data::file_in(at, prefix + std::array{"train", "valid", "test"}[p] + ".tsv"))
            .rows;
  return numbered(parts);
}

TripleTensors to_tensors(const std::vector<Triple>& triples) {
  std::vector<int64_t> h, r, t;
  for (const Triple& one : triples) {
    h.push_back(one.head);
    r.push_back(one.relation);
    t.push_back(one.tail);
  }
  const Shape n = {static_cast<int64_t>(triples.size())};
  return {from_vector(h, n), from_vector(r, n), from_vector(t, n)};
}

// ---- Known answers ----------------------------------------------------------------------------

namespace {

uint64_t key_of(int32_t entity, int32_t relation) {
  return static_cast<uint64_t>(static_cast<uint32_t>(entity)) << 32 |
         static_cast<uint32_t>(relation);
}

}  // namespace

Known::Known(const KnowledgeGraph& graph, bool train, bool valid, bool test) {
  const std::pair<bool, const std::vector<Triple>*> parts[] = {
      {train, &graph.train}, {valid, &graph.valid}, {test, &graph.test}};
  for (const auto& [wanted, triples] : parts) {
    if (!wanted) continue;
    for (const Triple& t : *triples) {
      tails_[key_of(t.head, t.relation)].push_back(t.tail);
      heads_[key_of(t.tail, t.relation)].push_back(t.head);
    }
  }
  for (Answers* all : {&tails_, &heads_})
    for (auto& [key, answers] : *all) {
      std::ranges::sort(answers);
      answers.erase(std::unique(answers.begin(), answers.end()), answers.end());
    }
}

const std::vector<int32_t>& Known::find(const Answers& all, int32_t entity, int32_t relation) {
  static const std::vector<int32_t> none;
  const auto at = all.find(key_of(entity, relation));
  return at == all.end() ? none : at->second;
}

}  // namespace glia::knowledge
