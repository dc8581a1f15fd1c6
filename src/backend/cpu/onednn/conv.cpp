// Convolutions on NHWC data: pieces are runs of images, or of rows where images are few.
#include <algorithm>
#include <cstring>

#include "backend/cpu/onednn/common.h"
#include "backend/cpu/onednn/onednn.h"
#include "runtime/threads.h"

namespace glia::cpu::onednn {

using dnnl::memory;

namespace {

enum class Pass : uint8_t { kForward, kData, kWeight };

struct Key {
  Pass pass;
  ConvShape shape;
  bool operator==(const Key&) const = default;
};

// A primitive, the layouts it works on, and the reorder of weights from or to (O, kH, kW, C).
struct Conv {
  dnnl::primitive primitive;
  memory::desc x, y, weights, user_weights, scratch;
  dnnl::reorder reorder;  // null where both layouts are the same
  memory::desc reorder_scratch;
};

Cache<Key, Conv>& cache() {
  static auto* instance = new Cache<Key, Conv>;
  return *instance;
}

int64_t extent(int64_t kernel, int64_t dilation) { return (kernel - 1) * dilation + 1; }

std::shared_ptr<const Conv> make_conv(const Key& key) {
  const ConvShape& s = key.shape;
  const int64_t g = s.groups, og = s.o / g, cg = s.c / g;
  const auto type = data_type(s.dtype);
  const auto image = [&](int64_t c, int64_t h, int64_t w) {
    return memory::desc({s.n, c, h, w}, type, memory::format_tag::nhwc);
  };
  auto conv = std::make_shared<Conv>();
  conv->x = image(s.c, s.h, s.w);
  conv->y = image(s.o, s.oh, s.ow);
  // Partial gradients of weights are summed, so they stay in f32.
  const auto weight_type = key.pass == Pass::kWeight ? data_type(kF32) : type;
  memory::dims sizes{s.o, cg, s.kh, s.kw}, strides{s.kh * s.kw * cg, 1, s.kw * cg, cg};
  if (g > 1) {
    sizes = {g, og, cg, s.kh, s.kw};
    strides.insert(strides.begin(), og * strides[0]);
  }
  conv->user_weights = memory::desc(sizes, weight_type, strides);
  const memory::desc any(sizes, type, memory::format_tag::any);
  const memory::desc any_gradient(sizes, weight_type, memory::format_tag::any);

  const memory::dims stride{s.stride_h, s.stride_w};
  const memory::dims dilation{s.dilation_h - 1, s.dilation_w - 1};
  const memory::dims before{s.pad_h, s.pad_w};
  const memory::dims after{(s.oh - 1) * s.stride_h + extent(s.kh, s.dilation_h) - s.h - s.pad_h,
                           (s.ow - 1) * s.stride_w + extent(s.kw, s.dilation_w) - s.w - s.pad_w};
  const auto direct = dnnl::algorithm::convolution_direct;
  const dnnl::convolution_forward::primitive_desc forward(
      {dnnl::prop_kind::forward_training, direct, conv->x, any, conv->y, stride, dilation, before,
       after},
      attributes(), engine());
  if (key.pass == Pass::kForward) {
    conv->primitive = dnnl::convolution_forward(forward);
    conv->weights = forward.weights_desc();
    conv->scratch = forward.scratchpad_desc();
  } else if (key.pass == Pass::kData) {
    const dnnl::convolution_backward_data::primitive_desc pd(
        {direct, conv->x, any, conv->y, stride, dilation, before, after}, attributes(), engine(),
        forward);
    conv->primitive = dnnl::convolution_backward_data(pd);
    conv->weights = pd.weights_desc();
    conv->scratch = pd.scratchpad_desc();
  } else {
    const dnnl::convolution_backward_weights::primitive_desc pd(
        {direct, conv->x, any_gradient, conv->y, stride, dilation, before, after}, attributes(),
        engine(), forward);
    conv->primitive = dnnl::convolution_backward_weights(pd);
    conv->weights = pd.diff_weights_desc();
    conv->scratch = pd.scratchpad_desc();
  }
  if (conv->weights != conv->user_weights) {
    const bool out = key.pass == Pass::kWeight;
    const dnnl::reorder::primitive_desc pd(engine(), out ? conv->weights : conv->user_weights,
                                           engine(), out ? conv->user_weights : conv->weights,
                                           attributes());
    conv->reorder = dnnl::reorder(pd);
    conv->reorder_scratch = pd.scratchpad_desc();
  }
  return conv;
}

// A convolution on part of the data, which starts x and y elements after the whole.
struct Piece {
  ConvShape shape;
  int64_t x = 0, y = 0;
  std::shared_ptr<const Conv> conv = nullptr;
  const void* weights = nullptr;
};

std::vector<Piece> cut(const ConvShape& s, Pass pass) {
  const int64_t positions = s.n * s.oh * s.ow, x_image = s.h * s.w * s.c, x_row = s.w * s.c;
  const int64_t y_image = s.oh * s.ow * s.o, y_row = s.ow * s.o;
  int64_t wanted = piece_count(2.0 * positions * s.o * (s.c / s.groups) * s.kh * s.kw, 16e6);
  // Each piece of a weight gradient is one more array to be summed.
  if (pass == Pass::kWeight) wanted = std::clamp<int64_t>(positions / 1024, 1, wanted);

  std::vector<Piece> pieces;
  const int64_t reach = extent(s.kh, s.dilation_h) - 1;
  if (wanted <= s.n || s.pad_h > reach) {
    const int64_t images = divide_up(s.n, wanted);
    for (int64_t first = 0; first < s.n; first += images) {
      Piece p{.shape = s, .x = first * x_image, .y = first * y_image};
      p.shape.n = std::min(images, s.n - first);
      pieces.push_back(p);
    }
    return pieces;
  }

  const int64_t rows = divide_up(s.oh, divide_up(wanted, s.n));
  for (int64_t image = 0; image < s.n; ++image) {
    for (int64_t y = 0; y < s.oh; y += rows) {
      int64_t y_end = std::min(s.oh, y + rows), x, x_end;
      const int64_t start = y * s.stride_h - s.pad_h;  // of the rows that row y sees
      if (pass == Pass::kData) {
        // Rows of x from the first that no earlier row of y sees; all rows of y that see them.
        const auto first_of = [&](int64_t row) {
          if (row == 0) return int64_t{0};
          return std::min(s.h, row >= s.oh ? s.h : row * s.stride_h - s.pad_h + reach);
        };
        x = first_of(y);
        x_end = first_of(y + rows);
        if (x == x_end) continue;
        y_end = std::min(s.oh, (x_end - 1 + s.pad_h) / s.stride_h + 1);
      } else {
        x = std::max<int64_t>(0, start);
        x_end = std::min(s.h, (y_end - 1) * s.stride_h - s.pad_h + reach + 1);
      }
      Piece p{.shape = s, .x = image * x_image + x * x_row, .y = image * y_image + y * y_row};
      p.shape.n = 1;
      p.shape.h = x_end - x;
      p.shape.oh = y_end - y;
      p.shape.pad_h = x - start;
      pieces.push_back(p);
    }
  }
  return pieces;
}

void find_primitives(std::vector<Piece>& pieces, Pass pass) {
  const Piece* last = nullptr;
  for (Piece& p : pieces) {
    if (last && last->shape == p.shape) {
      p.conv = last->conv;
    } else {
      p.conv = cache().get({pass, p.shape}, [&] { return make_conv({pass, p.shape}); });
    }
    last = &p;
  }
}

void reorder(const Conv& conv, Pass pass, const void* from, void* to) {
  const bool out = pass == Pass::kWeight;
  execute(conv.reorder, conv.reorder_scratch,
          {{DNNL_ARG_FROM, out ? conv.weights : conv.user_weights, from},
           {DNNL_ARG_TO, out ? conv.user_weights : conv.weights, to}});
}

// Gives every piece the weights in its primitive's layout. Returns the memory they lie in.
std::vector<MemoryRef> pack_weights(std::vector<Piece>& pieces, Pass pass, const void* w) {
  std::vector<MemoryRef> packed;
  std::vector<const Piece*> owners;
  for (Piece& p : pieces) {
    if (p.conv->weights == p.conv->user_weights) {
      p.weights = w;
      continue;
    }
    const auto same = std::find_if(owners.begin(), owners.end(), [&](const Piece* o) {
      return o->conv == p.conv || o->conv->weights == p.conv->weights;
    });
    if (same != owners.end()) {
      p.weights = (*same)->weights;
      continue;
    }
    packed.push_back(scratch_memory(p.conv->weights.get_size()));
    reorder(*p.conv, pass, w, packed.back()->data);
    p.weights = packed.back()->data;
    owners.push_back(&p);
  }
  return packed;
}

int64_t x_size(const ConvShape& s) { return s.n * s.h * s.w * s.c; }
int64_t y_size(const ConvShape& s) { return s.n * s.oh * s.ow * s.o; }
int64_t w_size(const ConvShape& s) { return s.o * s.kh * s.kw * (s.c / s.groups); }
bool empty(const ConvShape& s) { return x_size(s) == 0 || y_size(s) == 0 || w_size(s) == 0; }

void fill_zero(void* p, DType dtype, int64_t n) { std::memset(p, 0, n * size_of(dtype)); }

// Without bf16 instructions: f(shape, a, b, out) in f32, rounded once at the end.
template <class F>
void widened(const ConvShape& s, F&& f, const void* a, int64_t a_size, const void* b,
             int64_t b_size, void* out, int64_t out_size) {
  const auto wide = [](const void* in, int64_t n) {
    MemoryRef m = scratch_memory(n * 4);
    convert(in, kBF16, m->data, kF32, n);
    return m;
  };
  const MemoryRef wide_a = wide(a, a_size), wide_b = wide(b, b_size);
  const MemoryRef wide_out = scratch_memory(out_size * 4);
  ConvShape shape = s;
  shape.dtype = kF32;
  f(shape, wide_a->data, wide_b->data, wide_out->data);
  convert(wide_out->data, kF32, out, kBF16, out_size);
}

}  // namespace

void conv2d(const ConvShape& s, const void* x, const void* w, void* y) {
  if (empty(s)) return fill_zero(y, s.dtype, y_size(s));
  if (s.dtype == kBF16 && !has_bf16())
    return widened(s, conv2d, x, x_size(s), w, w_size(s), y, y_size(s));
  std::vector<Piece> pieces = cut(s, Pass::kForward);
  find_primitives(pieces, Pass::kForward);
  const auto packed = pack_weights(pieces, Pass::kForward, w);
  parallel_for(static_cast<int64_t>(pieces.size()), [&](int64_t i) {
    const Piece& p = pieces[i];
    execute(p.conv->primitive, p.conv->scratch,
            {{DNNL_ARG_SRC, p.conv->x, at(x, s.dtype, p.x)},
             {DNNL_ARG_WEIGHTS, p.conv->weights, p.weights},
             {DNNL_ARG_DST, p.conv->y, at(y, s.dtype, p.y)}});
  });
}

void conv2d_backward_data(const ConvShape& s, const void* dy, const void* w, void* dx) {
  if (empty(s)) return fill_zero(dx, s.dtype, x_size(s));
  if (s.dtype == kBF16 && !has_bf16())
    return widened(s, conv2d_backward_data, dy, y_size(s), w, w_size(s), dx, x_size(s));
  std::vector<Piece> pieces = cut(s, Pass::kData);
  find_primitives(pieces, Pass::kData);
  const auto packed = pack_weights(pieces, Pass::kData, w);
  parallel_for(static_cast<int64_t>(pieces.size()), [&](int64_t i) {
    const Piece& p = pieces[i];
    execute(p.conv->primitive, p.conv->scratch,
            {{DNNL_ARG_DIFF_DST, p.conv->y, at(dy, s.dtype, p.y)},
             {DNNL_ARG_WEIGHTS, p.conv->weights, p.weights},
             {DNNL_ARG_DIFF_SRC, p.conv->x, at(dx, s.dtype, p.x)}});
  });
}

void conv2d_backward_weight(const ConvShape& s, const void* x, const void* dy, void* dw) {
  const int64_t size = w_size(s);
  if (empty(s)) return fill_zero(dw, s.dtype, size);
  if (s.dtype == kBF16 && !has_bf16())
    return widened(s, conv2d_backward_weight, x, x_size(s), dy, y_size(s), dw, size);
  std::vector<Piece> pieces = cut(s, Pass::kWeight);
  find_primitives(pieces, Pass::kWeight);
  const int64_t count = static_cast<int64_t>(pieces.size());
  const bool direct = count == 1 && s.dtype == kF32;
  const MemoryRef partials = direct ? MemoryRef() : scratch_memory(count * size * 4);
  float* const sums = static_cast<float*>(direct ? dw : partials->data);
  parallel_for(count, [&](int64_t i) {
    const Piece& p = pieces[i];
    const Conv& conv = *p.conv;
    float* const out = sums + i * size;
    const bool same = conv.weights == conv.user_weights;
    const MemoryRef own =
        same ? MemoryRef() : scratch_memory(static_cast<int64_t>(conv.weights.get_size()));
    execute(conv.primitive, conv.scratch,
            {{DNNL_ARG_SRC, conv.x, at(x, s.dtype, p.x)},
             {DNNL_ARG_DIFF_DST, conv.y, at(dy, s.dtype, p.y)},
             {DNNL_ARG_DIFF_WEIGHTS, conv.weights, same ? out : own->data}});
    if (!same) reorder(conv, Pass::kWeight, own->data, out);
  });
  if (!direct) sum_partials(sums, count, size, dw, s.dtype);
}

void trim_conv() { cache().clear(); }

}  // namespace glia::cpu::onednn
