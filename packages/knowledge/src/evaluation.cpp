#include <algorithm>
#include <cmath>

#include "glia/knowledge/training.h"
#include "glia/ops.h"
#include "glia/parallel.h"

namespace glia::knowledge {
namespace {

// The rank of `right` among scores, without the other known answers; and of how many.
struct Rank {
  double rank, candidates;
};
Rank rank_of(const float* scores, int64_t entities, int32_t right,
             const std::vector<int32_t>* known) {
  const float own = scores[right];
  int64_t above = 0, equal = 0, out = 0;
  for (int64_t e = 0; e < entities; ++e) {
    above += scores[e] > own;
    equal += scores[e] == own;
  }
  if (known)
    for (const int32_t e : *known) {
      if (e == right) continue;
      above -= scores[e] > own;
      equal -= scores[e] == own;
      ++out;
    }
  if (std::isnan(own))
    return {static_cast<double>(entities - out), static_cast<double>(entities - out)};
  return {1 + static_cast<double>(above) + static_cast<double>(equal - 1) / 2,
          static_cast<double>(entities - out)};
}

std::vector<Answer> best(const Tensor& scores, const std::vector<int32_t>& known, int64_t count,
                         bool with_known) {
  if (count < 1) throw ValueError("there is no count of answers");
  const std::vector<float> all = scores.to_vector<float>();
  std::vector<int32_t> order;
  for (size_t e = 0; e < all.size(); ++e)
    if (!std::isnan(all[e]) &&
        (with_known || !std::ranges::binary_search(known, static_cast<int32_t>(e))))
      order.push_back(static_cast<int32_t>(e));
  const auto first = std::min<int64_t>(count, static_cast<int64_t>(order.size()));
  std::partial_sort(order.begin(), order.begin() + first, order.end(), [&](int32_t a, int32_t b) {
    const float x = all[static_cast<size_t>(a)], y = all[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  });
  std::vector<Answer> out;
  for (int64_t k = 0; k < first; ++k) {
    const int32_t e = order[static_cast<size_t>(k)];
    out.push_back({e, static_cast<double>(all[static_cast<size_t>(e)]),
                   std::ranges::binary_search(known, e)});
  }
  return out;
}

void require(const Model& model, const Triple& t) {
  const auto in = [](int32_t i, int64_t n) { return i >= 0 && i < n; };
  if (!in(t.head, model.n_entities()) || !in(t.tail, model.n_entities()) ||
      !in(t.relation, model.n_relations()))
    throw ValueError("a triple has an entity or a relation that the model has not");
}

}  // namespace

RankMetrics evaluate(const Model& model, const KnowledgeGraph& graph) {
  return evaluate(model, graph, graph.test);
}

RankMetrics evaluate(const Model& model, const KnowledgeGraph& graph,
                     const std::vector<Triple>& triples, const EvaluationOptions& options) {
  if (triples.empty()) throw ValueError("there are no triples to test on");
  if (options.batch_size < 1) throw ValueError("EvaluationOptions: batch_size is not positive");
  for (const Triple& t : triples) require(model, t);
  const NoGrad none;
  const Known known(graph);
  const int64_t entities = model.n_entities(), count = static_cast<int64_t>(triples.size());
  std::vector<Rank> ranks(triples.size() * 2);
  for (int64_t at = 0; at < count; at += options.batch_size) {
    const int64_t n = std::min(options.batch_size, count - at);
    const TripleTensors x = to_tensors({triples.begin() + at, triples.begin() + at + n});
    for (const bool head : {false, true}) {
      const Tensor scores =
          cast(head ? model.score_heads(x.relation, x.tail) : model.score_tails(x.head, x.relation),
               kF32);
      const float* values = scores.data<float>().data();
      parallel_for(n, [&](int64_t k) {
        const Triple& t = triples[static_cast<size_t>(at + k)];
        const std::vector<int32_t>* others = nullptr;
        if (options.filtered)
          others = head ? &known.heads(t.relation, t.tail) : &known.tails(t.head, t.relation);
        ranks[static_cast<size_t>(2 * (at + k) + head)] =
            rank_of(values + k * entities, entities, head ? t.head : t.tail, others);
      });
    }
  }
  RankMetrics out;
  out.ranks = 2 * count;
  double expected = 0;
  const auto m = static_cast<double>(out.ranks);
  for (const Rank& r : ranks) {
    out.mr += r.rank / m;
    out.mrr += 1 / r.rank / m;
    out.hits_at_1 += (r.rank <= 1) / m;
    out.hits_at_3 += (r.rank <= 3) / m;
    out.hits_at_10 += (r.rank <= 10) / m;
    expected += (r.candidates + 1) / 2 / m;
  }
  out.amri = expected > 1 ? 1 - (out.mr - 1) / (expected - 1) : 0;
  return out;
}

std::vector<Answer> answer_tail(const Model& model, const KnowledgeGraph& graph, int32_t head,
                                int32_t relation, int64_t count, bool with_known) {
  require(model, {head, relation, 0});
  const NoGrad none;
  return best(model.score_tails(tensor({int64_t{head}}), tensor({int64_t{relation}})),
              Known(graph).tails(head, relation), count, with_known);
}

std::vector<Answer> answer_head(const Model& model, const KnowledgeGraph& graph, int32_t relation,
                                int32_t tail, int64_t count, bool with_known) {
  require(model, {0, relation, tail});
  const NoGrad none;
  return best(model.score_heads(tensor({int64_t{relation}}), tensor({int64_t{tail}})),
              Known(graph).heads(relation, tail), count, with_known);
}

}  // namespace glia::knowledge
