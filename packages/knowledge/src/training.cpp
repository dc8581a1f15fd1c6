#include "glia/knowledge/training.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "glia/autodiff.h"
#include "glia/data.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"

namespace glia::knowledge {
namespace {

// "(entity, relation, ?)", or of a model without reciprocal relations "(?, relation, entity)".
struct Question {
  int32_t entity, relation;
  bool for_head;
  std::vector<int32_t> answers;
};

std::vector<Question> questions_of(const Model& model, const KnowledgeGraph& graph, bool each) {
  std::vector<Question> out;
  const auto back = static_cast<int32_t>(model.n_relations());
  for (const Triple& t : graph.train) {
    out.push_back({t.head, t.relation, false, {t.tail}});
    out.push_back(model.reciprocal() ? Question{t.tail, t.relation + back, false, {t.head}}
                                     : Question{t.tail, t.relation, true, {t.head}});
  }
  if (each) return out;
  const auto key = [](const Question& q) { return std::tuple(q.for_head, q.entity, q.relation); };
  std::ranges::stable_sort(out, {}, key);
  std::vector<Question> merged;
  for (Question& q : out)
    if (!merged.empty() && key(merged.back()) == key(q))
      merged.back().answers.push_back(q.answers[0]);
    else
      merged.push_back(std::move(q));
  return merged;
}

using Order = std::vector<int64_t>;
void shuffle(Order& order, data::Random& random) {
  for (int64_t i = static_cast<int64_t>(order.size()) - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.below(i + 1))]);
}

struct Trainer {
  Model& model;
  const KnowledgeGraph& graph;
  const TrainingOptions& o;

  // What keeps factors small, of triples.
  Tensor penalty(const Tensor& h, const Tensor& r, const Tensor& t) const {
    Tensor out;
    for (const Tensor& f : model.factors(h, r, t)) {
      const Tensor one = sum(o.regularization_p == 2   ? square(f)
                             : o.regularization_p == 3 ? f * f * f
                                                       : pow(f, o.regularization_p));
      out = out.defined() ? out + one : one;
    }
    return o.regularization / static_cast<double>(h.size(0)) * out;
  }

  // Against all entities.
  Tensor loss(std::span<const Question* const> batch, data::Random& random) const {
    const auto n = static_cast<int64_t>(batch.size()), all = model.n_entities();
    std::vector<int64_t> entities, relations, one;
    for (const Question* q : batch) {
      entities.push_back(q->entity);
      relations.push_back(q->relation);
      one.push_back(
          q->answers[static_cast<size_t>(random.below(static_cast<int64_t>(q->answers.size())))]);
    }
    const Tensor e = from_vector(entities, {n}), r = from_vector(relations, {n}),
                 a = from_vector(one, {n});
    const bool head = batch[0]->for_head;
    const Tensor scores = head ? model.score_heads(r, e) : model.score_tails(e, r);
    Tensor out;
    if (o.training == Training::k1vsAll && o.loss == Loss::kCrossEntropy) {
      out = cross_entropy(scores, a, {.label_smoothing = o.label_smoothing});
    } else {
      std::vector<float> labels(static_cast<size_t>(n * all), 0.0f);
      const bool shares = o.loss == Loss::kCrossEntropy;
      for (size_t k = 0; k < batch.size(); ++k)
        for (const int32_t answer : batch[k]->answers)
          labels[k * static_cast<size_t>(all) + static_cast<size_t>(answer)] =
              shares ? 1 / static_cast<float>(batch[k]->answers.size()) : 1.0f;
      Tensor y = from_vector(labels, {n, all});
      if (o.label_smoothing > 0)
        y = (1 - o.label_smoothing) * y + o.label_smoothing / static_cast<double>(all);
      out = shares ? cross_entropy(scores, y) : binary_cross_entropy_with_logits(scores, y);
    }
    if (o.regularization > 0) out = out + (head ? penalty(a, r, e) : penalty(e, r, a));
    return out;
  }

