// What is true besides of what a knowledge graph says: triples foretold.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/glia.h"
#include "glia/knowledge/training.h"
#include "glia/recipes/run.h"

namespace glia::recipes {
namespace {

using namespace knowledge;

struct KnowledgeSettings : Settings {
  std::string data, model, training, loss, optimizer;
  ModelOptions options;
  TrainingOptions how;
  int64_t top = 10;

  void declare(Fields& f) override {
    f(data, "data", "umls", "A data set, or a folder with train.tsv, valid.tsv and test.tsv.",
      {knowledge_graph_names(), "FOLDER"});
    f(model, "model", "complex", "How triples are scored.", {model_names()});
    const bool distance = model == "transe" || model == "transh" || model == "transr" || model == "rotate";
    const bool deep = model == "conve" || model == "tucker", graph = model == "rgcn";
    f(training, "training", distance ? "negative-sampling" : deep || graph ? "kvsall" : "1vsall",
      "What a triple is told from.", {{"negative-sampling", "1vsall", "kvsall"}});
    f(loss, "loss", distance ? "self-adversarial" : deep || graph ? "bce" : "cross-entropy",
      "How.", {{"cross-entropy", "bce", "margin", "self-adversarial"}});
    f(optimizer, "optimizer", deep || graph || distance ? "adam" : "adagrad", "Which steps.",
      {{"adam", "adagrad"}});
    f(options.dim, "dim", 200, "Numbers of an embedding.", {1, 10000});
    f(options.reciprocal, "reciprocal", !distance && !graph,
      "Each relation has an embedding for the way back.");
    f(options.p, "p", 1, "The norm of distances.", {1, 2});
    f(options.input_dropout, "input-dropout", deep ? 0.2 : 0, "Of entities.", {0, 0.99});
    f(options.feature_dropout, "feature-dropout", deep ? 0.2 : 0, "Within conve and tucker.", {0, 0.99});
    f(options.hidden_dropout, "hidden-dropout", deep ? 0.3 : 0, "Before what is compared.", {0, 0.99});
    f(how.epochs, "epochs", distance ? 500 : deep ? 300 : 100, "Passes over the triples.", {1, 100000});
    f(how.batch_size, "batch", 128, "Triples, or questions, in each step.", {1, 1e6});
    f(how.lr, "lr", optimizer == "adagrad" ? 0.1 : 0.003, "Learning rate.", {0, 100});
    f(how.label_smoothing, "label-smoothing", deep ? 0.1 : 0, "Of 1vsall and kvsall.", {0, 0.99});
    f(how.negatives, "negatives", 32, "Of negative sampling: drawn heads, and tails.", {1, 100000});
    f(how.margin, "margin", 9, "Of the losses margin and self-adversarial.", {0, 1000});
    f(how.regularization, "regularization", deep || distance || graph ? 0 : 0.05,
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
    how.optimizer = optimizer == "adam" ? knowledge::Optimizer::kAdam : knowledge::Optimizer::kAdagrad;
  }
  KnowledgeGraph read(const std::string& from) const {
    const std::vector<std::string> names = knowledge_graph_names();
    return std::ranges::find(names, from) != names.end()
               ? named_knowledge_graph(from)
               : read_knowledge_graph(from, static_cast<uint64_t>(seed));
  }
};

Results judged(const knowledge::Model& model, const KnowledgeGraph& graph,
               const std::vector<Triple>& triples) {
  const RankMetrics m = evaluate(model, graph, triples);
  return {{"mrr", m.mrr},         {"hits_at_1", m.hits_at_1}, {"hits_at_3", m.hits_at_3},
          {"hits_at_10", m.hits_at_10}, {"mr", m.mr},         {"amri", m.amri},
          {"triples", m.ranks / 2}};
}

void train(Run& run, const KnowledgeSettings& s) {
  const KnowledgeGraph graph = s.read(s.data);
  if (graph.test.empty()) throw Error(s.data + ": has too few triples to test on");
  const auto model = make_model(s.model, graph, s.options);
  run.say(fmt::format("{}: {} entities, {} relations, {} triples, {}, results in {}", s.data,
                      graph.n_entities(), graph.n_relations(), graph.train.size(), s.model,
                      run.folder()));
  std::vector<double> losses, valid, at;
  TrainingOptions how = s.how;
  const int64_t often = std::max<int64_t>(1, s.how.epochs / 10);
  how.on_epoch = [&](int64_t epoch, double loss) {
    losses.push_back(loss);
    if (epoch % often == 0 && !graph.valid.empty()) {
      model->eval();
      valid.push_back(evaluate(*model, graph, graph.valid).mrr);
      model->train();
      at.push_back(static_cast<double>(epoch));
      run.say(fmt::format("epoch {}/{}: loss {:.4g}, valid mrr {:.4f}", epoch, s.how.epochs, loss,
                          valid.back()));
    }
    return !run.interrupted();
  };
  knowledge::train(*model, graph, how);
  if (run.interrupted()) throw Interrupted("stopped; nothing is saved");
  std::vector<double> triples;  // known ones, so that answers can say which are
  for (const auto* part : {&graph.train, &graph.valid, &graph.test})
    for (const Triple& t : *part)
      for (const int32_t i : {t.head, t.relation, t.tail}) triples.push_back(i);
  StateDict weights;
  io::append(weights, "model.", model->state_dict());
  weights.emplace_back("triples", from_vector(std::vector<int32_t>(triples.begin(), triples.end()),
                                              {static_cast<int64_t>(triples.size()) / 3, 3}));
  weights.emplace_back("train", tensor({static_cast<int64_t>(graph.train.size())}));
  run.save(weights, {{"entities", graph.entities}, {"relations", graph.relations}});
  report::Report page{.title = fmt::format("{} on {}", s.model,
                                           std::filesystem::path(s.data).filename().string()),
                      .subtitle = fmt::format("{}, {}, {}; by {}", s.training, s.loss, s.optimizer, version()),
                      .sections = {{"Loss", report::Curves{{{"loss", losses}}, {"epoch"}, {"loss"}}}}};
  if (!valid.empty())
    page.sections.push_back({"MRR", report::Curves{{{"valid", valid, at}}, {"epoch"}, {"MRR"}}});
  report::Table table{{{"head"}, {"relation"}, {"answers"}, {"right"}}, {}};
  for (size_t k = 0; k < graph.test.size() && k < 12; ++k) {
    const Triple& t = graph.test[k];
    std::string said;
    for (const Answer& a : answer_tail(*model, graph, t.head, t.relation, 3))
      said += (said.empty() ? "" : ", ") + graph.entities[static_cast<size_t>(a.entity)];
    table.rows.push_back({graph.entities[static_cast<size_t>(t.head)],
                          graph.relations[static_cast<size_t>(t.relation)], said,
                          graph.entities[static_cast<size_t>(t.tail)]});
  }
  page.sections.push_back({"Answers", table, "Of the test.", true});
  run.finish(page, judged(*model, graph, graph.test));
}

// Of "(a, b, c)", the brackets may be missing, the three; of a text with tabs what is between them.
std::vector<std::string> parts_of(std::string text) {
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
  return parts;
}

class Answers : public Predictor {
 public:
  Answers(const Saved& saved, const KnowledgeSettings& s) : settings_(s) {
    graph_.entities = saved.texts("entities");
    graph_.relations = saved.texts("relations");
    std::vector<int32_t> numbers;
    int64_t train = 0;
    for (const auto& [name, value] : saved.weights) {
      if (name == "triples") numbers = value.to_vector<int32_t>();
      if (name == "train") train = value.item<int64_t>();
    }
    if (numbers.empty() || numbers.size() % 3 != 0 || train < 1 ||
        train > static_cast<int64_t>(numbers.size()) / 3)
      throw IoError(saved.path + ": what it says of its triples does not fit together");
    for (size_t k = 0; k < numbers.size(); k += 3) {
      const Triple t{numbers[k], numbers[k + 1], numbers[k + 2]};
      for (const int32_t e : {t.head, t.tail})
        if (e < 0 || e >= graph_.n_entities()) throw IoError(saved.path + ": has a wrong entity");
      if (t.relation < 0 || t.relation >= graph_.n_relations())
        throw IoError(saved.path + ": has a wrong relation");
      (static_cast<int64_t>(k) / 3 < train ? graph_.train : graph_.test).push_back(t);
    }
    model_ = make_model(s.model, graph_, s.options);
    model_->load_state_dict(io::with_prefix(saved.weights, "model."));
    model_->eval();
  }

