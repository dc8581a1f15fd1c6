// Calls of convolutions, pools, pictures, activations, norms, losses and their layers with
// arguments as far out as their types go.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "glia/nn.h"
#include "glia/ops/activation.h"
#include "glia/ops/image.h"
#include "glia/ops/loss.h"
#include "glia/ops/normalize.h"
#include "tests/support/hostile.h"

namespace glia::test {

using HostileCalls = std::map<std::string, std::function<void(Hostile&)>>;

#define USE(...) [](Hostile& h) { h.use(__VA_ARGS__); }
#define DO(...) [](Hostile& h) { __VA_ARGS__; }
#define ONE(name) \
  { #name, USE(name(h.tensor())) }
#define PLAIN(name, ...) \
  { #name, USE(name(__VA_ARGS__)) }
#define LOSS(name) \
  { #name, USE(name(h.tensor(2), h.tensor(2))) }
#define LAYER(name, input, ...) \
  { #name, USE(nn::name(__VA_ARGS__)(input)) }

inline Sizes sizes(Hostile& h) {
  Sizes out(static_cast<size_t>(h.yes() ? 1 : 2));
  for (int64_t& n : out) n = h.count();
  return out;
}
// Rates above what a picture has room for are refused before anything as long is made.
inline Sizes padded(Hostile& h) { return {h.padding().first}; }
inline Size3d size3d(Hostile& h) { return {h.count(), h.count(), h.count()}; }
inline Size3d padding3d(Hostile& h) { return {h.padding().first, h.padding().first, 0}; }
inline Tensor line(Hostile& h) { return h.floats({1, 5, 2}); }
inline Tensor volume(Hostile& h) { return h.floats({1, 3, 4, 3, 2}); }
inline MaxPoolOptions pooling(Hostile& h) {
  return {.stride = h.yes() ? Sizes() : sizes(h),
          .padding = padded(h),
          .dilation = sizes(h),
          .ceil_mode = h.yes()};
}
inline UnfoldOptions unfolding(Hostile& h) {
  return {.stride = h.pair(), .padding = h.padding(), .dilation = h.pair()};
}

inline HostileCalls hostile_picture_functions() {
  return {
      PLAIN(conv1d, line(h), h.floats({3, 2, 2}), {},
            {.stride = h.count(),
             .padding = h.padding().first,
             .dilation = h.count(),
             .groups = h.count()}),
      PLAIN(conv3d, volume(h), h.floats({3, 2, 2, 1, 2}), {},
            {.stride = size3d(h),
             .padding = padding3d(h),
             .dilation = size3d(h),
             .groups = h.count()}),
      PLAIN(conv_transpose1d, line(h), h.floats({2, 2, 3}), {},
            {.stride = h.count(),
             .padding = h.padding().first,
             .output_padding = h.padding().first,
             .dilation = h.count(),
             .groups = h.count()}),
      PLAIN(conv_transpose2d, h.image(), h.floats({2, 2, 2, 3}), {},
            {.stride = h.pair(),
             .padding = h.padding(),
             .output_padding = h.padding(),
             .dilation = h.pair(),
             .groups = h.count()}),
      PLAIN(conv_transpose3d, volume(h), h.floats({2, 2, 1, 2, 3}), {},
            {.stride = size3d(h),
             .padding = padding3d(h),
             .output_padding = padding3d(h),
             .dilation = size3d(h),
             .groups = h.count()}),
      PLAIN(fold, h.floats({1, 12, 8}), h.yes() ? std::pair<int64_t, int64_t>{4, 5} : h.pair(),
            h.yes() ? std::pair<int64_t, int64_t>{2, 2} : h.pair(),
            h.yes() ? UnfoldOptions() : unfolding(h)),
      PLAIN(locally_connected2d, h.image(), h.floats({3, 4, 8, 3}), {},
            h.yes() ? std::pair<int64_t, int64_t>{2, 2} : h.pair(),
            h.yes() ? UnfoldOptions() : unfolding(h)),
      PLAIN(bilinear, h.tensor(2), h.tensor(2), h.tensor(3)),
      PLAIN(max_pool, h.image(), sizes(h), pooling(h)),
      {"max_pool_with_indices",
       DO(const MaxPoolResult r = max_pool_with_indices(h.image(), sizes(h), pooling(h));
          h.use(r.out); h.use(r.indices))},
      PLAIN(max_unpool, h.floats({1, 2, 2, 2}), h.indices({1, 2, 2, 2}), sizes(h)),
      PLAIN(avg_pool, h.image(), sizes(h),
            {.stride = sizes(h),
             .padding = padded(h),
             .ceil_mode = h.yes(),
             .count_include_pad = h.yes(),
             .divisor_override = h.integer()}),
      PLAIN(lp_pool, h.image(), h.real(), sizes(h), sizes(h), h.yes()),
      PLAIN(adaptive_avg_pool, h.image(), sizes(h)),
      PLAIN(adaptive_max_pool, h.image(), sizes(h)),
      {"adaptive_max_pool_with_indices",
       USE(adaptive_max_pool_with_indices(h.image(), sizes(h)).indices)},
      {"fractional_max_pool", USE(fractional_max_pool(h.image(), sizes(h), sizes(h)).out)},
      PLAIN(maxmin_pool, h.tensor()),
      PLAIN(pixel_shuffle, h.floats({1, 2, 3, 8}), h.integer()),
      PLAIN(pixel_unshuffle, h.image(), h.integer()),
      PLAIN(channel_shuffle, h.image(), h.integer()),
      // Sizes that fit into memory, or none that do.
      {"interpolate",
       [](Hostile& h) {
         const int64_t size = h.integer();
         if (size > 1000 && size < INT32_MAX) return;
         h.use(
             interpolate(h.image(), {std::min<int64_t>(size, INT64_MAX), h.count() % 100},
                         {.mode = h.yes() ? InterpolationMode::kCubic : InterpolationMode::kNearest,
                          .align_corners = h.yes(),
                          .antialias = h.yes()}));
       }},
      PLAIN(affine_grid, h.floats({1, 2, 3}), {h.padding().first % 50, 3}, h.yes()),
      PLAIN(grid_sample, h.image(), h.floats({1, 2, 2, 2}) * h.real(),
            {.mode = h.yes() ? InterpolationMode::kCubic : InterpolationMode::kLinear,
             .padding = h.yes() ? GridPadding::kReflection : GridPadding::kBorder,
             .align_corners = h.yes()}),
      LAYER(Conv1d, line(h), h.yes() ? 2 : h.count(), h.count(),
            {.kernel = h.count(),
             .stride = h.count(),
             .padding = h.padding().first,
             .dilation = h.count(),
             .groups = h.count(),
             .same = h.yes()}),
      LAYER(
          Conv3d, volume(h), h.yes() ? 2 : h.count(), h.count(),
          {.kernel = size3d(h), .stride = size3d(h), .padding = padding3d(h), .groups = h.count()}),
      LAYER(ConvTranspose1d, line(h), h.yes() ? 2 : h.count(), h.count(),
            {.kernel = h.count(),
             .stride = h.count(),
             .padding = h.padding().first,
             .dilation = h.count(),
             .groups = h.count()}),
      LAYER(ConvTranspose2d, h.image(), h.yes() ? 2 : h.count(), h.count(),
            {.kernel = h.pair(), .stride = h.pair(), .padding = h.padding(), .groups = h.count()}),
      LAYER(ConvTranspose3d, volume(h), h.yes() ? 2 : h.count(), h.count(),
            {.kernel = size3d(h), .stride = size3d(h), .groups = h.count()}),
      LAYER(LocallyConnected2d, h.image(), h.yes() ? 2 : h.count(), h.count(),
            h.yes() ? std::pair<int64_t, int64_t>{4, 5} : h.pair(),
            {.kernel = h.pair(), .stride = h.pair(), .padding = h.padding(), .dilation = h.pair()}),
      LAYER(LocallyConnected1d, line(h), h.yes() ? 2 : h.count(), h.count(),
            h.yes() ? 5 : h.count(),
            {.kernel = h.count(),
             .stride = h.count(),
             .padding = h.padding().first,
             .dilation = h.count()}),
      LAYER(Unfold, h.image(), h.pair(),
            {.stride = h.pair(), .padding = h.padding(), .dilation = h.pair()}),
      LAYER(Fold, h.floats({1, 9, 8}), h.yes() ? std::pair<int64_t, int64_t>{4, 4} : h.pair(),
            h.yes() ? std::pair<int64_t, int64_t>{2, 2} : h.pair(), {.dilation = h.pair()}),
      {"MaxUnpool",
       USE(nn::MaxUnpool(sizes(h), h.yes() ? Sizes() : sizes(h), padded(h))(
           h.floats({1, 2, 2}), h.indices({1, 2, 2}), h.yes() ? Sizes() : Sizes{h.count()}))},
      {"Bilinear", USE(nn::Bilinear(h.count(), h.count(), h.count())(h.tensor(2), h.tensor(2)))},
      LAYER(MaxPool, h.image(), sizes(h), pooling(h)),
      LAYER(AvgPool, h.image(), sizes(h)),
      LAYER(LPPool, h.image(), h.real(), sizes(h)),
      LAYER(AdaptiveAvgPool, h.image(), sizes(h)),
      LAYER(AdaptiveMaxPool, h.image(), sizes(h)),
      LAYER(FractionalMaxPool, h.image(), sizes(h), sizes(h)),
      LAYER(Padding, h.image(), {h.padding(), h.padding()},
            h.yes() ? PadMode::kReflect : PadMode::kConstant),
      LAYER(ConstantPad, h.image(), {h.padding().first, h.padding().first}, h.real()),
      LAYER(ZeroPad, h.image(), h.padding().first),
      LAYER(ReflectionPad, h.image(), h.padding().first),
      LAYER(ReplicationPad, h.image(), {h.padding().first, 1, h.padding().first, 0}),
      LAYER(CircularPad, h.image(), h.padding().first),
      LAYER(Upsample, h.image(), {.scale_factor = {h.rate(), h.yes() ? 2 : h.rate()}}),
      LAYER(PixelShuffle, h.image(), h.integer()),
      LAYER(PixelUnshuffle, h.image(), h.integer()),
      LAYER(ChannelShuffle, h.image(), h.integer()),
  };
}

inline HostileCalls hostile_activations_and_norms() {
  return {
      ONE(hardsigmoid),
      ONE(hardswish),
      ONE(mish),
      ONE(relu6),
      ONE(selu),
      ONE(softsign),
      ONE(tanhshrink),
      PLAIN(threshold, h.tensor(), h.real(), h.real()),
      PLAIN(hardtanh, h.tensor(), h.real(), h.real()),
      PLAIN(hardshrink, h.tensor(), h.real()),
      PLAIN(softshrink, h.tensor(), h.real()),
      PLAIN(celu, h.tensor(), h.real()),
      PLAIN(prelu, h.tensor(), h.tensor(1)),
      PLAIN(rrelu, h.tensor(), h.real(), h.real(), h.yes()),
      PLAIN(glu, h.tensor(), h.axis()),
      PLAIN(swiglu, h.tensor(), h.axis()),
      PLAIN(geglu, h.tensor(), h.axis()),
      PLAIN(softmin, h.tensor(), h.axis()),
      PLAIN(gumbel_softmax, h.tensor(), {.tau = h.real(), .hard = h.yes(), .axis = h.axis()}),
      PLAIN(group_norm, h.tensor(), h.integer(), {}, {}, h.real()),
      PLAIN(instance_norm, h.tensor(), {}, {}, h.real()),
      PLAIN(rms_norm, h.tensor(), {}, h.axis(), h.real()),
      PLAIN(local_response_norm, h.tensor(), h.integer(),
            {.alpha = h.real(), .beta = h.real(), .k = h.real()}),
      PLAIN(normalize, h.tensor(), h.real(), h.axis(), h.real()),
      PLAIN(pairwise_distance, h.tensor(2), h.tensor(2), h.real(), h.real(), h.yes()),
      PLAIN(cosine_similarity, h.tensor(2), h.tensor(2), h.axis(), h.real()),
      PLAIN(dropout1d, h.tensor(3), h.real()),
      PLAIN(dropout2d, h.tensor(4), h.real()),
      PLAIN(dropout3d, volume(h), h.real()),
      PLAIN(alpha_dropout, h.tensor(), h.real()),
      PLAIN(feature_alpha_dropout, h.tensor(), h.real()),
      PLAIN(drop_path, h.tensor(), h.real()),
      LAYER(Softplus, h.tensor(), h.real(), h.real()),
      LAYER(Threshold, h.tensor(), h.real(), h.real()),
      LAYER(Hardtanh, h.tensor(), h.real(), h.real()),
      LAYER(Hardshrink, h.tensor(), h.real()),
      LAYER(Softshrink, h.tensor(), h.real()),
      LAYER(CELU, h.tensor(), h.real()),
      LAYER(PReLU, h.tensor(), h.count(), h.real()),
      LAYER(RReLU, h.tensor(), h.real(), h.real()),
      LAYER(GLU, h.tensor(), h.axis()),
      LAYER(SwiGLU, h.tensor(), h.axis()),
      LAYER(GEGLU, h.tensor(), h.axis()),
      LAYER(Softmin, h.tensor(), h.axis()),
      {"Softmax2d", USE(nn::Softmax2d()(h.tensor()))},
      LAYER(GroupNorm, h.image(), h.count(), h.count(), {.eps = h.real()}),
      LAYER(InstanceNorm2d, h.image(), h.count()),
      LAYER(RMSNorm, h.tensor(), h.shape()),
      LAYER(LocalResponseNorm, h.image(), h.integer()),
      {"DropoutBase", DO(nn::DropoutBase("Dropout", h.real()))},
  };
}

inline HostileCalls hostile_losses() {
  return {
      LOSS(binary_cross_entropy),
      LOSS(soft_margin_loss),
      LOSS(multilabel_margin_loss),
      LOSS(multilabel_soft_margin_loss),
      LOSS(dice_loss),
      LOSS(jaccard_loss),
      LOSS(kl_bernoulli),
      LOSS(kl_categorical),
      LOSS(bernoulli_log_likelihood),
      LOSS(kl_normal),
      LOSS(sample_normal),
      PLAIN(huber_loss, h.tensor(2), h.tensor(2), h.real()),
      PLAIN(poisson_nll_loss, h.tensor(2), h.tensor(2),
            {.log_input = h.yes(), .full = h.yes(), .eps = h.real()}),
      PLAIN(gaussian_nll_loss, h.tensor(2), h.tensor(2), h.tensor(2),
            {.full = h.yes(), .eps = h.real()}),
      PLAIN(kl_div, h.tensor(2), h.tensor(2), {.log_target = h.yes(), .batchmean = h.yes()}),
      PLAIN(hinge_embedding_loss, h.tensor(2), h.tensor(2), h.real()),
      PLAIN(margin_ranking_loss, h.tensor(1), h.tensor(1), h.tensor(1), h.real()),
      PLAIN(multi_margin_loss, h.floats({3, 4}), h.indices({3}),
            {.p = h.integer(), .margin = h.real()}),
      PLAIN(cosine_embedding_loss, h.tensor(2), h.tensor(2), h.tensor(1), h.real()),
      PLAIN(triplet_margin_loss, h.tensor(2), h.tensor(2), h.tensor(2),
            {.margin = h.real(), .p = h.real(), .eps = h.real(), .swap = h.yes()}),
      PLAIN(triplet_margin_with_distance_loss, h.tensor(2), h.tensor(2), h.tensor(2), {},
            {.margin = h.real(), .swap = h.yes()}),
      PLAIN(contrastive_loss, h.tensor(2), h.tensor(2), h.tensor(1), h.real()),
      PLAIN(info_nce_loss, h.tensor(2), h.tensor(2), {}, {.temperature = h.real()}),
      PLAIN(nt_xent_loss, h.tensor(2), h.tensor(2), {.temperature = h.real()}),
      PLAIN(ctc_loss, h.floats({2, 5, 4}), h.yes() ? ones({2, 3}, kI64) : h.indices({2, 3}),
            h.yes() ? full({2}, 5, kI64) : h.indices({2}), h.indices({2}),
            {.blank = h.yes() ? 0 : h.integer(), .zero_infinity = h.yes()}),
      PLAIN(sigmoid_focal_loss, h.tensor(2), h.tensor(2), {.alpha = h.real(), .gamma = h.real()}),
      PLAIN(focal_loss, h.floats({3, 4}), h.indices({3}),
            {.gamma = h.real(), .ignore_index = h.integer()}),
      PLAIN(tversky_loss, h.tensor(2), h.tensor(2),
            {.alpha = h.real(), .beta = h.real(), .smooth = h.real()}),
      PLAIN(normal_log_likelihood, h.tensor(2), h.tensor(2), h.tensor(2)),
      PLAIN(elbo, h.tensor(1), h.tensor(2), {.beta = h.real(), .free_bits = h.real()}),
      {"AdaptiveLogSoftmaxWithLoss",
       USE(nn::AdaptiveLogSoftmaxWithLoss(h.count(), h.yes() ? 9 : h.count(),
                                          {h.count(), h.count()},
                                          {.div_value = h.rate()})(h.floats({2, 3}), h.indices({2}))
               .output)},
  };
}

#undef LAYER
#undef LOSS
#undef PLAIN
#undef ONE
#undef DO
#undef USE

}  // namespace glia::test
