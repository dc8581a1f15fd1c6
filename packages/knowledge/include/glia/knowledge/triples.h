// Knowledge graphs: triples of a head, a relation and a tail, from files and from the catalogue.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "glia/tensor.h"

namespace glia::knowledge {

struct Triple {
  int32_t head = 0, relation = 0, tail = 0;
  bool operator==(const Triple&) const = default;
};

struct KnowledgeGraph {
  std::vector<std::string> entities, relations;  // names by number
  std::vector<Triple> train, valid, test;
  int64_t n_entities() const { return static_cast<int64_t>(entities.size()); }
  int64_t n_relations() const { return static_cast<int64_t>(relations.size()); }
  // The number of a name. Throws ValueError, with the names that are near, if there is none.
  int32_t entity(const std::string& name) const;
  int32_t relation(const std::string& name) const;
};

// train, valid and test, each .tsv or .txt and also gzipped, of lines HEAD TAB RELATION TAB TAIL.
// Numbers are those of the sorted names. Without valid and test, a tenth of the rows each is drawn
// out of train by the seed, of entities and relations that stay known. Lines that come twice count
// once. Throws IoError, "FILE: line N: fault".
KnowledgeGraph read_knowledge_graph(const std::string& folder, uint64_t seed = 0);
// The catalogue's sets: "wn18rr", "umls", "kinship", "nations" (Dettmers et al. 2018), "codex-s",
// "codex-m" (Safavi & Koutra 2020). The folder as in glia/catalogue.h.
std::vector<std::string> knowledge_graph_names();
KnowledgeGraph named_knowledge_graph(const std::string& name, const std::string& folder = "");

// Heads, relations and tails, i64 (N) each.
struct TripleTensors {
  Tensor head, relation, tail;
};
TripleTensors to_tensors(const std::vector<Triple>& triples);

// Which answers are known: tails of (head, relation), and heads of (relation, tail).
class Known {
 public:
  Known(const KnowledgeGraph& graph, bool train = true, bool valid = true, bool test = true);
  // Sorted, each once.
  const std::vector<int32_t>& tails(int32_t head, int32_t relation) const {
    return find(tails_, head, relation);
  }
  const std::vector<int32_t>& heads(int32_t relation, int32_t tail) const {
    return find(heads_, tail, relation);
  }

 private:
  using Answers = std::unordered_map<uint64_t, std::vector<int32_t>>;
  static const std::vector<int32_t>& find(const Answers& all, int32_t entity, int32_t relation);
  Answers tails_, heads_;
};

}  // namespace glia::knowledge
