// Training and judging embeddings of knowledge graphs.
//
//   const auto graph = knowledge::named_knowledge_graph("umls");
//   auto model = knowledge::make_model("complex", graph, {.dim = 100, .reciprocal = true});
//   knowledge::train(*model, graph, {.epochs = 100});
//   const double mrr = knowledge::evaluate(*model, graph).mrr;
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "glia/knowledge/models.h"

namespace glia::knowledge {

enum class Training {
  kNegativeSampling,  // each triple against others with a head or a tail that is drawn
  k1vsAll,            // each triple against all with another tail, and with another head
  kKvsAll,            // all answers of a question at once (Dettmers et al. 2018)
};
enum class Loss {
  kCrossEntropy,     // the softmax over what is compared
  kBCE,              // each by itself
  kMargin,           // max(0, margin + wrong - right), of negative sampling
  kSelfAdversarial,  // log sigmoid, wrong ones weighted by their softmax (Sun et al. 2019)
};
enum class Optimizer { kAdam, kAdagrad };

struct TrainingOptions {
  Training training = Training::kKvsAll;
  Loss loss = Loss::kBCE;
  Optimizer optimizer = Optimizer::kAdam;
  int64_t epochs = 100, batch_size = 128;
  double lr = 0.003, lr_decay = 1;  // the rate's factor after each epoch
  double label_smoothing = 0;       // of 1vsAll and KvsAll
  int64_t negatives = 32;           // of negative sampling, for heads and tails each
  double margin = 9;                // also that within the sigmoid of the self-adversarial loss
  double adversarial_temperature = 1;
  // weight times the mean over triples of the sum of the factors' sizes to the power p: N3
  // (Lacroix et al. 2018).
  double regularization = 0;
  double regularization_p = 3;
  uint64_t seed = 0;
  // Called after each epoch with its number from 1 and the mean loss; training ends where it
  // returns false.
  std::function<bool(int64_t epoch, double loss)> on_epoch = {};
};
// Leaves the model in evaluation mode. Throws ValueError for options out of range, a graph without
// training triples, a loss that does not go with the training, and one that is not finite.
void train(Model& model, const KnowledgeGraph& graph, const TrainingOptions& options = {});

// Ranks of the right answer among all that are not known to be right (filtered), for heads and
// tails alike. Among equal scores its rank is the mean of the best and the worst (realistic).
struct RankMetrics {
  double mr = 0, mrr = 0, hits_at_1 = 0, hits_at_3 = 0, hits_at_10 = 0;
  double amri = 0;  // 1 - (mr - 1) / (expected mr - 1): 0 is chance (Berrendorf et al. 2020)
  int64_t ranks = 0;
};
struct EvaluationOptions {
  bool filtered = true;
  int64_t batch_size = 256;
};
// Of these triples, or those of the test. Throws ValueError without any.
RankMetrics evaluate(const Model& model, const KnowledgeGraph& graph);
RankMetrics evaluate(const Model& model, const KnowledgeGraph& graph,
                     const std::vector<Triple>& triples, const EvaluationOptions& options = {});

// Of a question the best answers: entities and their scores.
struct Answer {
  int32_t entity = 0;
  double score = 0;
  bool known = false;  // the triple is in the graph
};
std::vector<Answer> answer_tail(const Model& model, const KnowledgeGraph& graph, int32_t head,
                                int32_t relation, int64_t count = 10, bool with_known = true);
std::vector<Answer> answer_head(const Model& model, const KnowledgeGraph& graph, int32_t relation,
                                int32_t tail, int64_t count = 10, bool with_known = true);

}  // namespace glia::knowledge
