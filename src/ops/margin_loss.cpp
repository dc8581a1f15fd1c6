// Losses that ask for a margin, of scores and of embeddings.
#include <cmath>

#include "glia/ops/loss.h"
#include "glia/ops/normalize.h"
#include "ops/loss.h"

namespace glia {
namespace {

// max(x, 0), of slope 1 at 0.
Tensor positive_part(const Tensor& x) { return clamp(x, 0, INFINITY); }

// `losses` where the target says so, 0 elsewhere.
Tensor where_target_is(const Tensor& target, double value, const Tensor& losses) {
  return where(target == value, losses, 0);
}

void require_vectors(const char* op, const Tensor& x, const Tensor& other, const Where& where) {
  if (x.rank() == 0 || x.shape() != other.shape())
    fail(op,
         "operands " + x.shape().str() + " and " + other.shape().str() + " are not (..., D) alike",
         where);
}
void require_rows(const char* op, const Tensor& x, const Tensor& target, const Where& where) {
  Shape rows = x.shape();
  rows.erase(rows.rank() - 1);
  if (target.shape() != rows)
    fail(op,
         "for vectors " + x.shape().str() + " the target must be " + rows.str() + ", not " +
             target.shape().str(),
         where);
}

Tensor triplet(const char* op, const Wide& w, const DistanceFunction& distance,
               const TripletDistanceOptions& options, const Where& where) {
  const Tensor &anchor = w.x[0], &positive = w.x[1], &negative = w.x[2];
  if (!(options.margin > 0))
    fail(op, "the margin " + std::to_string(options.margin) + " is not above 0", where);
  const Tensor near = distance(anchor, positive);
  Tensor far = distance(anchor, negative);
  if (options.swap) far = minimum(far, distance(positive, negative));
  return w.loss(positive_part(Operand(near, where) - far + options.margin), options.reduction,
                where);
}

}  // namespace

Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, double margin,
                            Reduction reduction, Where where) {
  const Compared c("hinge_embedding_loss", x, target, where);
  // A target that is neither counts as both.
  const Tensor far = glia::where(c.target == 1, 0, positive_part(margin - c.x));
  return c.loss(far + glia::where(c.target == -1, 0, c.x), reduction, where);
}

Tensor soft_margin_loss(const Tensor& x, const Tensor& target, Reduction reduction, Where where) {
  const Compared c("soft_margin_loss", x, target, where);
  return c.loss(softplus(-c.target * c.x), reduction, where);
}

Tensor margin_ranking_loss(const Tensor& x1, const Tensor& x2, const Tensor& target, double margin,
                           Reduction reduction, Where where) {
  const Wide w("margin_ranking_loss", {x1, x2, target}, where);
  const Tensor wrong = -w.x[2] * (Operand(w.x[0], where) - w.x[1]);
  return w.loss(positive_part(wrong + margin), reduction, where);
}

Tensor multi_margin_loss(const Tensor& x, const Tensor& target, const MultiMarginOptions& options,
                         Where where) {
  const char* op = "multi_margin_loss";
  const Tensor t = with_classes(op, x, target, where);
  if (options.p != 1 && options.p != 2)
    fail(op, "p is " + std::to_string(options.p) + ", neither 1 nor 2", where);
  check_target(op, t, target, where);
  const Tensor weight = class_weight(op, options.weight, t, where);
  const Classes classes(t, target, weight, host_scalar_i64(INT64_MIN), where);
  const Tensor above = relu(options.margin - classes.picked(t) + t);
  const Tensor each = glia::where(classes.hit, 0, options.p == 2 ? square(above) : above);
  const Tensor rows = classes.shared(mean(each, {-1}, true, where));
  return cast(reduced(squeeze(rows, -1), options.reduction, where),
              as_full_float(op, x, where).dtype());
}

Tensor multilabel_margin_loss(const Tensor& x, const Tensor& target, Reduction reduction,
                              Where where) {
  const char* op = "multilabel_margin_loss";
  const Tensor t = with_classes(op, x, target, where);
  if (!is_integer(target.dtype()) || target.shape() != t.shape())
    fail(op,
         "for input " + t.shape().str() + " the target must be class indices of that shape, not " +
             name(target.dtype()) + " " + target.shape().str(),
         where);
  const int64_t count = t.size(-1);
  const Tensor listed = cumprod(cast(target >= 0, kI64), t.rank() - 1, where) != 0;
  const Tensor given = glia::where(listed, cast(target, kI64), -1);
  const Tensor column =
      unsqueeze(checked_classes(given, count, host_scalar_i64(-1), where), -1, where);
  const Tensor hit = column == arange(count, kI32);  // (..., j, i)
  const Tensor there = any(hit, {-2}, true, where);
  const Tensor row = unsqueeze(t, -2, where);
  const Tensor score = sum(glia::where(hit, row, 0), {-1}, true, where);
  const Tensor each = glia::where((column >= 0) & ~there, relu(1 - score + row), 0);
  const Tensor rows = sum(each, {-2, -1}, false, where) / static_cast<double>(count);
  return cast(reduced(rows, reduction, where), as_full_float(op, x, where).dtype());
}

Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target,
                                   const WeightedLossOptions& options, Where where) {
  const char* op = "multilabel_soft_margin_loss";
  const Compared c(op, x, target, where);
  if (c.x.rank() == 0) fail(op, "the input has no class axis", where);
  const Tensor losses = binary_cross_entropy_with_logits(
      c.x, c.target,
      {.reduction = Reduction::kNone,
       .weight = broadcast_factor(op, "weight", options.weight, c.x, where)},
      where);
  return c.loss(mean(losses, {-1}, false, where), options.reduction, where);
}

