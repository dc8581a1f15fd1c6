#include "knowledge.h"

#include <algorithm>

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

void KnowledgeSettings::declare(Fields& f) {
  f(data, "data", "umls", "A data set, or a folder with train.tsv, valid.tsv and test.tsv.",
    {knowledge_graph_names(), "FOLDER"});
  f(model, "model", "complex", "How triples are scored.", {model_names()});
  const bool distance =
      model == "transe" || model == "transh" || model == "transr" || model == "rotate";
  const bool deep = model == "conve" || model == "tucker", graph = model == "rgcn";
  f(training, "training",
    distance        ? "negative-sampling"
    : deep || graph ? "kvsall"
                    : "1vsall",
    "What a triple is told from.", {{"negative-sampling", "1vsall", "kvsall"}});
  f(loss, "loss",
    distance               ? "self-adversarial"
    : training == "1vsall" ? "cross-entropy"
                           : "bce",
    "How.", {{"cross-entropy", "bce", "margin", "self-adversarial"}});
  f(optimizer, "optimizer", training == "1vsall" ? "adagrad" : "adam", "Which steps.",
    {{"adam", "adagrad"}});
  f(options.dim, "dim", 200, "Numbers of an embedding.", {1, 10000});
  f(options.reciprocal, "reciprocal", !distance && !graph,
    "Each relation has an embedding for the way back.");
  f(options.p, "p", 1, "The norm of distances.", {1, 2});
  f(options.input_dropout, "input-dropout", deep ? 0.2 : 0, "Of entities.", {0, 0.99});
  f(options.feature_dropout, "feature-dropout", deep ? 0.2 : 0, "Within conve and tucker.",
    {0, 0.99});
  f(options.hidden_dropout, "hidden-dropout", deep ? 0.3 : 0, "Before what is compared.",
    {0, 0.99});
  f(how.epochs, "epochs",
    distance ? 500
    : deep   ? 300
             : 100,
    "Passes over the triples.", {1, 100000});
  f(how.batch_size, "batch", 128, "Triples, or questions, in each step.", {1, 1e6});
  f(how.lr, "lr", optimizer == "adagrad" ? 0.1 : 0.003, "Learning rate.", {0, 100});
  f(how.label_smoothing, "label-smoothing", deep ? 0.1 : 0, "Of 1vsall and kvsall.", {0, 0.99});
  f(how.negatives, "negatives", 32, "Of negative sampling: drawn heads, and tails.", {1, 100000});
  f(how.margin, "margin", 9, "Of the losses margin and self-adversarial.", {0, 1000});
  f(how.regularization, "regularization", training == "1vsall" ? 0.005 : 0,
    "Weight of the N3 norm of factors.", {0, 1000});
  Settings::declare(f);
  options.seed = how.seed = static_cast<uint64_t>(seed);
  how.training = training == "kvsall"   ? Training::kKvsAll
                 : training == "1vsall" ? Training::k1vsAll
                                        : Training::kNegativeSampling;
  how.loss = loss == "bce"             ? Loss::kBCE
             : loss == "margin"        ? Loss::kMargin
             : loss == "cross-entropy" ? Loss::kCrossEntropy
                                       : Loss::kSelfAdversarial;
  how.optimizer =
      optimizer == "adam" ? knowledge::Optimizer::kAdam : knowledge::Optimizer::kAdagrad;
}

knowledge::KnowledgeGraph KnowledgeSettings::read(const std::string& from) const {
  const std::vector<std::string> names = knowledge_graph_names();
  return std::ranges::find(names, from) != names.end()
             ? named_knowledge_graph(from)
             : read_knowledge_graph(from, static_cast<uint64_t>(seed));
}

}  // namespace glia::recipes
