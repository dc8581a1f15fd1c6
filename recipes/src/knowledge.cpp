#include "knowledge.h"

#include "glia/io.h"

namespace glia::recipes {

using namespace knowledge;

Results judged(const knowledge::Model& model, const KnowledgeGraph& graph,
               const std::vector<Triple>& triples) {
  const RankMetrics m = evaluate(model, graph, triples);
  return {{"mrr", m.mrr},
          {"hits_at_1", m.hits_at_1},
          {"hits_at_3", m.hits_at_3},
          {"hits_at_10", m.hits_at_10},
          {"mr", m.mr},
          {"amri", m.amri},
          {"triples", m.ranks / 2}};
}

report::Section answers_section(const knowledge::Model& model, const KnowledgeGraph& graph) {
  constexpr size_t kShown = 12;
  report::Table table{{{"head"}, {"relation"}, {"answers"}, {"right"}}, {}};
  for (size_t k = 0; k < std::min(graph.test.size(), kShown); ++k) {
    const Triple& t = graph.test[k];
    std::string said;
    for (const Answer& a : answer_tail(model, graph, t.head, t.relation, 3))
      said += (said.empty() ? "" : ", ") + graph.entities[static_cast<size_t>(a.entity)];
    table.rows.push_back({graph.entities[static_cast<size_t>(t.head)],
                          graph.relations[static_cast<size_t>(t.relation)], said,
                          graph.entities[static_cast<size_t>(t.tail)]});
  }
  return {"Answers", table, "Of triples of the test.", true};
}

void append(StateDict& weights, const KnowledgeGraph& graph) {
  std::vector<int32_t> numbers;
  for (const auto* part : {&graph.train, &graph.valid, &graph.test})
    for (const Triple& t : *part) numbers.insert(numbers.end(), {t.head, t.relation, t.tail});
  weights.emplace_back("triples",
                       from_vector(numbers, {static_cast<int64_t>(numbers.size()) / 3, 3}));
  weights.emplace_back("train", tensor({static_cast<int64_t>(graph.train.size())}));
}

KnowledgeGraph graph_of(const Saved& saved) {
  KnowledgeGraph out{saved.texts("entities"), saved.texts("relations"), {}, {}, {}};
  std::vector<int32_t> numbers;
  int64_t train = 0;
  for (const auto& [name, value] : saved.weights) {
    if (name == "triples") numbers = value.to_vector<int32_t>();
    if (name == "train") train = value.item<int64_t>();
  }
  const auto count = static_cast<int64_t>(numbers.size()) / 3;
  if (numbers.size() % 3 != 0 || train < 1 || train > count)
    throw IoError(saved.path + ": what it says of its triples does not fit together");
  const auto in = [](int32_t i, int64_t n) { return i >= 0 && i < n; };
  for (int64_t k = 0; k < count; ++k) {
    const int32_t* at = numbers.data() + 3 * k;
    if (!in(at[0], out.n_entities()) || !in(at[1], out.n_relations()) ||
        !in(at[2], out.n_entities()))
      throw IoError(saved.path + ": a triple has an entity or a relation that is none");
    (k < train ? out.train : out.test).push_back({at[0], at[1], at[2]});
  }
  return out;
}

std::vector<std::string> question_of(std::string text) {
  const auto trim = [](std::string& t) {
    while (t.starts_with(' ')) t.erase(0, 1);
    while (t.ends_with(' ')) t.pop_back();
  };
  trim(text);
  if (text.starts_with('(') && text.ends_with(')')) text = text.substr(1, text.size() - 2);
  const char between = text.find('\t') != std::string::npos ? '\t' : ',';
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == between)
      parts.emplace_back();
    else
      parts.back() += c;
  for (std::string& part : parts) trim(part);
  if (parts.size() != 3 || (parts[0] == "?") == (parts[2] == "?"))
    throw ValueError("'" + text + "': a question is (HEAD, RELATION, ?) or (?, RELATION, TAIL)");
  return parts;
}

}  // namespace glia::recipes
