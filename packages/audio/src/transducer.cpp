#include "glia/audio/transducer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "glia/error.h"
#include "glia/op.h"
#include "logs.h"

namespace glia::audio {
namespace {

struct RnntAttributes {
  int64_t blank = 0;
  double clamp = -1;
  GLIA_ATTRIBUTES(blank, clamp)
};

// The inputs of both kernels: logits (N, T, U + 1, C), labels (N, U), and their lengths (N).
struct Examples {
  int64_t count, frames, width, classes, blank;
  double clamp;
  const int64_t *labels, *frame_counts, *label_counts;

  explicit Examples(const KernelCall& call)
      : count(call.in[0].layout.shape.size(0)),
        frames(call.in[0].layout.shape.size(1)),
        width(call.in[0].layout.shape.size(2)),
        classes(call.in[0].layout.shape.size(3)),
        blank(call.attributes<RnntAttributes>().blank),
        clamp(call.attributes<RnntAttributes>().clamp),
        labels(call.in[1].as<const int64_t>()),
        frame_counts(call.in[2].as<const int64_t>()),
        label_counts(call.in[3].as<const int64_t>()) {}

  void check() const {
    for (int64_t n = 0; n < count; ++n) {
      const std::string where = " in example " + std::to_string(n);
      if (frame_counts[n] < 1 || frame_counts[n] > frames)
        throw ValueError("rnnt_loss: " + std::to_string(frame_counts[n]) + " frames" + where +
                         ", where there are " + std::to_string(frames));
      if (label_counts[n] < 0 || label_counts[n] >= width)
        throw ValueError("rnnt_loss: " + std::to_string(label_counts[n]) + " labels" + where +
                         ", where there is room for " + std::to_string(width - 1));
      for (int64_t u = 0; u < label_counts[n]; ++u)
        if (const int64_t label = labels[n * (width - 1) + u];
            label < 0 || label >= classes || label == blank)
          throw ValueError("rnnt_loss: label " + std::to_string(label) + " at position " +
                           std::to_string(u) + where);
    }
  }
};

// One example: at each place (t, u), frame t with u labels given, the log-probabilities of a blank,
// which goes on to t + 1, and of the next label, which goes on to u + 1.
struct Grid {
  int64_t frames, labels, width;
  std::vector<double> norm, blank, label;  // log of the sum over classes, and the two

  template <class T>
  Grid(const Examples& all, int64_t n, const T* logits)
      : frames(all.frame_counts[n]), labels(all.label_counts[n]), width(all.width) {
    const auto size = static_cast<size_t>(frames * width);
    norm.resize(size), blank.resize(size), label.resize(size, kNoWay);
    const int64_t* target = all.labels + n * (width - 1);
    for (int64_t t = 0; t < frames; ++t)
      for (int64_t u = 0; u <= labels; ++u) {
        const int64_t at = t * width + u;
        const T* x = logits + at * all.classes;
        const auto most = static_cast<double>(*std::max_element(x, x + all.classes));
        double sum = 0;
        for (int64_t c = 0; c < all.classes; ++c) sum += std::exp(static_cast<double>(x[c]) - most);
        norm[at] = most + std::log(sum);
        blank[at] = static_cast<double>(x[all.blank]) - norm[at];
        if (u < labels) label[at] = static_cast<double>(x[target[u]]) - norm[at];
      }
  }

