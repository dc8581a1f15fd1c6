#include "glia/text/crf.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "glia/nn/init.h"
#include "glia/op.h"
#include "glia/ops.h"

namespace glia::text {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

// ---- Recursions over one sequence ---------------------------------------------------------------

// The inputs of both kernels: emissions (N, T, K), lengths (N), transitions (K, K), start and end
// (K).
struct Chains {
  int64_t count, room, tags;
  const int64_t* lengths;
  std::vector<double> transitions, start, end;
  // exp(transitions), each of whose columns or rows is summed with what stands before.
  std::vector<double> odds, odds_back;
  double top = 0;  // the largest transition, which they are relative to

  explicit Chains(const KernelCall& call)
      : count(call.in[0].layout.shape[0]),
        room(call.in[0].layout.shape[1]),
        tags(call.in[0].layout.shape[2]),
        lengths(call.in[1].as<const int64_t>()) {
    const auto read = [&](int i) {
      const int64_t n = call.in[i].numel();
      return call.in[i].dtype == kF64 ? std::vector<double>(call.in[i].as<const double>(),
                                                            call.in[i].as<const double>() + n)
                                      : std::vector<double>(call.in[i].as<const float>(),
                                                            call.in[i].as<const float>() + n);
    };
    transitions = read(2), start = read(3), end = read(4);
    for (int64_t n = 0; n < count; ++n)
      if (lengths[n] < 1 || lengths[n] > room)
        throw ValueError("crf: the length " + std::to_string(lengths[n]) + " of sequence " +
                         std::to_string(n) + " is not from 1 to " + std::to_string(room));
    top = kNever;
    for (const double x : transitions) top = std::max(top, x);
    if (!std::isfinite(top)) top = 0;
    odds.resize(transitions.size());
    odds_back.resize(transitions.size());
    for (int64_t i = 0; i < tags; ++i)
      for (int64_t j = 0; j < tags; ++j) {
        odds[i * tags + j] = std::exp(transitions[i * tags + j] - top);
        odds_back[j * tags + i] = odds[i * tags + j];
      }
  }

