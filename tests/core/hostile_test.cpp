// Numbers from outside: every public function is called with sizes, counts, axes, indices and
// options as far out as their types go. Each call must return or throw an error of Glia's, ask for
// no memory but its result's, and, under the sanitizers, touch none that is not its own.
// GLIA_HOSTILE_CALLS sets how many calls each function gets, GLIA_HOSTILE_SEED the first seed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <new>
#include <regex>
#include <set>

#include "core/node.h"
#include "glia/autodiff.h"
#include "glia/data.h"
#include "glia/nn.h"
#include "glia/nn/transformer.h"
#include "glia/nn/tree.h"
#include "glia/ops.h"
#include "glia/optim.h"
#include "glia/random.h"
#include "glia/runtime.h"
#include "glia/sparse.h"
#include "tests/support/hostile.h"
#include "tests/support/hostile_functions.h"
#include "tests/support/hostile_layers.h"
#include "tests/support/hostile_optim.h"

namespace {
// What one request for memory may be. Sizes here are below 10 or above 2^30.
constexpr size_t kMostBytes = size_t{1} << 30;
}  // namespace

#if !defined(__SANITIZE_ADDRESS__)
// Every other allocation of the program, too: std::bad_alloc is no error of Glia's.
[[gnu::noinline]] void* operator new(size_t bytes) {
  void* p = bytes <= kMostBytes ? std::malloc(bytes ? bytes : 1) : nullptr;
  if (!p) throw std::bad_alloc();
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }
#endif