  // alpha: the log-probability of all ways to a place. Gives that of all ways to the end.
  double forward(double* alpha) const {
    std::fill_n(alpha, frames * width, kNoWay);
    for (int64_t t = 0; t < frames; ++t)
      for (int64_t u = 0; u <= labels; ++u) {
        const int64_t at = t * width + u;
        if (at == 0) {
          alpha[0] = 0;
          continue;
        }
        const double waited = t > 0 ? alpha[at - width] + blank[at - width] : kNoWay;
        const double said = u > 0 ? alpha[at - 1] + label[at - 1] : kNoWay;
        alpha[at] = log_add(waited, said);
      }
    const int64_t last = (frames - 1) * width + labels;
    return alpha[last] + blank[last];
  }
  // The same from a place to the end.
  std::vector<double> backward() const {
    std::vector<double> beta(static_cast<size_t>(frames * width), kNoWay);
    for (int64_t t = frames - 1; t >= 0; --t)
      for (int64_t u = labels; u >= 0; --u) {
        const int64_t at = t * width + u;
        const double waits = t + 1 < frames ? beta[at + width] + blank[at]
                             : u == labels  ? blank[at]
                                            : kNoWay;
        const double says = u < labels ? beta[at + 1] + label[at] : kNoWay;
        beta[at] = log_add(waits, says);
      }
    return beta;
  }
};

// ---- rnnt_loss(logits, labels, frame counts, label counts) -> losses (N), alpha (N, T, U + 1)
// ----

template <class T>
void run_forward(const KernelCall& call) {
  const Examples all(call);
  all.check();
  const int64_t places = all.frames * all.width;
  T* const losses = call.out[0].as<T>();
  double* const kept = call.out[1].as<double>();  // null where no gradient is wanted
  parallel_for(all.count, [&](int64_t n) {
    const Grid grid(all, n, call.in[0].as<const T>() + n * places * all.classes);
    std::vector<double> own(kept ? 0 : static_cast<size_t>(places));
    double* const alpha = kept ? kept + n * places : own.data();
    const double total = grid.forward(alpha);
    if (losses) losses[n] = static_cast<T>(-total);
    if (kept)
      std::fill_n(alpha + grid.frames * all.width, places - grid.frames * all.width, kNoWay);
  });
}
void run_rnnt_loss(const KernelCall& call) {
  call.in[0].dtype == kF64 ? run_forward<double>(call) : run_forward<float>(call);
}
void vjp_rnnt_loss(Vjp& v);
const Op kRnntLoss{.name = "audio_rnnt_loss",
                   .kind = Kind::kKernel,
                   .attributes = kAttributeFields<RnntAttributes>,
                   .vjp = vjp_rnnt_loss,
                   .run = run_rnnt_loss,
                   .outputs = 2,
                   .may_throw = true};

// ---- rnnt_loss_backward(logits, labels, frame counts, label counts, alpha, gradient) ----

template <class T>
void run_backward(const KernelCall& call) {
  const Examples all(call);
  const int64_t places = all.frames * all.width, size = places * all.classes;
  parallel_for(all.count, [&](int64_t n) {
    T* const grad = call.out[0].as<T>() + n * size;
    std::fill_n(grad, size, T(0));
    const auto scale = static_cast<double>(call.in[5].as<const T>()[n]);
    if (scale == 0) return;
    const T* const logits = call.in[0].as<const T>() + n * size;
    const double* const alpha = call.in[4].as<const double>() + n * places;
    const Grid grid(all, n, logits);
    const std::vector<double> beta = grid.backward();
    const int64_t* const target = all.labels + n * (all.width - 1);
    for (int64_t t = 0; t < grid.frames; ++t)
      for (int64_t u = 0; u <= grid.labels; ++u) {
        // The shares of all ways that come here, and that leave by a blank and by the label.
        const int64_t at = t * all.width + u;
        const double here = std::exp(alpha[at] + beta[at] - beta[0]);
        const double beyond = t + 1 < grid.frames ? beta[at + all.width]
                              : u == grid.labels  ? 0
                                                  : kNoWay;
        const double waits = std::exp(alpha[at] + grid.blank[at] + beyond - beta[0]);
        const double says =
            u < grid.labels ? std::exp(alpha[at] + grid.label[at] + beta[at + 1] - beta[0]) : 0;
        const T* const x = logits + at * all.classes;
        T* const g = grad + at * all.classes;
        for (int64_t c = 0; c < all.classes; ++c) {
          double d = here * std::exp(static_cast<double>(x[c]) - grid.norm[at]);
          if (c == all.blank) d -= waits;
          if (u < grid.labels && c == target[u]) d -= says;
          if (all.clamp >= 0) d = std::clamp(d, -all.clamp, all.clamp);
          g[c] = static_cast<T>(scale * d);
        }
      }
  });
}
void run_rnnt_loss_backward(const KernelCall& call) {
  call.in[0].dtype == kF64 ? run_backward<double>(call) : run_backward<float>(call);
}
const Op kRnntLossBackward{.name = "audio_rnnt_loss_backward",
                           .kind = Kind::kKernel,
                           .attributes = kAttributeFields<RnntAttributes>,
                           .run = run_rnnt_loss_backward};

void vjp_rnnt_loss(Vjp& v) {
  v.set(0, record(kRnntLossBackward,
                  {v.in(0).node(), v.in(1).node(), v.in(2).node(), v.in(3).node(), v.out(1).node(),
                   v.g(0).node()},
                  v.in_shape(0), v.in(0).dtype(), v.words(), v.where()));
}

const RegisterOp registered[] = {RegisterOp(kRnntLoss), RegisterOp(kRnntLossBackward)};

Tensor integers(const char* what, const Tensor& x, const Shape& shape, Where where) {
  require_defined("rnnt_loss", x, where);
  if (!is_integer(x.dtype()) || x.shape() != shape)
    fail("rnnt_loss",
         std::string(what) + " are " + name(x.dtype()) + " " + x.shape().str() + ", not integers " +
             shape.str(),
         where);
  return cast(x, kI64);
}

}  // namespace

Tensor rnnt_loss(const Tensor& logits, const Tensor& targets, const Tensor& logit_lengths,
                 const Tensor& target_lengths, const RnntLossOptions& options, Where where) {
  const char* op = "rnnt_loss";
  require_defined(op, logits, where);
  if (!is_float(logits.dtype()) || logits.rank() != 4 || logits.size(2) < 1 || logits.size(3) < 1)
    fail(op, "needs logits (N, T, U + 1, C), not " + logits.shape().str(), where);
  const int64_t count = logits.size(0), width = logits.size(2), classes = logits.size(3);
  const int64_t blank = options.blank < 0 ? options.blank + classes : options.blank;
  if (blank < 0 || blank >= classes)
    fail(op,
         "the blank " + std::to_string(options.blank) + " is not one of " +
             std::to_string(classes) + " classes",
         where);
  const Tensor x = cast(logits, logits.dtype() == kF64 ? kF64 : kF32);
  const Tensor labels = integers("labels", targets, {count, width - 1}, where);
  const Tensor frames = integers("logit lengths", logit_lengths, {count}, where);
  const Tensor counts = integers("target lengths", target_lengths, {count}, where);
  const Tensor tuple = record(kRnntLoss, {x.node(), labels.node(), frames.node(), counts.node()},
                              {}, x.dtype(), RnntAttributes{blank, options.clamp}, where);
  const Tensor alpha = output(tuple, 1, {count, x.size(1), width}, kF64);
  const Tensor losses = cast(output(tuple, 0, {count}, x.dtype(), {alpha}), logits.dtype());
  if (options.reduction == Reduction::kNone) return losses;
  return options.reduction == Reduction::kSum ? sum(losses) : mean(losses);
}

}  // namespace glia::audio
