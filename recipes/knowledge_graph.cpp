// What is true besides of what a knowledge graph says: triples foretold.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "glia/glia.h"
#include "glia/recipes/run.h"
#include "recipes/src/knowledge.h"

namespace glia::recipes {
namespace {

using namespace knowledge;

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
  StateDict weights;
  io::append(weights, "model.", model->state_dict());
  append(weights, graph);
  run.save(weights, {{"entities", graph.entities}, {"relations", graph.relations}});
  report::Report page{
      .title = fmt::format("{} on {}", s.model, std::filesystem::path(s.data).filename().string()),
      .subtitle = fmt::format("{}, {}, {}; by {}", s.training, s.loss, s.optimizer, version()),
      .sections = {{"Loss", report::Curves{{{"loss", losses}}, {"epoch"}, {"loss"}}}}};
  if (!valid.empty())
    page.sections.push_back({"MRR", report::Curves{{{"valid", valid, at}}, {"epoch"}, {"MRR"}}});
  page.sections.push_back(answers_section(*model, graph));
  run.finish(page, judged(*model, graph, graph.test));
}

class Answers : public Predictor {
 public:
  Answers(const Saved& saved, const KnowledgeSettings& s)
      : settings_(s), graph_(graph_of(saved)), model_(make_model(s.model, graph_, s.options)) {
    model_->load_state_dict(io::with_prefix(saved.weights, "model."));
    model_->eval();
  }

 protected:
  // "(head, relation, ?)"
  Results answer(const Input& input) const override {
    const auto* text = std::get_if<std::string>(&input);
    const std::vector<std::string> parts = question_of(text ? *text : "");
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
  const KnowledgeGraph graph_;
  const std::unique_ptr<knowledge::Model> model_;
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
      const std::pair<const char*, double> conve[] = {
          {"umls", 0.94}, {"kinship", 0.83}, {"nations", 0.82}};
      const std::pair<const char*, double> wn18rr[] = {{"complex", 0.475}, {"distmult", 0.452},
                                                       {"rescal", 0.467},  {"conve", 0.442},
                                                       {"transe", 0.228},  {"rotate", 0.476}};
      for (const auto& [name, value] : conve)
        if (s.data == name) return {{"mrr", value, "ConvE, README of Dettmers et al."}};
      for (const auto& [name, value] : wn18rr)
        if (s.data == "wn18rr" && s.model == name)
          return {{"mrr", value,
                   s.model == "rotate" ? "Sun et al. 2019" : "LibKGE, Ruffinelli et al. 2020"}};
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