Tensor cosine_embedding_loss(const Tensor& x1, const Tensor& x2, const Tensor& target,
                             double margin, Reduction reduction, Where where) {
  const char* op = "cosine_embedding_loss";
  const Wide w(op, {x1, x2, target}, where);
  const Tensor &a = w.x[0], &b = w.x[1], &t = w.x[2];
  require_vectors(op, a, b, where);
  require_rows(op, a, t, where);
  constexpr double kEps = 1e-12;  // so that vectors of zeros have an angle
  const auto dot = [&](const Tensor& u, const Tensor& v) { return sum(u * v, {-1}, false, where); };
  const Tensor cosine = dot(a, b) * rsqrt((dot(a, a) + kEps) * (dot(b, b) + kEps));
  return w.loss(
      where_target_is(t, 1, 1 - cosine) + where_target_is(t, -1, positive_part(cosine - margin)),
      reduction, where);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletMarginOptions& options, Where where) {
  const auto distance = [&](const Tensor& a, const Tensor& b) {
    return pairwise_distance(a, b, options.p, options.eps, false, where);
  };
  const Wide w("triplet_margin_loss", {anchor, positive, negative}, where);
  return triplet("triplet_margin_loss", w, distance,
                 {options.margin, options.swap, options.reduction}, where);
}

Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive,
                                         const Tensor& negative,
                                         const DistanceFunction& distance_function,
                                         const TripletDistanceOptions& options, Where where) {
  const auto euclid = [&](const Tensor& a, const Tensor& b) {
    return pairwise_distance(a, b, 2, 1e-6, false, where);
  };
  const char* op = "triplet_margin_with_distance_loss";
  return triplet(op, Wide(op, {anchor, positive, negative}, where),
                 distance_function ? distance_function : euclid, options, where);
}

Tensor contrastive_loss(const Tensor& x1, const Tensor& x2, const Tensor& target, double margin,
                        Reduction reduction, Where where) {
  const char* op = "contrastive_loss";
  const Wide w(op, {x1, x2, target}, where);
  require_vectors(op, w.x[0], w.x[1], where);
  require_rows(op, w.x[0], w.x[2], where);
  const Tensor d = pairwise_distance(w.x[0], w.x[1], 2, 0, false, where);
  const Tensor apart = square(positive_part(margin - d));
  return w.loss(0.5 * (w.x[2] * square(d) + (1 - w.x[2]) * apart), reduction, where);
}

namespace {
void require_temperature(const char* op, double temperature, const Where& where) {
  if (!(temperature > 0))
    fail(op, "the temperature " + std::to_string(temperature) + " is not above 0", where);
}
void require_matrices(const char* op, const Tensor& x, const Tensor& other, const Where& where) {
  if (x.rank() != 2 || x.shape() != other.shape())
    fail(op, "needs two (N, D), not " + x.shape().str() + " and " + other.shape().str(), where);
}
}  // namespace

Tensor info_nce_loss(const Tensor& query, const Tensor& positive, const Tensor& negatives,
                     const InfoNCEOptions& options, Where where) {
  const char* op = "info_nce_loss";
  require_temperature(op, options.temperature, where);
  const Wide w(op, {query, positive}, where);
  require_matrices(op, w.x[0], w.x[1], where);
  const Tensor q = normalize(w.x[0], 2, -1, 1e-12, where),
               k = normalize(w.x[1], 2, -1, 1e-12, where);
  Tensor logits, target;
  if (negatives.defined()) {
    const Tensor rest = cast(as_full_float(op, negatives, where), q.dtype());
    if (rest.rank() != 2 || rest.size(1) != q.size(1))
      fail(op,
           "negatives " + rest.shape().str() + " are not (M, " + std::to_string(q.size(1)) + ")",
           where);
    const Tensor others = matmul(q, transpose(normalize(rest, 2, -1, 1e-12, where)), where);
    logits = concat({sum(q * k, {1}, true, where), others}, 1, where);
    target = zeros({q.size(0)}, kI64);
  } else {
    logits = matmul(q, transpose(k), where);
    target = arange(q.size(0));
  }
  return cast(
      cross_entropy(logits / options.temperature, target, {.reduction = options.reduction}, where),
      w.dtype);
}

Tensor nt_xent_loss(const Tensor& view1, const Tensor& view2, const InfoNCEOptions& options,
                    Where where) {
  const char* op = "nt_xent_loss";
  require_temperature(op, options.temperature, where);
  const Wide w(op, {view1, view2}, where);
  require_matrices(op, w.x[0], w.x[1], where);
  const int64_t n = w.x[0].size(0);
  const Tensor z = normalize(concat({w.x[0], w.x[1]}, 0, where), 2, -1, 1e-12, where);
  const Tensor own = unsqueeze(arange(2 * n), 1) == arange(2 * n);
  const Tensor logits =
      glia::where(own, -INFINITY, matmul(z, transpose(z), where) / options.temperature);
  const Tensor target = concat({arange(n, 2 * n), arange(n)});
  return cast(cross_entropy(logits, target, {.reduction = options.reduction}, where), w.dtype);
}

}  // namespace glia
