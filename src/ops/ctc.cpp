// Connectionist temporal classification (Graves et al. 2006): sums over all paths by the forward
// and the backward recursion, in logarithms and f64.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "glia/ops/loss.h"
#include "ops/loss.h"

namespace glia {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

struct CtcAttributes {
  int64_t blank = 0;
  GLIA_ATTRIBUTES(blank)
};

// log(exp(a) + exp(b)), and of three.
double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return a == kNever ? a + b : a + std::log1p(std::exp(b - a));  // NaN stays
}
double log_add(double a, double b, double c) {
  if (a < b) std::swap(a, b);
  if (a < c) std::swap(a, c);
  return a == kNever ? a + b + c : a + std::log1p(std::exp(b - a) + std::exp(c - a));
}

// The inputs of both kernels: log-probabilities (N, T, C), labels (N, S), and their lengths (N),
// where N may be several axes.
struct Sequences {
  int64_t count, frames, classes, room, blank;
  const int64_t *labels, *frame_counts, *label_counts;

  explicit Sequences(const KernelCall& call)
      : count(call.in[2].numel()),
        frames(call.in[0].layout.shape.size(-2)),
        classes(call.in[0].layout.shape.size(-1)),
        room(call.in[1].layout.shape.size(-1)),
        blank(call.attributes<CtcAttributes>().blank),
        labels(call.in[1].as<const int64_t>()),
        frame_counts(call.in[2].as<const int64_t>()),
        label_counts(call.in[3].as<const int64_t>()) {}

  int64_t states() const { return 2 * room + 1; }

  void check() const {
    for (int64_t n = 0; n < count; ++n) {
      const auto within = [&](const char* what, int64_t length, int64_t most) {
        if (length < 0 || length > most)
          throw ValueError("ctc_loss: " + std::to_string(length) + " " + what + " in example " +
                           std::to_string(n) + ", where there are at most " + std::to_string(most));
      };
      within("frames", frame_counts[n], frames);
      within("labels", label_counts[n], room);
      for (int64_t i = 0; i < label_counts[n]; ++i) {
        const int64_t label = labels[n * room + i];
        if (label < 0 || label >= classes || label == blank)
          throw ValueError("ctc_loss: label " + std::to_string(label) + " at position " +
                           std::to_string(i) + " of example " + std::to_string(n) +
                           (label == blank
                                ? " is the blank"
                                : " is not one of " + std::to_string(classes) + " classes"));
      }
    }
  }
};

// One example. States are the labels with a blank before, between and behind them.
struct Sequence {
  int64_t frames, states;
  std::vector<int64_t> label;  // of each state
  std::vector<char> skips;     // whether a state may follow the one two before it

  Sequence(const Sequences& all, int64_t n)
      : frames(all.frame_counts[n]),
        states(2 * all.label_counts[n] + 1),
        label(static_cast<size_t>(states), all.blank),
        skips(static_cast<size_t>(states)) {
    for (int64_t s = 1; s < states; s += 2) {
      label[s] = all.labels[n * all.room + s / 2];
      skips[s] = s > 1 && label[s] != label[s - 2];
    }
  }
  // The states of frame t from which the last ones can be reached, and that can be reached.
  int64_t first(int64_t t) const { return std::max<int64_t>(0, states - 2 * (frames - t)); }
  int64_t end(int64_t t) const { return std::min(states, 2 * (t + 1)); }
};

// alpha[t][s]: the log-probability of all paths that are in state s at frame t. Gives that of all
// paths to the end.
template <class T>
double forward(const Sequence& q, const T* log_probs, int64_t classes, double* alpha,
               int64_t width) {
  if (q.frames == 0) return q.states == 1 ? 0 : kNever;
  for (int64_t t = 0; t < q.frames; ++t) {
    double* const now = alpha + t * width;
    const double* const before = now - width;
    const T* const p = log_probs + t * classes;
    std::fill_n(now, width, kNever);
    for (int64_t s = q.first(t); s < q.end(t); ++s) {
      double from = 0;
      if (t > 0) {
        const double stay = before[s], step = s > 0 ? before[s - 1] : kNever;
        from = q.skips[s] ? log_add(stay, step, before[s - 2]) : log_add(stay, step);
      }
      now[s] = from + static_cast<double>(p[q.label[s]]);
    }
  }
  const double* const last = alpha + (q.frames - 1) * width + q.states - 1;
  return q.states == 1 ? last[0] : log_add(last[0], last[-1]);
}