 protected:
  // "(head, relation, ?)"
  Results answer(const Input& input) const override {
    const auto* text = std::get_if<std::string>(&input);
    const std::vector<std::string> parts = parts_of(text ? *text : "");
    if (parts.size() != 3 || (parts[0] == "?") == (parts[2] == "?"))
      throw ValueError("a question is \"(HEAD, RELATION, ?)\" or \"(?, RELATION, TAIL)\"");
    const int64_t count = top > 0 ? top : settings_.top;
    const int32_t relation = graph_.relation(parts[1]);
    const std::vector<Answer> found =
        parts[2] == "?" ? answer_tail(*model_, graph_, graph_.entity(parts[0]), relation, count)
                        : answer_head(*model_, graph_, relation, graph_.entity(parts[2]), count);
    report::Table table{{{"entity"}, {"score"}, {"known"}}, {}};
    for (const Answer& a : found)
      table.rows.push_back(
          {graph_.entities[static_cast<size_t>(a.entity)], a.score, a.known ? "yes" : ""});
    return {{"entity", graph_.entities[static_cast<size_t>(found.at(0).entity)]},
            {"entities", table}};
  }
  Results score(const Evaluation& what) const override {
    const KnowledgeGraph graph = settings_.read(what.data.empty() ? settings_.data : what.data);
    if (graph.entities != graph_.entities || graph.relations != graph_.relations)
      throw ValueError("the data have other entities or relations than the model");
    return judged(*model_, graph, what.split == "train" ? graph.train : graph.test);
  }