  // out[j] = log sum_i exp(from[i] + transition (i, j)); `back`: (j, i).
  void step(const double* from, bool back, double* out) const {
    const double largest = *std::max_element(from, from + tags);
    const auto slow = [&](int64_t j) {  // where all that counts is too small beside the largest
      double most = kNever, sum = 0;
      const auto at = [&](int64_t i) {
        return from[i] + transitions[back ? j * tags + i : i * tags + j];
      };
      for (int64_t i = 0; i < tags; ++i) most = std::max(most, at(i));
      if (!std::isfinite(most)) return most;
      for (int64_t i = 0; i < tags; ++i) sum += std::exp(at(i) - most);
      return most + std::log(sum);
    };
    std::fill_n(out, tags, 0.0);
    if (std::isfinite(largest))
      for (int64_t i = 0; i < tags; ++i) {
        const double weight = std::exp(from[i] - largest);
        const double* row = (back ? odds_back : odds).data() + i * tags;
        for (int64_t j = 0; j < tags; ++j) out[j] += weight * row[j];
      }
    for (int64_t j = 0; j < tags; ++j)
      out[j] = out[j] > 1e-200 ? largest + top + std::log(out[j]) : slow(j);
  }
};

double log_sum(const std::vector<double>& x) {
  const double most = *std::max_element(x.begin(), x.end());
  if (!std::isfinite(most)) return most;
  double sum = 0;
  for (const double v : x) sum += std::exp(v - most);
  return most + std::log(sum);
}

// alpha (T, K): of all beginnings that end in tag k at place t. Gives log Z.
template <class T>
double forward(const Chains& all, const T* emissions, int64_t length, double* alpha) {
  const int64_t k = all.tags;
  for (int64_t t = 0; t < length; ++t) {
    double* now = alpha + t * k;
    if (t > 0)
      all.step(now - k, false, now);
    else
      std::copy(all.start.begin(), all.start.end(), now);
    for (int64_t j = 0; j < k; ++j) now[j] += static_cast<double>(emissions[t * k + j]);
  }
  std::vector<double> last(alpha + (length - 1) * k, alpha + length * k);
  for (int64_t j = 0; j < k; ++j) last[j] += all.end[j];
  return log_sum(last);
}

// ---- crf_log_partition(emissions, lengths, transitions, start, end) -> (N)
// ------------------------

template <class T>
void partition_of(const KernelCall& call) {
  const Chains all(call);
  T* const out = call.out[0].as<T>();
  parallel_for(all.count, [&](int64_t n) {
    std::vector<double> alpha(static_cast<size_t>(all.lengths[n] * all.tags));
    out[n] = static_cast<T>(forward(all, call.in[0].as<const T>() + n * all.room * all.tags,
                                    all.lengths[n], alpha.data()));
  });
}
void run_partition(const KernelCall& call) {
  call.in[0].dtype == kF64 ? partition_of<double>(call) : partition_of<float>(call);
}
void vjp_partition(Vjp& v);
const Op kLogPartition{.name = "crf_log_partition",
                       .kind = Kind::kKernel,
                       .vjp = vjp_partition,
                       .run = run_partition,
                       .may_throw = true};

// ---- crf_marginals(the same) -> p(k at t) (N, T, K), expected transitions (N, K, K)
// ----------------

template <class T>
void marginals_of(const KernelCall& call) {
  const Chains all(call);
  const int64_t k = all.tags, room = all.room;
  T* const unary = call.out[0].as<T>();
  T* const pairs = call.out[1].as<T>();
  parallel_for(all.count, [&](int64_t n) {
    const int64_t length = all.lengths[n];
    const T* const emissions = call.in[0].as<const T>() + n * room * k;
    std::vector<double> alpha(static_cast<size_t>(length * k)), beta(all.end),
        next(static_cast<size_t>(k)), expected(static_cast<size_t>(k * k));
    const double total = forward(all, emissions, length, alpha.data());
    for (int64_t t = length - 1; t >= 0; --t) {
      const double* now = alpha.data() + t * k;
      if (unary)
        for (int64_t j = 0; j < k; ++j)
          unary[(n * room + t) * k + j] = static_cast<T>(std::exp(now[j] + beta[j] - total));
      if (t == 0) break;
      for (int64_t j = 0; j < k; ++j) next[j] = beta[j] + static_cast<double>(emissions[t * k + j]);
      if (pairs)
        for (int64_t i = 0; i < k; ++i)
          for (int64_t j = 0; j < k; ++j)
            expected[i * k + j] +=
                std::exp(now[i - k] + all.transitions[i * k + j] + next[j] - total);
      all.step(next.data(), true, beta.data());
    }
    if (unary) std::fill_n(unary + (n * room + length) * k, (room - length) * k, T(0));
    if (pairs)
      std::transform(expected.begin(), expected.end(), pairs + n * k * k,
                     [](double x) { return static_cast<T>(x); });
  });
}
void run_marginals(const KernelCall& call) {
  call.in[0].dtype == kF64 ? marginals_of<double>(call) : marginals_of<float>(call);
}
const Op kMarginals{.name = "crf_marginals",
                    .kind = Kind::kKernel,
                    .run = run_marginals,
                    .outputs = 2,
                    .may_throw = true};

struct Marginals {
  Tensor unary, pairs;
};
Marginals marginals(const Tensor& emissions, const Tensor& lengths, const CrfWeights& w,
                    const Where& where) {
  const Shape& shape = emissions.shape();
  const DType dtype = emissions.dtype();
  const Tensor tuple =
      record(kMarginals,
             {emissions.node(), lengths.node(), w.transitions.node(), w.start.node(), w.end.node()},
             {}, dtype, AttributeWords(), where);
  return {output(tuple, 0, shape, dtype), output(tuple, 1, {shape[0], shape[2], shape[2]}, dtype)};
}

Tensor at_last(const Tensor& x, const Tensor& lengths) {  // (N, T, ...) -> (N, ...)
  const int64_t n = x.size(0), t = x.size(1);
  const Tensor rows = arange(n) * t + (lengths - 1);
  return x.rank() == 2 ? take(reshape(x, {n * t}), rows)
                       : take(reshape(x, {n * t, x.size(2)}), rows, 0);
}

void vjp_partition(Vjp& v) {
  const Tensor lengths = v.in(1);
  const auto [unary, pairs] = marginals(v.in(0), lengths, {v.in(2), v.in(3), v.in(4)}, v.where());
  const Tensor g = v.g(), each = reshape(g, {g.size(0), 1, 1});
  const Tensor row = reshape(g, {g.size(0), 1});
  if (v.needs(0)) v.set(0, unary * each);
  if (v.needs(2)) v.set(2, sum(pairs * each, {0}));
  if (v.needs(3)) v.set(3, sum(index(unary, {Slice{}, 0}) * row, {0}));
  if (v.needs(4)) v.set(4, sum(at_last(unary, lengths) * row, {0}));
}

const RegisterOp registered[] = {RegisterOp(kLogPartition), RegisterOp(kMarginals)};

// ---- What users call ----------------------------------------------------------------------------

struct Checked {
  Tensor emissions, lengths;
  CrfWeights weights;
};
Checked checked(const char* op, const Tensor& emissions, const Tensor& lengths,
                const CrfWeights& weights, const Where& where) {
  require_defined(op, emissions, where);
  require_defined(op, lengths, where);
  if (emissions.rank() != 3 || emissions.size(2) == 0)
    fail(op, "needs emissions (N, T, K), not " + emissions.shape().str(), where);
  if (!is_integer(lengths.dtype()) || lengths.shape() != Shape{emissions.size(0)})
    fail(op,
         "lengths " + lengths.shape().str() + " are not an integer for each of " +
             std::to_string(emissions.size(0)) + " sequences",
         where);
  const DType dtype = emissions.dtype() == kF64 ? kF64 : kF32;
  const int64_t k = emissions.size(2);
  const auto weight = [&](const char* what, const Tensor& w, const Shape& shape) {
    if (!w.defined()) return zeros(shape, dtype);
    if (w.shape() != shape)
      fail(op, std::string(what) + " " + w.shape().str() + " are not " + shape.str(), where);
    return cast(w, dtype);
  };
  return {cast(emissions, dtype),
          cast(lengths, kI64),
          {weight("transitions", weights.transitions, {k, k}),
           weight("start scores", weights.start, {k}), weight("end scores", weights.end, {k})}};
}

}  // namespace

