// The operations that most programs use; glia/ops/*.h have the rest by subject, glia.h has all.
// Shapes follow NumPy, names and defaults follow PyTorch, images are NHWC. Operands broadcast and
// promote; every function throws ShapeError when they do not fit.
#pragma once

#include <optional>

#include "glia/tensor.h"

namespace glia {

using Axes = std::vector<int64_t>;  // empty: all axes

// ---- Elementwise ------------------------------------------------------------------------------

Tensor operator+(const Operand& a, const Operand& b);
Tensor operator-(const Operand& a, const Operand& b);
Tensor operator*(const Operand& a, const Operand& b);
Tensor operator/(const Operand& a, const Operand& b);  // true division: integers give f32
Tensor operator-(const Operand& x);
Tensor operator<(const Operand& a, const Operand& b);
Tensor operator<=(const Operand& a, const Operand& b);
Tensor operator>(const Operand& a, const Operand& b);
Tensor operator>=(const Operand& a, const Operand& b);
Tensor operator==(const Operand& a, const Operand& b);
Tensor operator!=(const Operand& a, const Operand& b);
Tensor operator&(const Operand& a, const Operand& b);  // bitwise; logical for bool
Tensor operator|(const Operand& a, const Operand& b);
Tensor operator^(const Operand& a, const Operand& b);
Tensor operator~(const Operand& x);
// These keep a's shape and dtype; what would change the shape, or the kind of dtype (bool, integer,
// float), is an error.
Tensor& operator+=(Tensor& a, const Operand& b);
Tensor& operator-=(Tensor& a, const Operand& b);
Tensor& operator*=(Tensor& a, const Operand& b);
Tensor& operator/=(Tensor& a, const Operand& b);

Tensor pow(const Operand& base, const Operand& exponent);  // of integers: an integer, which wraps
Tensor floor_divide(const Operand& a, const Operand& b);   // rounds towards minus infinity
Tensor remainder(const Operand& a, const Operand& b);      // with the divisor's sign, as in Python
Tensor maximum(const Operand& a, const Operand& b);        // NaN if either is
Tensor minimum(const Operand& a, const Operand& b);
Tensor atan2(const Operand& y, const Operand& x);
// Where `condition` (bool) holds, a, else b.
Tensor where(const Operand& condition, const Operand& a, const Operand& b);
Tensor clamp(const Operand& x, const Operand& low, const Operand& high);

Tensor abs(const Operand& x);
Tensor sign(const Operand& x);
Tensor square(const Operand& x);
Tensor reciprocal(const Operand& x);
Tensor sqrt(const Operand& x);
Tensor rsqrt(const Operand& x);
Tensor exp(const Operand& x);
Tensor expm1(const Operand& x);
Tensor log(const Operand& x);
Tensor log1p(const Operand& x);
Tensor sin(const Operand& x);
Tensor cos(const Operand& x);
Tensor tanh(const Operand& x);
Tensor erf(const Operand& x);
Tensor floor(const Operand& x);
Tensor ceil(const Operand& x);
Tensor round(const Operand& x);  // half to even
Tensor isnan(const Operand& x);
Tensor isfinite(const Operand& x);
// x with other numbers for NaN and the infinities; unset: the dtype's largest and lowest number.
Tensor nan_to_num(const Operand& x, double nan = 0, std::optional<double> posinf = {},
                  std::optional<double> neginf = {});
Tensor logical_not(const Operand& x);
Tensor cast(const Operand& x, DType dtype);

// Activations.
Tensor relu(const Operand& x);  // derivative 0 at 0
Tensor leaky_relu(const Operand& x, double negative_slope = 0.01);
Tensor elu(const Operand& x, double alpha = 1);
Tensor sigmoid(const Operand& x);
Tensor log_sigmoid(const Operand& x);
Tensor softplus(const Operand& x);
Tensor silu(const Operand& x);
Tensor gelu(const Operand& x);  // x * Phi(x), exact (Hendrycks & Gimpel 2016)

// ---- Movement: no arithmetic ----------------------------------------------------------------

Tensor reshape(const Tensor& x, const Shape& shape,
               Where where = Where::current());  // one may be -1
Tensor flatten(const Tensor& x, int start_axis = 0, int end_axis = -1,
               Where where = Where::current());
Tensor squeeze(const Tensor& x, int axis, Where where = Where::current());
Tensor unsqueeze(const Tensor& x, int axis, Where where = Where::current());
Tensor permute(const Tensor& x, const Axes& axes, Where where = Where::current());
Tensor transpose(const Tensor& x, int axis0 = -2, int axis1 = -1, Where where = Where::current());
Tensor expand(const Tensor& x, const Shape& shape, Where where = Where::current());
// Zeros (or `value`) before and after each axis: pads[i] = {before, after}; less than 0: cut off.
Tensor pad(const Tensor& x, const std::vector<std::pair<int64_t, int64_t>>& pads,
           const Number& value = 0, Where where = Where::current());
Tensor slice(const Tensor& x, int axis, Slice range, Where where = Where::current());
Tensor flip(const Tensor& x, const Axes& axes, Where where = Where::current());
Tensor concat(const std::vector<Tensor>& parts, int axis = 0, Where where = Where::current());
Tensor stack(const std::vector<Tensor>& parts, int axis = 0, Where where = Where::current());
// x with `source` from `start` of the axis on, as torch.slice_scatter. Changing the start makes no
// new plan, and an x that nobody holds any longer is written in place: for caches that grow.
Tensor slice_scatter(const Tensor& x, const Tensor& source, int axis, int64_t start,
                     Where where = Where::current());
std::vector<Tensor> split(const Tensor& x, int64_t size, int axis = 0,
                          Where where = Where::current());

// ---- Reductions -----------------------------------------------------------------------------
// Over `axes` (all when empty). Integer and bool sums are i64. As of all functions along an axis, a
// tensor of rank 0 has one, 0 or -1.

Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           Where where = Where::current());
Tensor prod(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
            Where where = Where::current());