// grad[t][c] -= scale * the share of paths that give class c at frame t.
template <class T>
void backward(const Sequence& q, const T* log_probs, int64_t classes, const double* alpha,
              int64_t width, double total, double scale, T* grad) {
  const auto states = static_cast<size_t>(q.states);
  std::vector<double> beta(states + 2, kNever), next(states + 2, kNever);
  std::vector<double> share(static_cast<size_t>(classes));
  for (int64_t t = q.frames - 1; t >= 0; --t) {
    const T* const p = log_probs + t * classes;
    // beta[s]: of all ways to go on from state s behind frame t; next[s]: from s at frame t + 1.
    for (int64_t s = q.end(t) - 1; s >= q.first(t); --s) {
      if (t == q.frames - 1)
        beta[s] = s >= q.states - 2 ? 0 : kNever;
      else if (s + 2 < q.states && q.skips[s + 2])
        beta[s] = log_add(next[s], next[s + 1], next[s + 2]);
      else
        beta[s] = log_add(next[s], next[s + 1]);
      share[q.label[s]] += std::exp(alpha[t * width + s] + beta[s] - total);
    }
    std::fill(next.begin(), next.end(), kNever);
    for (int64_t s = q.first(t); s < q.end(t); ++s)
      next[s] = beta[s] + static_cast<double>(p[q.label[s]]);
    T* const row = grad + t * classes;
    for (int64_t s = q.first(t); s < q.end(t); ++s) {
      row[q.label[s]] = static_cast<T>(-scale * share[q.label[s]]);
    }
    for (int64_t s = q.first(t); s < q.end(t); ++s) share[q.label[s]] = 0;
  }
}

// ---- ctc_loss(log_probs, labels, frame counts, label counts) -> losses (N), alpha (N, T, 2 S + 1)
// ----

template <class T>
void run_forward(const KernelCall& call) {
  const Sequences all(call);
  all.check();
  const int64_t width = all.states();
  T* const losses = call.out[0].as<T>();
  double* const kept = call.out[1].as<double>();  // null where no gradient is wanted
  parallel_for(all.count, [&](int64_t n) {
    const Sequence q(all, n);
    std::vector<double> own(kept ? 0 : static_cast<size_t>(q.frames * width));
    double* const alpha = kept ? kept + n * all.frames * width : own.data();
    const T* const p = call.in[0].as<const T>() + n * all.frames * all.classes;
    const double total = forward(q, p, all.classes, alpha, width);
    if (losses) losses[n] = static_cast<T>(-total);
    if (kept) std::fill_n(alpha + q.frames * width, (all.frames - q.frames) * width, kNever);
  });
}
void run_ctc_loss(const KernelCall& call) {
  call.in[0].dtype == kF64 ? run_forward<double>(call) : run_forward<float>(call);
}
void vjp_ctc_loss(Vjp& v);
Tensor batch_ctc(const Recorded& one, std::span<const Tensor> in, std::span<const bool> batched,
                 int64_t size) {
  std::vector<Tensor> all;
  std::vector<Node*> nodes;
  for (size_t i = 0; i < in.size(); ++i) all.push_back(with_batch_axis(in[i], batched[i], size));
  for (const Tensor& t : all) nodes.push_back(t.node());
  const Shape shape = one.op().outputs > 1 ? Shape() : batched_shape(one, size);
  return record(one.op(), nodes, shape, one.dtype(), one.words(), one.where());
}
const Op kCtcLoss{.name = "ctc_loss",
                  .kind = Kind::kKernel,
                  .attributes = kAttributeFields<CtcAttributes>,
                  .vjp = vjp_ctc_loss,
                  .run = run_ctc_loss,
                  .batch = batch_ctc,
                  .outputs = 2,
                  .may_throw = true};

// ---- ctc_loss_backward(log_probs, labels, frame counts, label counts, alpha, gradient) ----

template <class T>
void run_backward(const KernelCall& call) {
  const Sequences all(call);
  const int64_t width = all.states(), size = all.frames * all.classes;
  parallel_for(all.count, [&](int64_t n) {
    T* const grad = call.out[0].as<T>() + n * size;
    std::fill_n(grad, size, T(0));
    const auto scale = static_cast<double>(call.in[5].as<const T>()[n]);
    if (scale == 0) return;
    const Sequence q(all, n);
    const double* const alpha = call.in[4].as<const double>() + n * all.frames * width;
    if (q.frames == 0) return;
    const double* const last = alpha + (q.frames - 1) * width + q.states - 1;
    const double total = q.states == 1 ? last[0] : log_add(last[0], last[-1]);
    if (total == kNever)  // of nothing there is no share
      return std::fill_n(grad, q.frames * all.classes, std::numeric_limits<T>::quiet_NaN()), void();
    backward(q, call.in[0].as<const T>() + n * size, all.classes, alpha, width, total, scale, grad);
  });
}
void run_ctc_loss_backward(const KernelCall& call) {
  call.in[0].dtype == kF64 ? run_backward<double>(call) : run_backward<float>(call);
}
const Op kCtcLossBackward{.name = "ctc_loss_backward",
                          .kind = Kind::kKernel,
                          .attributes = kAttributeFields<CtcAttributes>,
                          .run = run_ctc_loss_backward,
                          .batch = batch_ctc};