Tensor crf_log_partition(const Tensor& emissions, const Tensor& lengths, const CrfWeights& weights,
                         Where where) {
  const Checked c = checked("crf_log_partition", emissions, lengths, weights, where);
  return record(kLogPartition,
                {c.emissions.node(), c.lengths.node(), c.weights.transitions.node(),
                 c.weights.start.node(), c.weights.end.node()},
                {c.emissions.size(0)}, c.emissions.dtype(), AttributeWords(), where);
}

Tensor crf_score(const Tensor& emissions, const Tensor& tags, const Tensor& lengths,
                 const CrfWeights& weights, Where where) {
  const char* op = "crf_score";
  const auto [x, length, w] = checked(op, emissions, lengths, weights, where);
  const int64_t n = x.size(0), t = x.size(1), k = x.size(2);
  require_defined(op, tags, where);
  if (!is_integer(tags.dtype()) || tags.shape() != Shape{n, t})
    fail(op, "tags " + tags.shape().str() + " do not fit emissions " + x.shape().str(), where);
  const Tensor there = arange(t) < unsqueeze(length, 1);
  const Tensor tag = glia::where(there, cast(tags, kI64), 0);
  Tensor score = sum(glia::where(there, reshape(gather(x, unsqueeze(tag, 2), 2), {n, t}), 0), {1});
  score = score + take(w.start, index(tag, {Slice{}, 0}), 0) + take(w.end, at_last(tag, length), 0);
  if (t == 1) return score;
  const Tensor pair =
      index(tag, {Slice{}, Slice{0, t - 1}}) * k + index(tag, {Slice{}, Slice{1, t}});
  const Tensor steps = take(reshape(w.transitions, {k * k}), pair, 0);
  return score + sum(glia::where(index(there, {Slice{}, Slice{1, t}}), steps, 0), {1});
}