namespace glia::test {
namespace {

int64_t setting(const char* name, int64_t standard) {
  const char* text = std::getenv(name);
  return text && *text ? std::atoll(text) : standard;
}

using Call = std::function<void(Hostile&)>;

nn::RecurrentOptions recurrent(Hostile& h) {
  return {.num_layers = h.yes() ? 1 : h.integer(),
          .bias = h.yes(),
          .batch_first = h.yes(),
          .dropout = h.yes() ? 0 : h.real(),
          .bidirectional = h.yes(),
          .proj_size = h.yes() ? 0 : h.integer()};
}

nn::Forest forest(Hostile& h) {
  nn::Tree tree{{-1, 0, 0}};
  if (h.yes()) tree.parents[h.yes()] = h.integer();
  return nn::Forest({tree, tree});
}
nn::TransformerLayerOptions transformer(Hostile& h) {
  return {.dim_feedforward = h.count(),
          .dropout = h.rate(),
          .layer_norm_eps = h.real(),
          .batch_first = h.yes(),
          .norm_first = h.yes(),
          .bias = h.yes()};
}
bool rarely(Hostile& h) { return h.yes() && h.yes() && h.yes(); }
void attend_by_heads(Hostile& h) {
  const nn::MultiheadAttention layer(h.count(), h.count(),
                                     {.dropout = h.rate(),
                                      .add_bias_kv = rarely(h),
                                      .add_zero_attn = rarely(h),
                                      .kdim = rarely(h) ? h.integer() : 0,
                                      .vdim = rarely(h) ? h.integer() : 0,
                                      .num_kv_heads = rarely(h) ? h.integer() : 0});
  nn::KVCache cache;
  const bool cached = h.yes();
  for (int i = 0; i < 2; ++i) {
    const Tensor x = h.floats({rarely(h) ? 1 : 2, 2, std::min<int64_t>(layer.embed_dim, 4)});
    nn::MultiheadAttentionInputs in{.need_weights = h.yes(), .is_causal = h.yes()};
    if (rarely(h)) in.key_padding_mask = h.tensor(2);
    if (rarely(h)) in.attn_mask = h.tensor(2);
    if (cached) in.cache = &cache;
    const auto r = layer(x, x, x, in);
    h.use(std::vector{r.out, r.weights});
  }
}
Tensor pad_packed(Hostile& h) {
  nn::PackedSequence p{h.floats({h.yes() ? 2 : 3, 2}), h.indices({h.yes() ? 1 : 2}) + 1};
  if (rarely(h)) p.unsorted_indices = h.indices({2});
  const std::optional<int64_t> most = rarely(h) ? std::optional(h.count()) : std::nullopt;
  return nn::pad_packed_sequence(p, h.yes(), h.real(), most).out;
}

// What an initialiser fills.
Variable place(Hostile& h) { return Variable(rand(h.small_shape(2), h.yes() ? kF32 : kF64), true); }

const std::map<std::string, Call>& calls() {
#define USE(...) [](Hostile& h) { h.use(__VA_ARGS__); }
#define DO(...) [](Hostile& h) { __VA_ARGS__; }
#define UNARY(name) \
  { #name, USE(h.yes() ? name(h.tensor()) : name(h.number())) }
#define BINARY(name, ...)                                                            \
  {                                                                                  \
    name, [](Hostile& h) {                                                           \
      const auto f = [](const Operand& a, const Operand& b) { return __VA_ARGS__; }; \
      const Tensor t = h.tensor();                                                   \
      if (h.yes())                                                                   \
        h.use(f(t, h.number()));                                                     \
      else if (h.yes())                                                              \
        h.use(f(h.number(), t));                                                     \
      else                                                                           \
        h.use(h.yes() ? f(h.tensor(), t) : f(h.number(), h.number()));               \
    }                                                                                \
  }
#define ASSIGN(name)                   \
  {                                    \
    "operator" #name, [](Hostile& h) { \
      Tensor t = h.tensor();           \
      if (h.yes())                     \
        t name h.number();             \
      else                             \
        t name h.tensor();             \
      h.use(t);                        \
    }                                  \
  }
#define REDUCE(name) \
  { #name, USE(name(h.tensor(), h.axes(), h.yes())) }
  static std::map<std::string, Call> list{
      // tensor.h
      {"from_bytes", DO(const uint64_t word = 1; const Shape s = h.shape();
                        if (s.numel() <= 1) h.use(from_bytes(&word, s, h.dtype())))},
      {"from_vector", USE(from_vector(std::vector<float>(3), h.shape()))},
      {"from_external", DO(static uint64_t word; const Shape s = h.shape();
                           if (s.numel() <= 1) h.use(from_external(&word, s, h.dtype(), nullptr)))},
      {"tensor", USE(h.yes() ? tensor(h.integer()) : tensor({h.real(), h.real()}))},
      {"full", USE(full(h.shape(), h.number(), h.dtype()))},
      {"zeros", USE(zeros(h.shape(), h.dtype()))},
      {"ones", USE(ones(h.shape(), h.dtype()))},
      {"zeros_like", USE(zeros_like(h.tensor()))},
      {"ones_like", USE(ones_like(h.tensor()))},
      {"arange", USE(h.yes() ? arange(h.number(), h.number(), h.number(), h.dtype())
                             : arange(h.number(), h.dtype()))},
      {"linspace", USE(linspace(h.real(), h.real(), h.integer(), h.dtype()))},
      {"eye", USE(eye(h.integer(), h.dtype()))},
      {"eval", DO(eval(h.tensor()))},
      {"trainable", USE(trainable(h.tensor()))},
      {"stop_gradient", USE(stop_gradient(h.tensor()))},
      {"eval_variables", DO((void)h; eval_variables())},
      {"index", [](Hostile& h) {
         std::vector<Index> at;
         while (h.yes()) {
           if (h.yes())
             at.push_back(h.slice());
           else if (h.yes())
             at.push_back(h.yes() ? Index(h.integer()) : Index(h.natural()));
           else
             at.push_back(h.yes() ? Index(Ellipsis) : h.yes() ? Index(NewAxis) : h.indices());
         }
         const Tensor x = h.tensor();
         h.use(index(x, at));
         h.use(index_update(x, at, h.tensor(0)));
       }},
      {"index_update", USE(index_update(h.tensor(), {h.slice()}, h.tensor()))},
      {"item", DO(const Tensor t = h.yes() ? h.indices({}) : tensor(h.real()); t.item<int>();
                  t.item<uint8_t>(); t.item<uint64_t>(); t.item<bool>())},
      {"to_vector", DO(const Tensor t = h.yes() ? h.indices() : tensor({h.real(), h.real()});
                       h.yes() ? (void)t.to_vector<uint8_t>() : (void)t.to_vector<int64_t>())},
      {"size", DO(h.tensor().size(h.axis()))},
      // ops.h
      BINARY("operator+", a + b), BINARY("operator-", a - b), BINARY("operator*", a* b),
      BINARY("operator/", a / b), BINARY("operator<", a < b), BINARY("operator<=", a <= b),
      BINARY("operator>", a > b), BINARY("operator>=", a >= b), BINARY("operator==", a == b),
      BINARY("operator!=", a != b), BINARY("operator&", a & b), BINARY("operator|", a | b),
      BINARY("operator^", a ^ b), {"operator~", USE(~h.tensor())},
      ASSIGN(+=), ASSIGN(-=), ASSIGN(*=), ASSIGN(/=),
      BINARY("pow", pow(a, b)), BINARY("floor_divide", floor_divide(a, b)),
      BINARY("remainder", remainder(a, b)), BINARY("maximum", maximum(a, b)),
      BINARY("minimum", minimum(a, b)), BINARY("atan2", atan2(a, b)),
      {"where", USE(where(h.tensor(), h.number(), h.tensor()))},
      {"clamp", USE(clamp(h.tensor(), h.number(), h.number()))},
      UNARY(abs), UNARY(sign), UNARY(square), UNARY(reciprocal), UNARY(sqrt), UNARY(rsqrt),
      UNARY(exp), UNARY(expm1), UNARY(log), UNARY(log1p), UNARY(sin), UNARY(cos), UNARY(tanh),
      UNARY(erf), UNARY(floor), UNARY(ceil), UNARY(round), UNARY(isnan), UNARY(isfinite),
      UNARY(logical_not), UNARY(relu), UNARY(sigmoid), UNARY(log_sigmoid), UNARY(softplus),
      UNARY(silu), UNARY(gelu),
      {"cast", USE(h.yes() ? cast(h.tensor(), h.dtype()) : cast(h.number(), h.dtype()))},
      {"nan_to_num", USE(nan_to_num(h.tensor(), h.real(), h.real(), h.real()))},
      {"leaky_relu", USE(leaky_relu(h.tensor(), h.real()))},
      {"elu", USE(elu(h.tensor(), h.real()))},
      {"reshape", USE(reshape(h.tensor(), h.shape()))},
      {"flatten", USE(flatten(h.tensor(), h.axis(), h.axis()))},
      {"squeeze", USE(squeeze(h.tensor(), h.axis()))},
      {"unsqueeze", USE(unsqueeze(h.tensor(), h.axis()))},
      {"permute", USE(permute(h.tensor(), h.axes()))},
      {"transpose", USE(transpose(h.tensor(), h.axis(), h.axis()))},
      {"expand", USE(expand(h.tensor(), h.shape()))},
      {"pad", DO(const Tensor x = h.tensor(h.yes() ? 1 : 2);
                 h.use(pad(x, h.yes() ? std::vector{h.padding()} : std::vector{h.padding(), h.padding()},
                           h.number())))},
      {"slice", USE(slice(h.tensor(), h.axis(), h.slice()))},
      {"flip", USE(flip(h.tensor(), h.axes()))},
      {"concat", [](Hostile& h) {
         const Tensor a = h.tensor();
         h.use(concat({a, h.yes() ? a : h.tensor(), a}, h.axis()));
         const Tensor wide = expand(h.tensor(1), {h.integer(), h.integer()});
         h.use(concat({wide, wide, wide}, h.axis()));
       }},
      {"stack", DO(const Tensor a = h.tensor(); h.use(stack({a, a}, h.axis())))},
      {"slice_scatter",
       USE(slice_scatter(h.tensor(2), h.tensor(2), h.axis(), h.integer()))},
      {"split", USE(split(h.tensor(), h.integer(), h.axis()))},
      REDUCE(sum), REDUCE(prod), REDUCE(max), REDUCE(min), REDUCE(mean), REDUCE(any), REDUCE(all),
      {"var", USE(var(h.tensor(), h.axes(), h.yes(), h.real()))},
      {"argmax", USE(argmax(h.tensor(), h.axis(), h.yes()))},
      {"argmin", USE(argmin(h.tensor(), h.axis(), h.yes()))},
      {"cumsum", USE(cumsum(h.tensor(), h.axis()))},
      {"cumprod", USE(cumprod(h.tensor(), h.axis()))},
      {"sort", USE(sort(h.tensor(), h.axis(), h.yes()))},
      {"argsort", USE(argsort(h.tensor(), h.axis(), h.yes()))},
      {"topk", USE(topk(h.tensor(), h.integer(), h.axis()))},
      {"take", USE(take(h.tensor(), h.indices(), h.axis()))},
      {"gather", USE(gather(h.tensor(2), h.indices({2, 2}), h.axis()))},
      {"index_add", DO(const Tensor s = h.tensor(2);
                       h.use(index_add(h.tensor(2), h.indices({s.size(0)}), s, h.axis())))},
      {"scatter_add",
       USE(scatter_add(h.tensor(2), h.indices({2, 2}), h.tensor(2), h.axis()))},
      {"one_hot", USE(one_hot(h.indices(), h.integer(), h.dtype()))},
      {"nonzero", USE(nonzero(h.tensor()))},
      {"matmul", USE(matmul(h.tensor(), h.tensor()))},
      {"linear", USE(linear(h.tensor(), h.tensor(2), h.tensor(1)))},
      {"lstm", USE(h.yes() ? lstm(h.tensor(3), h.tensor(2), h.tensor(2))
 : lstm(h.floats({2, 1, 3}), h.floats({8, 3}), h.floats({8, 2})))},
      {"gru", USE(h.yes() ? gru(h.tensor(3), h.tensor(2), h.tensor(2))
 : gru(h.floats({2, 1, 3}), h.floats({6, 3}), h.floats({6, 2})))},
      {"rnn", USE(h.yes() ? rnn(h.tensor(3), h.tensor(2), h.tensor(2))
 : rnn(h.floats({2, 1, 3}), h.floats({2, 3}), h.floats({2, 2})))},
      {"scaled_dot_product_attention",
       [](Hostile& h) {
         AttentionOptions options{.is_causal = h.yes(), .enable_gqa = h.yes()};
         if (h.yes()) options.scale = h.real();
         if (h.yes()) options.dropout_p = h.real();
         if (h.yes()) options.key_length = h.integer();
         h.use(scaled_dot_product_attention(h.floats({2, 3, 4}), h.floats({2, 5, 4}),
                                            h.floats({2, 5, 4}), options));
       }},
      {"conv2d",
       [](Hostile& h) {
         const auto pair = [&](int64_t usual) {
           return h.yes() ? std::pair(usual, usual) : h.pair();
         };
         const Shape kernel{2, h.yes() ? 1 : 2, h.yes() ? 1 : 3, 2};
         h.use(conv2d(h.image(), h.floats(kernel), {},
                      {.stride = pair(1),
                       .padding = pair(0),
                       .dilation = pair(1),
                       .groups = h.yes() ? 1 : h.integer()}));
       }},
      {"max_pool2d", USE(h.yes() ? max_pool2d(h.image(), h.pair(), {h.pair(), h.padding()})
                                 : max_pool2d(h.image(), h.count()))},
      {"avg_pool2d", USE(h.yes() ? avg_pool2d(h.image(), h.pair(), {h.pair(), h.padding()})
                                 : avg_pool2d(h.image(), h.count()))},
      {"softmax", USE(softmax(h.tensor(), h.axis()))},
      {"log_softmax", USE(log_softmax(h.tensor(), h.axis()))},
      REDUCE(logsumexp),
      {"cross_entropy", USE(cross_entropy(h.floats({2, 3}), h.indices({2}),
                                          {.label_smoothing = h.yes() ? 0 : h.real(),
                                           .ignore_index = h.integer()}))},
      {"nll_loss", USE(nll_loss(h.floats({2, 3}), h.indices({2})))},
      {"mse_loss", USE(mse_loss(h.tensor(), h.tensor()))},
      {"l1_loss", USE(l1_loss(h.tensor(), h.tensor()))},
      {"smooth_l1_loss", USE(smooth_l1_loss(h.floats({3}), h.floats({3}), h.real()))},
      {"binary_cross_entropy_with_logits",
       USE(binary_cross_entropy_with_logits(h.tensor(), h.tensor()))},
      {"layer_norm", USE(layer_norm(h.tensor(), {}, {}, h.axis(), h.real()))},
      {"batch_norm", USE(batch_norm(h.tensor(), {}, {}, h.real()))},
      {"dropout", USE(dropout(h.tensor(), h.real()))},
      // sparse.h
      {"embedding", [](Hostile& h) {
         LookupOptions options{.sparse = h.yes()};
         if (h.yes()) options.padding_idx = h.integer();
         h.use(embedding(h.indices(), h.floats({3, 2}), options));
       }},
      {"embedding_bag", [](Hostile& h) {
         BagOptions options;
         options.sparse = h.yes();
         options.include_last_offset = h.yes();
         options.mode = h.yes() ? BagMode::kSum : h.yes() ? BagMode::kMean : BagMode::kMax;
         if (h.yes()) options.padding_idx = h.integer();
         if (h.yes())
           h.use(embedding_bag(h.indices({2, 2}), h.floats({3, 2}), {}, {}, options));
         else
           h.use(embedding_bag(h.indices({4}), h.floats({3, 2}),
 h.yes() ? tensor({0, 2, 4}) : h.indices({2}), {}, options));
       }},
      {"Csr", [](Hostile& h) {
         const Shape shape{h.count(), h.count()};
         if (h.yes())
           h.use(Csr::from_coo(h.indices({2}), h.indices({2}), h.floats({2}), shape));
         else
           h.use(Csr(h.yes() ? tensor({0, 1, 2}) : h.indices({3}), h.indices({2}), h.floats({2}), shape));
       }},
      {"spmm", USE(spmm(Csr::from_dense(h.floats({2, 3})), h.tensor()))},
      // random.h
      {"manual_seed", DO(manual_seed(h.natural()); h.use(rand({3})))},
      {"random_state", DO((void)h; random_state())},
      {"set_random_state", DO(set_random_state({h.natural(), h.natural()}); h.use(randn({3})))},
      {"rand", USE(rand(h.shape(), h.dtype()))},
      {"uniform", USE(uniform(h.shape(), h.real(), h.real(), h.dtype()))},
      {"randn", USE(randn(h.shape(), h.dtype()))},
      {"normal", USE(normal(h.shape(), h.real(), h.real(), h.dtype()))},
      {"randint", USE(randint(h.integer(), h.integer(), h.yes() ? Shape{3} : h.shape()))},
      {"bernoulli", USE(bernoulli(h.shape(), h.real()))},
      {"randperm", USE(randperm(h.integer()))},
      // shape.h
      {"broadcast", DO(broadcast(h.shape(), h.shape()).numel())},
      {"normalize_axis", DO(normalize_axis(h.integer(), h.axis() & 7))},
      {"add_sizes", DO(add_sizes(h.natural() >> 1, h.natural() >> 1))},
      {"multiply_sizes", DO(multiply_sizes(h.natural() >> 1, h.natural() >> 1))},
      // nn.h
      {"Linear", DO(const nn::Linear l(h.count(), h.count(), {.bias = h.yes()});
                    h.use(l.parameters()); h.use(l(h.tensor())))},
      {"Conv2d", [](Hostile& h) {
         const nn::Conv2d l(h.yes() ? 2 : h.count(), h.count(),
                            {.kernel = h.pair(),
                             .stride = h.pair(),
                             .padding = h.padding(),
                             .dilation = h.pair(),
                             .groups = h.yes() ? 1 : h.count()});
         h.use(l.parameters());
         h.use(l(h.image()));
       }},
      {"BatchNorm2d", DO(nn::BatchNorm2d l(h.count(), {.eps = h.real(), .momentum = h.real()});
                         h.use(l(h.image())); l.eval(); h.use(l(h.image())))},
      {"LayerNorm", DO(const nn::LayerNorm l(h.shape(), {.eps = h.real()}); h.use(l(h.tensor())))},
      {"Dropout", DO(const nn::Dropout l(h.real()); h.use(l(h.tensor())))},
      {"Embedding", [](Hostile& h) {
         nn::EmbeddingOptions options{.sparse = h.yes()};
         if (h.yes()) options.padding_idx = h.integer();
         h.use(nn::Embedding(h.count(), h.count(), options)(h.indices()));
       }},
      {"EmbeddingBag", [](Hostile& h) {
         nn::EmbeddingBagOptions options;
         if (h.yes()) options.padding_idx = h.integer();
         h.use(nn::EmbeddingBag(h.count(), h.count(), options)(h.indices({2, 2})));
       }},
      {"LSTM", USE(nn::LSTM(h.count(), h.count(), recurrent(h))(h.tensor(3)))},
      {"GRU", USE(nn::GRU(h.count(), h.count(), recurrent(h))(h.tensor(3)))},
      {"RNN", USE(nn::RNN(h.count(), h.count(), recurrent(h))(h.tensor(3)))},
      {"PeepholeLSTM",
       USE(nn::PeepholeLSTM(h.count(), h.count(), recurrent(h),
                            h.yes() ? nn::PeepholeForm::kGraves : nn::PeepholeForm::kArticle)(
           h.tensor(3), {}, {}, h.yes() ? h.indices() : Tensor()))},
      {"LayerNormLSTM",
       USE(nn::LayerNormLSTM(h.count(), h.count(), recurrent(h), h.real())(h.tensor(3)))},
      {"GRU lengths", USE(nn::GRU(1, h.count(), recurrent(h))(
                          h.floats({2, 2, 1}), {}, h.yes() ? h.indices({2}) : h.tensor()))},
      {"LSTMCell", DO(const auto s = nn::LSTMCell(h.count(), h.count(), {.bias = h.yes()})(
                          h.tensor(2), {h.yes() ? h.tensor(2) : Tensor(), {}});
                      h.use(std::vector{s.h, s.c}))},
      {"GRUCell", USE(nn::GRUCell(h.count(), h.count())(h.tensor(2)))},
      {"RNNCell", USE(nn::RNNCell(h.count(), h.count())(h.tensor(2)))},
      {"pack_padded_sequence", USE(nn::pack_padded_sequence(h.floats({2, 2, 1}), h.indices({2}) + 1,
                                                            h.yes(), h.yes())
                                       .data)},
      {"pad_packed_sequence", USE(pad_packed(h))},
      {"unpad_sequence",
       USE(nn::unpad_sequence(h.floats({2, 2}), h.indices({2}), h.yes()))},
      {"reverse_sequences", USE(nn::reverse_sequences(h.tensor(), h.indices()))},
      {"ScoreAttention",
       DO(const nn::Score score = static_cast<nn::Score>(h.axis() & 3);
          const auto r = nn::ScoreAttention(h.count(), h.count(),
                                            {.score = score, .hidden = rarely(h) ? h.integer() : 0})(
              h.floats({2, h.yes() ? 1 : 2}), h.floats({3, h.yes() ? 1 : 2}), h.floats({3, 1}),
              rarely(h) ? h.tensor() : Tensor());
          h.use(std::vector{r.out, r.weights}))},
      {"MultiheadAttention", attend_by_heads},
      {"sliding_window",
       USE(nn::sliding_window(h.count(), h.count(), h.integer(), h.integer()))},
      {"causal_upper_left", USE(nn::causal_upper_left(h.integer(), h.integer()))},
      {"causal_lower_right", USE(nn::causal_lower_right(h.integer(), h.integer()))},
      {"generate_square_subsequent_mask", USE(nn::generate_square_subsequent_mask(h.integer()))},
      {"sinusoidal_positions",
       USE(nn::sinusoidal_positions(h.count(), h.count(), h.real(), h.integer()))},
      {"SinusoidalPositions", USE(nn::SinusoidalPositions(h.real())(h.tensor(), h.integer()))},
      {"LearnedPositions",
       USE(nn::LearnedPositions(h.count(), h.count())(h.tensor(3), h.integer()))},
      {"rotary", USE(nn::rotary(h.tensor(), {.base = h.real(),
                                             .interleaved = h.yes(),
                                             .size = h.yes() ? 0 : h.integer(),
                                             .first = h.integer()}))},
      {"alibi", USE(nn::alibi(h.count(), h.count(), h.integer()))},
      {"RelativePositionBias",
       USE(nn::RelativePositionBias(h.count(), {.bidirectional = h.yes(),
                                                .num_buckets = h.yes() ? 32 : h.integer(),
                                                .max_distance = h.yes() ? 128 : h.integer()})(
           h.count(), h.count()))},
      {"RelativeAttention",
       DO(const int64_t size = h.count();
          h.use(nn::RelativeAttention(size, h.integer())(
              h.floats({2, size}), h.floats({2, size}), h.floats({2, size}),
              h.yes() ? h.tensor(2) : Tensor())))},
      {"TransformerEncoderLayer",
       USE(nn::TransformerEncoderLayer(h.count(), h.count(), transformer(h))(h.tensor(3)))},
      {"TransformerEncoder",
       USE(nn::TransformerEncoder(nn::TransformerEncoderLayer(2, 1, transformer(h)), h.count())(
           h.floats({2, 2, 2}), h.yes() ? h.tensor(2) : Tensor()))},
      {"TransformerDecoderLayer",
       USE(nn::TransformerDecoderLayer(h.count(), h.count(), transformer(h))(h.tensor(3),
                                                                             h.tensor(3)))},
      {"TransformerDecoder",
       USE(nn::TransformerDecoder(nn::TransformerDecoderLayer(2, 1, transformer(h)), h.count())(
           h.floats({2, 2, 2}), h.floats({2, 2, 2}),
           {.tgt_mask = h.yes() ? h.tensor(2) : Tensor()}))},
      {"Transformer", USE(nn::Transformer({.d_model = h.count(),
                                           .nhead = 1,
                                           .num_encoder_layers = h.count(),
                                           .num_decoder_layers = h.count(),
                                           .dim_feedforward = h.count(),
                                           .dropout = h.rate()})(h.tensor(3), h.tensor(3)))},
      {"ChildSumTreeLSTM", USE(nn::ChildSumTreeLSTM(h.count(), h.count())(
                               h.floats({6, h.yes() ? 1 : 2}), forest(h)).h)},
      {"NaryTreeLSTM", USE(nn::NaryTreeLSTM(h.count(), h.count(), h.count())(
                           h.floats({6, h.yes() ? 1 : 2}), forest(h)).h)},
      {"RecursiveNet", USE(nn::RecursiveNet(h.count(), {.tensor = h.yes()})(
                           h.floats({6, h.yes() ? 1 : 2}), forest(h)).h)},
      {"MaxPool2d", USE(nn::MaxPool2d(h.pair(), {h.pair(), h.padding()})(h.image()))},
      {"AvgPool2d", USE(nn::AvgPool2d(h.pair(), {h.pair(), h.padding()})(h.image()))},
      {"AdaptiveAvgPool2d", USE(nn::AdaptiveAvgPool2d(h.pair())(h.image()))},
      {"Flatten", USE(nn::Flatten(h.axis(), h.axis())(h.tensor()))},
      {"LeakyReLU", USE(nn::LeakyReLU(h.real())(h.tensor()))},
      {"ELU", USE(nn::ELU(h.real())(h.tensor()))},
      {"Softmax", USE(nn::Softmax(h.axis())(h.tensor()))},
      {"LogSoftmax", USE(nn::LogSoftmax(h.axis())(h.tensor()))},
      {"CrossEntropyLoss", USE(nn::CrossEntropyLoss({.ignore_index = h.integer()})(
                               h.floats({2, 3}), h.indices({2})))},
      {"SmoothL1Loss", USE(nn::SmoothL1Loss({.beta = h.real()})(h.floats({3}), h.floats({3})))},
      {"uniform_", DO(nn::init::uniform_(place(h), h.real(), h.real()))},
      {"normal_", DO(nn::init::normal_(place(h), h.real(), h.real()))},
      {"constant_", DO(nn::init::constant_(place(h), h.real()))},
      {"trunc_normal_",
       DO(nn::init::trunc_normal_(place(h), h.real(), h.real(), h.real(), h.real()))},
      {"xavier_uniform_", DO(nn::init::xavier_uniform_(place(h), h.real()))},
      {"xavier_normal_", DO(nn::init::xavier_normal_(place(h), h.real()))},
      {"calculate_gain",
       DO(nn::init::calculate_gain(nn::init::Nonlinearity::kLeakyReLU, h.real()))},
      {"kaiming_uniform_", DO(nn::init::kaiming_uniform_(place(h), {.a = h.real()}))},
      {"kaiming_normal_", DO(nn::init::kaiming_normal_(place(h), {.a = h.real()}))},
      {"orthogonal_", DO(nn::init::orthogonal_(place(h), h.real()))},
  };
#undef USE
#undef DO
#undef UNARY
#undef BINARY
#undef ASSIGN
#undef REDUCE
  [[maybe_unused]] static const bool whole = [] {
    for (auto& [name, call] : hostile_array_functions()) list[name] = call;
    for (const auto& more : {hostile_picture_functions(), hostile_activations_and_norms(),
                             hostile_losses(), hostile_optimizers(), hostile_schedules()})
      for (const auto& [name, call] : more) list[name] = call;
    return true;
  }();
  return list;
}

TEST(Hostile, EveryCallReturnsOrThrowsAnErrorOfGlias) {
  const int64_t count = setting("GLIA_HOSTILE_CALLS", 150);
  const int64_t first = setting("GLIA_HOSTILE_SEED", 1);
  limit_memory(kMostBytes);
  for (const auto& [name, call] : calls()) {
    int64_t returned = 0;
    for (int64_t seed = first; seed < first + count; ++seed) {
      SCOPED_TRACE(name + ", seed " + std::to_string(seed));
      if (setting("GLIA_HOSTILE_SHOW", 0)) std::cerr << name << ' ' << seed << std::endl;
      Hostile h(static_cast<uint64_t>(seed));
      set_eager(seed % 3 == 0);
      try {
        call(h);
        ++returned;
      } catch (const Error& error) {
        EXPECT_STRNE(error.what(), "");
      } catch (const std::exception& error) {
        ADD_FAILURE() << "not an error of Glia's: " << error.what();
      }
    }
    set_eager(false);
    EXPECT_GT(returned, 0) << name << " never got past its checks";
  }
  limit_memory(physical_memory());
}

// ---- The list is whole ------------------------------------------------------------------------

// A header, and those of the folder that it stands for.
std::string text_of_header(const std::string& name) {
  const std::filesystem::path header =
      std::filesystem::path(GLIA_SOURCE_DIR) / "include/glia" / name;
  std::vector<std::filesystem::path> files{header};
  if (const auto folder = std::filesystem::path(header).replace_extension();
      std::filesystem::is_directory(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      files.push_back(entry.path());
  }
  std::string text;
  for (const auto& file : files) {
    std::ifstream in(file);
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  return text;
}

// The names that the pattern's group finds in a header.
std::set<std::string> names_in(const std::string& header, const std::string& pattern) {
  const std::string text = text_of_header(header);
  EXPECT_NE(text, "") << header;
  const std::regex regex(pattern, std::regex::multiline);
  std::set<std::string> names;
  for (std::sregex_iterator i(text.begin(), text.end(), regex), end; i != end; ++i)
    names.insert((*i)[1]);
  EXPECT_FALSE(names.empty()) << header;
  return names;
}

TEST(Hostile, KnowsEveryFunctionOfTheHeaders) {
  // Take no numbers.
  const std::set<std::string> harmless{
      "GELU", "Identity", "ReLU", "SiLU", "Sigmoid", "Tanh", "L1Loss", "MSELoss", "NLLLoss",
      "BCEWithLogitsLoss", "Sequential", "Recurrent", "Elementwise", "Wrapper", "zeros_", "ones_",
      "visit_field", "visit_each_field", "Activation", "RecurrentCell", "Convolution",
      // Layers that only hold the options of a loss or of another
      // layer, and members of templates.
      "BCELoss", "CTCLoss", "CosineEmbeddingLoss", "GaussianNLLLoss", "HingeEmbeddingLoss",
      "HuberLoss", "KLDivLoss", "MarginRankingLoss", "MultiLabelMarginLoss",
      "MultiLabelSoftMarginLoss", "MultiMarginLoss", "PoissonNLLLoss", "SoftMarginLoss",
      "TripletMarginLoss", "TripletMarginWithDistanceLoss", "Parametrized", "begin_spectral",
      "check_spectral", "visit_all_but_weight"};
  // Declared at the beginning of a line, with a type before the name.
  const std::string function = R"(^(?!using|return|namespace|struct|class|#|//|inline constexpr))"
                               R"([A-Za-z_][\w:<>,& ]*[ &>](operator[^\s(]+|\w+)\()";
  const std::string layer =
      R"(^(?:struct|class) (\w+) : (?:public )?(?:Module|Recurrent|Convolution|Padding) \{)";
  const std::string optimizer = R"(^class (\w+) (?:final )?: public (?:Optimizer|Adam) \{)";
  std::set<std::string> names;
  for (const char* header : {"tensor.h", "shape.h", "ops.h", "sparse.h", "random.h"})
    names.merge(names_in(header, function));
  names.merge(names_in("nn.h", layer));
  names.merge(names_in("nn.h", R"(^(?:void|double) (\w+)\()"));
  names.merge(names_in("optim.h", optimizer));
  names.merge(names_in("optim.h", R"(^(?:Schedule|ClippedGradients|std::vector<Tensor>) (\w+)\()"));
  EXPECT_GT(names.size(), 150u);
  for (const std::string& name : names) {
    EXPECT_TRUE(harmless.contains(name) || calls().contains(name))
        << name << " is called with no hostile numbers";
  }
}

}  // namespace
}  // namespace glia::test