void vjp_ctc_loss(Vjp& v) {
  Node* const inputs[] = {v.in(0).node(), v.in(1).node(),  v.in(2).node(),
                          v.in(3).node(), v.out(1).node(), v.g(0).node()};
  v.set(0, record(kCtcLossBackward, inputs, v.in_shape(0), v.in(0).dtype(), v.words(), v.where()));
}

const RegisterOp registered[] = {RegisterOp(kCtcLoss), RegisterOp(kCtcLossBackward)};

// ---- What users call ----

Tensor as_integers(const char* what, const Tensor& x, const Where& where) {
  require_defined("ctc_loss", x, where);
  if (!is_integer(x.dtype()))
    fail("ctc_loss", std::string(what) + " are " + name(x.dtype()) + ", not integers", where);
  return cast(x, kI64);
}

// Labels of all examples one after the other as (N, the longest), filled with 0.
Tensor padded(const Tensor& labels, const Tensor& lengths, const Where& where) {
  int64_t longest = 0, total = 0;
  std::vector<int64_t> starts;
  for (int64_t length : lengths.to_vector<int64_t>(where)) {
    if (length < 0)
      throw ValueError("ctc_loss: an example has " + std::to_string(length) + " labels", where);
    starts.push_back(total);
    longest = std::max(longest, length);
    total = add_sizes(total, length);
  }
  if (total != labels.numel())
    throw ValueError("ctc_loss: " + std::to_string(labels.numel()) +
                         " labels, where the lengths are " + std::to_string(total) + " together",
                     where);
  const auto count = static_cast<int64_t>(starts.size());
  if (total == 0) return zeros({count, 0}, kI64);
  const Tensor at = unsqueeze(from_vector(starts, {count}), 1) + arange(longest);
  return take(labels, minimum(at, total - 1), 0, where);
}

}  // namespace

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CTCLossOptions& options, Where where) {
  const char* op = "ctc_loss";
  const Tensor given = as_full_float(op, log_probs, where);
  if (given.rank() != 2 && given.rank() != 3)
    fail(op, "needs log-probabilities (N, T, C) or (T, C), not " + given.shape().str(), where);
  Tensor labels = as_integers("labels", targets, where),
         frames = as_integers("input lengths", input_lengths, where),
         counts = as_integers("target lengths", target_lengths, where);
  Tensor x = cast(given, sum_dtype(given.dtype()));
  const bool single = given.rank() == 2;
  if (single) {
    x = unsqueeze(x, 0);
    if (labels.rank() == 1) labels = unsqueeze(labels, 0);
    frames = reshape(frames, {-1});
    counts = reshape(counts, {-1});
  }
  const Shape batch{x.size(0)};
  if (frames.shape() != batch || counts.shape() != batch)
    fail(op,
         "lengths " + frames.shape().str() + " and " + counts.shape().str() +
             " are not one for each of " + std::to_string(batch[0]) + " examples",
         where);
  if (labels.rank() == 1) labels = padded(labels, counts, where);
  if (labels.rank() != 2 || labels.size(0) != batch[0])
    fail(op, "labels " + targets.shape().str() + " do not fit " + given.shape().str(), where);
  if (options.blank < 0 || options.blank >= x.size(2))
    fail(op,
         "the blank " + std::to_string(options.blank) + " is not one of " +
             std::to_string(x.size(2)) + " classes",
         where);
  const Shape all{x.size(0), x.size(1), 2 * labels.size(1) + 1};
  const Tensor tuple = record(kCtcLoss, {x.node(), labels.node(), frames.node(), counts.node()}, {},
                              x.dtype(), CtcAttributes{options.blank}, where);
  const Tensor alpha = output(tuple, 1, all, kF64);
  Tensor losses = output(tuple, 0, batch, x.dtype(), {alpha});
  if (options.zero_infinity) losses = glia::where(losses == INFINITY, 0, losses);
  if (options.reduction == Reduction::kMean)
    losses = losses / cast(maximum(counts, 1), losses.dtype());
  if (single && options.reduction == Reduction::kNone) losses = reshape(losses, {});
  return cast(reduced(losses, options.reduction, where), given.dtype());
}

}  // namespace glia