 private:
  const KnowledgeSettings settings_;
  KnowledgeGraph graph_;
  std::unique_ptr<knowledge::Model> model_;
};

const Register<KnowledgeSettings> knowledge_graph({
    .name = "knowledge-graph",
    .task = "knowledge-graph",
    .description = "What is true besides of what a knowledge graph says.",
    .run_name =
        [](const KnowledgeSettings& s) {
          return fmt::format("knowledge-graph-{}-{}", std::filesystem::path(s.data).stem().string(),
                             s.model);
        },
    .references = [](const KnowledgeSettings& s) -> std::vector<Reference> {
      const std::pair<const char*, double> conve[] = {{"umls", 0.94}, {"kinship", 0.83}, {"nations", 0.82}};
      const std::pair<const char*, double> wn18rr[] = {{"complex", 0.475}, {"distmult", 0.452},
                                                       {"rescal", 0.467},  {"conve", 0.442},
                                                       {"transe", 0.228},  {"rotate", 0.476}};
      for (const auto& [name, value] : conve)
        if (s.data == name) return {{"mrr", value, "ConvE, README of Dettmers et al."}};
      for (const auto& [name, value] : wn18rr)
        if (s.data == "wn18rr" && s.model == name)
          return {{"mrr", value, s.model == "rotate" ? "Sun et al. 2019" : "LibKGE, Ruffinelli et al. 2020"}};
      if (s.data == "codex-s" && s.model == "complex")
        return {{"mrr", 0.465, "Safavi & Koutra 2020"}};
      return {};
    },
    .train = train,
    .load = make_predictor<Answers, KnowledgeSettings>,
    .input = "QUESTION",
    .input_help = "\"(HEAD, RELATION, ?)\" or \"(?, RELATION, TAIL)\".",
    .predict_help = "Prints the likeliest entities, and which of them the graph has already.",
    .evaluate_help = "Prints ranks of the right answers among all that are not known.",
    .resumes = false,
    .ranks = true,
});

}  // namespace
}  // namespace glia::recipes