  // Of right scores (N, 1) and wrong ones (N, K).
  Tensor compared(const Tensor& right, const Tensor& wrong) const {
    switch (o.loss) {
      case Loss::kCrossEntropy:
        return cross_entropy(concat({right, wrong}, 1), zeros({right.size(0)}, kI64));
      case Loss::kBCE:
        return 0.5 * (mean(softplus(-right)) + mean(softplus(wrong)));
      case Loss::kMargin:
        return mean(relu(o.margin + wrong - right));
      case Loss::kSelfAdversarial: {
        const Tensor weights = stop_gradient(softmax(o.adversarial_temperature * wrong, 1));
        return -0.5 * (mean(log_sigmoid(o.margin + right)) +
                       mean(sum(weights * log_sigmoid(-o.margin - wrong), {1})));
      }
    }
    return {};
  }
  Tensor sampled_loss(const std::vector<Triple>& batch, data::Random& random) const {
    const TripleTensors x = to_tensors(batch);
    const auto n = static_cast<int64_t>(batch.size());
    std::array<Tensor, 2> drawn;
    for (Tensor& one : drawn) {
      std::vector<int64_t> entities(static_cast<size_t>(n * o.negatives));
      for (int64_t& e : entities) e = random.below(model.n_entities());
      one = from_vector(entities, {n, o.negatives});
    }
    const Tensor h = unsqueeze(x.head, 1), r = unsqueeze(x.relation, 1), t = unsqueeze(x.tail, 1);
    const Tensor right = model.score(h, r, t);
    Tensor out = compared(right, model.score(h, r, drawn[0]));
    if (model.reciprocal()) {
      const Tensor back = r + model.n_relations();
      out = out + compared(model.score(t, back, h), model.score(t, back, drawn[1]));
    } else {
      out = out + compared(right, model.score(drawn[1], r, t));
    }
    if (o.regularization > 0) out = out + penalty(x.head, x.relation, x.tail);
    return 0.5 * out;
  }
};

void check(const TrainingOptions& o, const KnowledgeGraph& graph) {
  if (o.epochs < 0 || o.batch_size < 1 || !(o.lr >= 0) || !(o.lr_decay > 0) ||
      !(o.label_smoothing >= 0 && o.label_smoothing < 1) || o.negatives < 1 ||
      !(o.regularization >= 0))
    throw ValueError("TrainingOptions: an option is out of range");
  if (o.training != Training::kNegativeSampling &&
      (o.loss == Loss::kMargin || o.loss == Loss::kSelfAdversarial))
    throw ValueError("TrainingOptions: that loss is one of negative sampling");
  if (graph.train.empty()) throw ValueError("there are no triples to learn from");
}

}  // namespace

void train(Model& model, const KnowledgeGraph& graph, const TrainingOptions& o) {
  check(o, graph);
  const RandomState before = random_state();
  manual_seed(o.seed + 1);
  const ParameterList parameters = model.parameters();
  std::unique_ptr<optim::Optimizer> optimizer;
  if (o.optimizer == Optimizer::kAdam)
    optimizer = std::make_unique<optim::Adam>(parameters, optim::AdamOptions{.lr = o.lr});
  else
    optimizer = std::make_unique<optim::Adagrad>(parameters, optim::AdagradOptions{.lr = o.lr});
  model.train();
  const Trainer trainer{model, graph, o};
  const bool sampled = o.training == Training::kNegativeSampling;
  std::vector<Question> questions;
  std::array<Order, 2> orders;  // of questions for tails, and for heads
  if (sampled)
    for (size_t i = 0; i < graph.train.size(); ++i) orders[0].push_back(static_cast<int64_t>(i));
  else
    questions = questions_of(model, graph, o.training == Training::k1vsAll);
  for (size_t i = 0; i < questions.size(); ++i)
    orders[questions[i].for_head ? 1 : 0].push_back(static_cast<int64_t>(i));
  for (int64_t epoch = 1; epoch <= o.epochs; ++epoch) {
    data::Random random(o.seed, static_cast<uint64_t>(epoch));
    for (Order& order : orders) shuffle(order, random);
    double total = 0, count = 0;
    const auto steps = static_cast<int64_t>(std::max(orders[0].size(), orders[1].size()));
    for (int64_t at = 0; at < steps; at += o.batch_size)
      for (const Order& order : orders) {
        const int64_t stop = std::min(static_cast<int64_t>(order.size()), at + o.batch_size);
        if (at >= stop) continue;
        Tensor loss;
        if (sampled) {
          std::vector<Triple> batch;
          for (int64_t k = at; k < stop; ++k)
            batch.push_back(graph.train[static_cast<size_t>(order[static_cast<size_t>(k)])]);
          loss = trainer.sampled_loss(batch, random);
        } else {
          std::vector<const Question*> batch;
          for (int64_t k = at; k < stop; ++k)
            batch.push_back(&questions[static_cast<size_t>(order[static_cast<size_t>(k)])]);
          loss = trainer.loss(batch, random);
        }
        optimizer->step(gradients(loss, parameters));
        const double seen = loss.item();
        if (!std::isfinite(seen)) {
          set_random_state(before);
          throw ValueError("the loss is not finite in epoch " + std::to_string(epoch) +
                           ": a smaller lr may help");
        }
        total += seen * static_cast<double>(stop - at);
        count += static_cast<double>(stop - at);
      }
    optimizer->set_lr(optimizer->lr() * o.lr_decay);
    if (o.on_epoch && !o.on_epoch(epoch, total / count)) break;
  }
  model.eval();
  set_random_state(before);
}

}  // namespace glia::knowledge