Tensor max(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           Where where = Where::current());
Tensor min(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           Where where = Where::current());
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
            Where where = Where::current());
// `correction` is subtracted from the count (1: the unbiased estimate).
Tensor var(const Tensor& x, const Axes& axes = {}, bool keepdim = false, double correction = 1,
           Where where = Where::current());
Tensor any(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           Where where = Where::current());
Tensor all(const Tensor& x, const Axes& axes = {}, bool keepdim = false,
           Where where = Where::current());
// Index of the first largest value, i64.
Tensor argmax(const Tensor& x, int axis = -1, bool keepdim = false, Where where = Where::current());
Tensor argmin(const Tensor& x, int axis = -1, bool keepdim = false, Where where = Where::current());

// ---- Scans and sorting ----------------------------------------------------------------------

Tensor cumsum(const Tensor& x, int axis, Where where = Where::current());
Tensor cumprod(const Tensor& x, int axis, Where where = Where::current());
// Stable; indices are i64.
std::pair<Tensor, Tensor> sort(const Tensor& x, int axis = -1, bool descending = false,
                               Where where = Where::current());
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false,
               Where where = Where::current());
std::pair<Tensor, Tensor> topk(const Tensor& x, int64_t k, int axis = -1,
                               Where where = Where::current());

// ---- Gather and scatter ---------------------------------------------------------------------
// Indices are i32 or i64; a negative one counts from the end, one out of range throws ValueError
// when the value is computed.