Tensor crf_log_likelihood(const Tensor& emissions, const Tensor& tags, const Tensor& lengths,
                          const CrfWeights& weights, Where where) {
  return crf_score(emissions, tags, lengths, weights, where) -
         crf_log_partition(emissions, lengths, weights, where);
}

Tensor crf_marginals(const Tensor& emissions, const Tensor& lengths, const CrfWeights& weights,
                     Where where) {
  const Checked c = checked("crf_marginals", emissions, lengths, weights, where);
  return marginals(c.emissions, c.lengths, c.weights, where).unary;
}

std::vector<CrfPath> crf_decode(const Tensor& emissions, const Tensor& lengths,
                                const CrfWeights& weights) {
  const Checked c = checked("crf_decode", emissions, lengths, weights, Where::current());
  const int64_t n = c.emissions.size(0), room = c.emissions.size(1), k = c.emissions.size(2);
  const auto x = c.emissions.to_vector<double>(), trans = c.weights.transitions.to_vector<double>(),
             start = c.weights.start.to_vector<double>(), end = c.weights.end.to_vector<double>();
  const auto ends = c.lengths.to_vector<int64_t>();
  std::vector<CrfPath> out(static_cast<size_t>(n));
  for (const int64_t length : ends)
    if (length < 1 || length > room)
      throw ValueError("crf_decode: a length of " + std::to_string(length) + " is not from 1 to " +
                       std::to_string(room));
  parallel_for(n, [&](int64_t s) {
    const int64_t length = ends[static_cast<size_t>(s)];
    std::vector<double> best(start), next(static_cast<size_t>(k));
    std::vector<int32_t> from(static_cast<size_t>(length * k));
    for (int64_t t = 0; t < length; ++t) {
      for (int64_t j = 0; t > 0 && j < k; ++j) {
        int64_t most = 0;
        for (int64_t i = 1; i < k; ++i)
          if (best[i] + trans[i * k + j] > best[most] + trans[most * k + j]) most = i;
        from[t * k + j] = static_cast<int32_t>(most);
        next[j] = best[most] + trans[most * k + j];
      }
      if (t > 0) best.swap(next);
      for (int64_t j = 0; j < k; ++j) best[j] += x[(s * room + t) * k + j];
    }
    for (int64_t j = 0; j < k; ++j) best[j] += end[j];
    const auto last = std::max_element(best.begin(), best.end());
    CrfPath& path = out[static_cast<size_t>(s)];
    path.score = *last;
    path.tags.resize(static_cast<size_t>(length));
    int64_t tag = last - best.begin();
    for (int64_t t = length - 1; t >= 0; --t) {
      path.tags[t] = tag;
      tag = from[t * k + tag];
    }
  });
  return out;
}

Crf::Crf(int64_t tags) {
  if (tags < 1) throw ShapeError("Crf: " + std::to_string(tags) + " tags");
  constexpr double kInitial = 0.1;
  transitions = Parameter(zeros({tags, tags}));
  start = Parameter(zeros({tags}));
  end = Parameter(zeros({tags}));
  for (const Variable& v : {Variable(transitions), Variable(start), Variable(end)})
    nn::init::uniform_(v, -kInitial, kInitial);
}

}  // namespace glia::text
