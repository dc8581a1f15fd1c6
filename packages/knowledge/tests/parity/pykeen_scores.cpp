// Scores and ranks for pykeen_scores.py: reads a model's name, sizes, state and triples.
#include <cstdio>
#include <iostream>

#include "glia/glia.h"
#include "glia/knowledge/training.h"
using namespace glia;
using namespace glia::knowledge;

template <class T>
std::vector<T> numbers(int64_t count) {
  std::vector<T> out(static_cast<size_t>(count));
  for (T& x : out) std::cin >> x;
  return out;
}

// Each question has a relation of its own, whose row of a table has the scores of all entities.
class Given : public knowledge::Model {
 public:
  Given(int64_t entities, int64_t questions, const Tensor& tails, const Tensor& heads)
      : Model(entities, questions, {}), tails_(tails), heads_(heads) {}
  Tensor score(const Tensor& h, const Tensor&, const Tensor&) const override { return h; }
  Tensor score_tails(const Tensor&, const Tensor& r) const override { return take(tails_, r); }

 protected:
  Tensor score_all_heads(const Tensor& r, const Tensor&) const override { return take(heads_, r); }

 private:
  Tensor tails_, heads_;
};

void ranks() {
  int64_t entities, questions;
  std::cin >> entities >> questions;
  const auto head = numbers<int32_t>(questions), tail = numbers<int32_t>(questions);
  KnowledgeGraph graph;
  for (int32_t q = 0; q < questions; ++q)
    graph.test.push_back({head[static_cast<size_t>(q)], q, tail[static_cast<size_t>(q)]});
  Tensor tables[2];
  for (const bool of_heads : {false, true}) {
    tables[of_heads] = from_vector(numbers<float>(questions * entities), {questions, entities});
    const auto known = numbers<int>(questions * entities);
    for (int32_t q = 0; q < questions; ++q)
      for (int32_t e = 0; e < entities; ++e)
        if (known[static_cast<size_t>(q * entities + e)])
          graph.train.push_back(of_heads ? Triple{e, q, tail[static_cast<size_t>(q)]}
                                         : Triple{head[static_cast<size_t>(q)], q, e});
  }
  const RankMetrics m = evaluate(Given(entities, questions, tables[0], tables[1]), graph);
  for (const double x : {m.mr, m.mrr, m.hits_at_1, m.hits_at_3, m.hits_at_10, m.amri})
    std::cout << x << '\n';
}

int main() {
  std::cout.precision(17);
  std::string name;
  std::cin >> name;
  if (name == "ranks") {
    ranks();
    return 0;
  }
  int64_t entities, relations, dim, count, p, fields;
  std::cin >> entities >> relations >> dim >> count >> p >> fields;
  KnowledgeGraph graph;
  graph.entities.resize(static_cast<size_t>(entities));
  graph.relations.resize(static_cast<size_t>(relations));
  const auto model = make_model(
      name, graph, {.dim = dim, .reciprocal = name == "tucker" || name == "conve", .p = p});
  model->to(kF64);
  StateDict state;
  for (int64_t k = 0; k < fields; ++k) {
    std::string key;
    int64_t rank;
    std::cin >> key >> rank;
    const Shape shape(numbers<int64_t>(rank));
    state.emplace_back(key, from_vector(numbers<double>(shape.numel()), shape));
  }
  model->load_state_dict(state);
  model->eval();
  const auto index = [&] { return from_vector(numbers<int64_t>(count), {count}); };
  const Tensor h = index(), r = index(), t = index();
  for (const double x : model->score(h, r, t).to_vector<double>()) std::cout << x << '\n';
}