// Slices of x at `indices` along `axis`; the result's shape has indices' shape in its place.
Tensor take(const Tensor& x, const Tensor& indices, int axis = 0, Where where = Where::current());
// out[i][j] = x[i][indices[i][j]] for axis 1, as torch.gather.
Tensor gather(const Tensor& x, const Tensor& indices, int axis, Where where = Where::current());
// x with slices of `source` added at `indices` along `axis`, as torch.index_add: in index order.
Tensor index_add(const Tensor& x, const Tensor& indices, const Tensor& source, int axis = 0,
                 Where where = Where::current());
// x with `source` added at `indices`, as torch.scatter_add.
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& source, int axis,
                   Where where = Where::current());
// 1 at each index along a new last axis of that size.
Tensor one_hot(const Tensor& indices, int64_t classes, DType dtype = kF32,
               Where where = Where::current());
// The positions of true or non-zero elements, (count, rank) i64. Computed at once.
Tensor nonzero(const Tensor& x, Where where = Where::current());

// ---- Matrix products ------------------------------------------------------------------------

// (..., M, K) x (..., K, N) -> (..., M, N), leading axes broadcast; rank 1 as in NumPy.
Tensor matmul(const Tensor& a, const Tensor& b, Where where = Where::current());
// x W^T + b with PyTorch's weight (out, in); the bias may be undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              Where where = Where::current());

// ---- Recurrent layers -------------------------------------------------------------------------
// One layer in one direction over sequences x (T, N, in), with PyTorch's weights: weight_ih
// (G H, in), weight_hh (G H, H), biases (G H) or both undefined, G gates in PyTorch's order.
// Initial states (N, H) are zero where undefined. `out` has every step's state (T, N, H), h and c
// the last ones (N, H).

struct LSTMResult {
  Tensor out, h, c;
};
// Gates i, f, g, o (Hochreiter & Schmidhuber 1997, Gers et al. 2000).
LSTMResult lstm(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
                const Tensor& bias_ih = {}, const Tensor& bias_hh = {}, const Tensor& h0 = {},
                const Tensor& c0 = {}, Where where = Where::current());
struct RNNResult {
  Tensor out, h;
};
// Gates r, z, n; r scales the state's product, as in PyTorch (Cho et al. 2014).
RNNResult gru(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
              const Tensor& bias_ih = {}, const Tensor& bias_hh = {}, const Tensor& h0 = {},
              Where where = Where::current());
enum class RNNNonlinearity { kTanh, kReLU };
// h' = tanh(W_ih x + b_ih + W_hh h + b_hh) (Elman 1990).
RNNResult rnn(const Tensor& x, const Tensor& weight_ih, const Tensor& weight_hh,
              const Tensor& bias_ih = {}, const Tensor& bias_hh = {}, const Tensor& h0 = {},
              RNNNonlinearity nonlinearity = RNNNonlinearity::kTanh,
              Where where = Where::current());

// ---- Mixed precision --------------------------------------------------------------------------

// While one lives, this thread's matmul, linear, conv2d and attention take f32 and 16-bit operands,
// sum in f32 and give bf16. Recurrent layers multiply their input in bf16 and keep f32 states;
// losses, norms, softmax and sums take and give f32; the rest goes by the dtypes it is given
// (Micikevicius et al. 2018; Kalamkar et al. 2019). Parameters stay f32, and so do their gradients.
// May be nested: Autocast(kF32) suspends an outer one. Throws Error for other dtypes. Where the
// processor has no bf16 instructions, results are right and slow, and it says so, once.
class Autocast {
 public:
  explicit Autocast(DType dtype);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  DType previous_;
};

// ---- Attention --------------------------------------------------------------------------------

struct AttentionOptions {
  // Broadcasts to (..., T, S). Of bools: which keys a query sees; floats are added to the scores.
  Tensor mask = {};
  bool is_causal = false;            // query i sees the keys up to i
  std::optional<double> scale = {};  // of the scores; unset: 1 / sqrt(D)
  double dropout_p = 0;              // on the weights, always
  bool enable_gqa = false;           // q may have a multiple of the heads of k and v (axis -3)
  // Only so many first keys count. Given when a plan runs: changing it makes no new plan.
  std::optional<int64_t> key_length = {};
};
// softmax(scale q k^T) v (Vaswani et al. 2017): q (..., T, D), k (..., S, D), v (..., S, E) ->
// (..., T, E), leading axes broadcast. A query that sees no key gives 0.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {},
                                    Where where = Where::current());

