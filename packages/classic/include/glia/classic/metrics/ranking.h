// Metrics of an order: y_score (N, items) ranks the items of each sample, the highest first.
#pragma once

#include <cstdint>
#include <optional>

#include "glia/tensor.h"

namespace glia::classic {

struct GainOptions {
  std::optional<int64_t> k = {};  // of the first k alone
  double log_base = 2;            // of dcg_score's discount
  Tensor sample_weight = {};
  bool ignore_ties = false;  // takes equal scores as they come, not their mean
};
// The discounted cumulative gain of relevances y_true (N, items), the mean over samples (Järvelin,
// Kekäläinen 2002); and its share of the best one (which is 0 for samples without relevance; throws
// ValueError for a negative one).
double dcg_score(const Tensor& y_true, const Tensor& y_score, const GainOptions& options = {},
                 Where where = Where::current());
double ndcg_score(const Tensor& y_true, const Tensor& y_score, const GainOptions& options = {},
                  Where where = Where::current());

// Of labels y_true (N, L) of 0 and 1 (Tsoumakas et al. 2010): how far down the list one must go for
// all true ones,
double coverage_error(const Tensor& y_true, const Tensor& y_score, const Tensor& sample_weight = {},
                      Where where = Where::current());
// the mean share of true ones among those above each true one,
double label_ranking_average_precision_score(const Tensor& y_true, const Tensor& y_score,
                                             const Tensor& sample_weight = {},
                                             Where where = Where::current());
// and the share of pairs in the wrong order.
double label_ranking_loss(const Tensor& y_true, const Tensor& y_score,
                          const Tensor& sample_weight = {}, Where where = Where::current());

}  // namespace glia::classic