// ---- Convolution and pooling ----------------------------------------------------------------

struct Conv2dOptions {
  std::pair<int64_t, int64_t> stride{1, 1}, padding{0, 0}, dilation{1, 1};
  int64_t groups = 1;
};
// Cross-correlation. x (N, H, W, C), weight (O, kH, kW, C / groups), bias (O) or undefined
// -> (N, H', W', O), H' = (H + 2 padding - dilation (kH - 1) - 1) / stride + 1.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dOptions& options = {}, Where where = Where::current());

struct PoolOptions {
  std::pair<int64_t, int64_t> stride{0, 0};  // 0: the window
  std::pair<int64_t, int64_t> padding{0, 0};
};
// Largest value of each window of (N, H, W, C); padding counts as minus infinity.
Tensor max_pool2d(const Tensor& x, std::pair<int64_t, int64_t> window,
                  const PoolOptions& options = {}, Where where = Where::current());
Tensor max_pool2d(const Tensor& x, int64_t window, Where where = Where::current());
// Mean of each window, padding counted as zeros.
Tensor avg_pool2d(const Tensor& x, std::pair<int64_t, int64_t> window,
                  const PoolOptions& options = {}, Where where = Where::current());
Tensor avg_pool2d(const Tensor& x, int64_t window, Where where = Where::current());

// ---- Softmax, losses, normalisation -----------------------------------------------------------

Tensor softmax(const Tensor& x, int axis = -1, Where where = Where::current());
Tensor log_softmax(const Tensor& x, int axis = -1, Where where = Where::current());
Tensor logsumexp(const Tensor& x, const Axes& axes = {-1}, bool keepdim = false,
                 Where where = Where::current());

enum class Reduction { kNone, kMean, kSum };
struct CrossEntropyOptions {
  double label_smoothing = 0;
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::kMean;
  Tensor weight = {};  // (C), of each class; the mean over class indices is weighted by it
};
// Logits (..., C) with class indices (...) (i32, i64 or u8), or with probabilities (..., C).
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options = {}, Where where = Where::current());
struct NLLLossOptions {
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::kMean;
  Tensor weight = {};  // as of CrossEntropyOptions
};
// Log-probabilities (..., C) with class indices (...).
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target,
                const NLLLossOptions& options = {}, Where where = Where::current());
Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, Reduction reduction,
                Where where = Where::current());
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::kMean,
                Where where = Where::current());
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::kMean,
               Where where = Where::current());
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta = 1,
                      Reduction reduction = Reduction::kMean, Where where = Where::current());
struct BinaryCrossEntropyOptions {
  Reduction reduction = Reduction::kMean;
  Tensor weight = {};      // of each element; broadcasts to x, and the mean is over elements
  Tensor pos_weight = {};  // of what the target says is there; broadcasts to x
};
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        const BinaryCrossEntropyOptions& options = {},
                                        Where where = Where::current());
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction,
                                        Where where = Where::current());

// Over the last axes, as many as weight has; weight and bias may be undefined (Ba et al. 2016).
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, int axes = 1,
                  double eps = 1e-5, Where where = Where::current());
// Over all axes but the last; batch statistics (Ioffe & Szegedy 2015).
struct BatchNormResult {
  Tensor out, mean, var;  // var is the biased estimate
};
BatchNormResult batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           double eps = 1e-5, Where where = Where::current());
// Zeroes each value with probability p and scales the rest by 1 / (1 - p).
Tensor dropout(const Tensor& x, double p = 0.5, Where where = Where::current());

}  // namespace glia
