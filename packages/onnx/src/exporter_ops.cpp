// How each operation is written in ONNX's operators.
#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "exporter.h"
#include "glia/onnx/value.h"

namespace glia::onnx {
namespace {

using Names = std::vector<std::string>;
constexpr int64_t kEnd = INT64_MAX;

int64_t type_number(DType t) { return static_cast<int64_t>(element_type(t)); }

// ---- Elementwise: in whichever order of axes the operands are there ----

// The names of the operands, over (N, C, H, W) if one of them has that order and all can have it.
Names operands(const Site& s, bool* pictures) {
  const int count = s.one().inputs();
  bool any = false, all = true;
  for (int i = 0; i < count; ++i) any |= s.in(i).rank() == 4 && s.to.has_pictures(s.in(i));
  Names names;
  for (int i = 0; any && all && i < count; ++i) {
    names.push_back(s.to.over_pictures(s.in(i)));
    all &= !names.back().empty();
  }
  *pictures = any && all && s.a.rank() == 4;
  if (*pictures) return names;
  names.clear();
  for (int i = 0; i < count; ++i) names.push_back(s.to.plain(s.in(i)));
  return names;
}
template <class F>
void elementwise(const Site& s, F&& f) {
  bool pictures = false;
  const Names names = operands(s, &pictures);
  const std::string out = f(names);
  pictures ? s.to.name(s.a, "", out) : s.to.name(s.a, out);
}

// An ONNX operator on the operands.
template <size_t N>
struct Text {
  constexpr Text(const char (&text)[N]) { std::copy_n(text, N, value); }
  char value[N];
};
template <Text kName>
void same(const Site& s) {
  elementwise(s, [&](const Names& in) { return s.to.add(kName.value, in); });
}

std::string scalar(const Site& s, double value) { return s.to.number(value, s.in(0).dtype()); }

void square_of(const Site& s) {
  elementwise(s, [&](const Names& in) { return s.to.add("Mul", {in[0], in[0]}); });
}
void rsqrt_of(const Site& s) {
  elementwise(s, [&](const Names& in) { return s.to.add("Reciprocal", {s.to.add("Sqrt", in)}); });
}
void expm1_of(const Site& s) {
  elementwise(s, [&](const Names& in) {
    return s.to.add("Sub", {s.to.add("Exp", in), scalar(s, 1)});
  });
}
void log1p_of(const Site& s) {
  elementwise(s, [&](const Names& in) {
    return s.to.add("Log", {s.to.add("Add", {in[0], scalar(s, 1)})});
  });
}
template <int kBase>
void log_base(const Site& s) {
  elementwise(s, [&](const Names& in) {
    return s.to.add("Mul",
                    {s.to.add("Log", in), scalar(s, 1 / std::log(static_cast<double>(kBase)))});
  });
}
void exp2_of(const Site& s) {
  elementwise(s, [&](const Names& in) { return s.to.add("Pow", {scalar(s, 2), in[0]}); });
}
void trunc_of(const Site& s) {
  elementwise(s, [&](const Names& in) {
    return s.to.add("Mul", {s.to.add("Sign", in), s.to.add("Floor", {s.to.add("Abs", in)})});
  });
}
void bit_not(const Site& s) {
  elementwise(s, [&](const Names& in) {
    return s.to.add(s.in(0).dtype() == kBool ? "Not" : "BitwiseNot", in);
  });
}
// Of bools and of bits.
template <Text kBools, Text kBits>
void logical(const Site& s) {
  elementwise(s, [&](const Names& in) {
    return s.to.add(s.in(0).dtype() == kBool ? kBools.value : kBits.value, in);
  });
}
void not_equal(const Site& s) {
  elementwise(s, [&](const Names& in) { return s.to.add("Not", {s.to.add("Equal", in)}); });
}
void remainder_of(const Site& s) {
  elementwise(s, [&](const Names& in) {
    if (!is_float(s.in(0).dtype())) return s.to.add("Mod", in);
    const std::string whole = s.to.add("Floor", {s.to.add("Div", in)});
    return s.to.add("Sub", {in[0], s.to.add("Mul", {in[1], whole})});
  });
}
void floor_divide_of(const Site& s) {
  elementwise(s, [&](const Names& in) {
    if (is_float(s.in(0).dtype())) return s.to.add("Floor", {s.to.add("Div", in)});
    return s.to.add("Div", {s.to.add("Sub", {in[0], s.to.add("Mod", in)}), in[1]});
  });
}
void fmod_of(const Site& s) {
  elementwise(s, [&](const Names& in) { return s.to.add("Mod", in, {{"fmod", int64_t{1}}}); });
}
void hypot_of(const Site& s) {
  elementwise(s, [&](const Names& in) {
    const auto squared = [&](const std::string& x) { return s.to.add("Mul", {x, x}); };
    return s.to.add("Sqrt", {s.to.add("Add", {squared(in[0]), squared(in[1])})});
  });
}
void cast_of(const Site& s) {
  elementwise(s, [&](const Names& in) {
    return s.to.add("Cast", in, {{"to", type_number(s.a.dtype())}});
  });
}
void gelu_of(const Site& s) {
  elementwise(s, [&](const Names& in) { return s.to.add("Gelu", {in[0]}); });
}
void softplus_of(const Site& s) {
  elementwise(s, [&](const Names& in) { return s.to.add("Softplus", {in[0]}); });
}
void clamp_of(const Site& s) {
  if (s.in(1).rank() != 0 || s.in(2).rank() != 0) return;
  elementwise(s, [&](const Names& in) { return s.to.add("Clip", in); });
}
void check(const Site& s) {  // indices are checked by what uses them
  const std::string in = s.to.plain(s.in(0));
  const bool same_type = s.in(0).dtype() == s.a.dtype();
  s.to.name(s.a, same_type ? in : s.to.add("Cast", {in}, {{"to", type_number(s.a.dtype())}}));
}

// ---- Reductions ----

template <Text kName>
void reduced(const Site& s) {
  const Tensor x = s.in(0);
  const bool pictures = x.rank() == 4 && s.to.has_pictures(x);
  const int64_t mask = s.integer("axes");
  if (!s.same("axes")) s.depends_on_batch();
  std::vector<int64_t> axes;
  for (int i = 0; i < x.rank(); ++i) {
    if ((mask >> i & 1) == 0) continue;
    axes.push_back(!pictures || i == 0 ? i : i == 3 ? 1 : i + 1);
  }
  std::string in = pictures ? s.to.pictures(x) : s.to.plain(x);
  const bool bools = x.dtype() == kBool;
  if (bools) in = s.to.add("Cast", {in}, {{"to", type_number(kI32)}});
  std::string out = s.to.add(kName.value, {in, s.to.integers(axes)}, {{"keepdims", int64_t{1}}});
  if (s.a.dtype() != (bools ? kI32 : x.dtype()))
    out = s.to.add("Cast", {out}, {{"to", type_number(s.a.dtype())}});
  pictures ? s.to.name(s.a, "", out) : s.to.name(s.a, out);
}

template <Text kName>
void along_axis(const Site& s) {
  s.to.name(s.a, s.to.add(kName.value, {s.to.plain(s.in(0))}, {{"axis", s.integer("axis")}}));
}
void argmax_of(const Site& s, const char* op) {
  const int64_t axis = s.integer("axis");
  const bool keeps = s.a.rank() == s.in(0).rank();
  s.to.name(s.a, s.to.add(op, {s.to.plain(s.in(0))},
                          {{"axis", axis}, {"keepdims", static_cast<int64_t>(keeps)}}));
}
void argsort_of(const Site& s) {
  const int64_t axis = s.integer("axis");
  const int i = static_cast<int>(axis);
  const Names out = s.to.add_many(
      "TopK", {s.to.plain(s.in(0)), s.to.size(s.a.size(i), s.b.size(i))},
      {{"axis", axis}, {"largest", s.integer("descending")}, {"sorted", int64_t{1}}}, 2);
  s.to.name(s.a, out[1]);
}
void cumsum_of(const Site& s) {
  s.to.name(s.a, s.to.add("CumSum", {s.to.plain(s.in(0)),
                                     s.to.number(static_cast<double>(s.integer("axis")), kI64)}));
}

// ---- Movement ----

void permuted(const Site& s) {
  const Shape axes = s.sizes("axes");
  const std::vector<int64_t> perm(axes.begin(), axes.end());
  s.to.name(s.a, s.to.add("Transpose", {s.to.plain(s.in(0))}, {{"perm", perm}}));
}
void reshaped(const Site& s) {
  const Shape &a = s.a.shape(), &b = s.b.shape();
  std::vector<int64_t> sizes(a.begin(), a.end());
  int differ = 0;
  for (int i = 0; i < a.rank(); ++i) {
    if (a[i] == b[i]) continue;
    sizes[i] = -1;
    ++differ;
  }
  const bool zero = std::ranges::find(sizes, 0) != sizes.end();
  const std::string shape = differ <= 1 && !zero ? s.to.integers(sizes) : s.to.shape(a, b);
  s.to.name(s.a, s.to.add("Reshape", {s.to.plain(s.in(0)), shape},
                          zero ? std::vector<AttributeValue>{{"allowzero", int64_t{1}}}
                               : std::vector<AttributeValue>{}));
}
void expanded(const Site& s) {
  s.to.name(s.a, s.to.add("Expand", {s.to.plain(s.in(0)), s.to.shape(s.a.shape(), s.b.shape())}));
}
std::string cut(const Site& s, const std::string& x, int64_t start, int64_t end, int64_t axis,
                int64_t step) {
  return s.to.add("Slice", {x, s.to.integers({start}), s.to.integers({end}), s.to.integers({axis}),
                            s.to.integers({step})});
}
void sliced(const Site& s) {
  if (!s.same("start") || !s.same("step")) s.depends_on_batch();
  const int64_t start = s.integer("start"), axis = s.integer("axis"), step = s.integer("step");
  const int i = static_cast<int>(axis);
  const int64_t size = s.in(0).size(i), last = start + (s.a.size(i) - 1) * step;
  if (s.a.size(i) != s.b.size(i) && last + step < size) s.depends_on_batch();
  const int64_t end = last + step >= size && s.a.size(i) > 0 ? kEnd : last + 1;
  s.to.name(s.a, cut(s, s.to.plain(s.in(0)), start, end, axis, step));
}
void selected(const Site& s) {
  if (!s.same("position")) s.depends_on_batch();
  const std::string at = s.to.number(static_cast<double>(s.integer("position")), kI64);
  s.to.name(s.a, s.to.add("Gather", {s.to.plain(s.in(0)), at}, {{"axis", s.integer("axis")}}));
}
void flipped(const Site& s) {
  std::string x = s.to.plain(s.in(0));
  const int64_t mask = s.integer("axes");
  for (int i = 0; i < s.a.rank(); ++i) {
    if (mask >> i & 1) x = cut(s, x, -1, INT64_MIN, i, -1);
  }
  s.to.name(s.a, x);
}
void joined(const Site& s) {
  const int count = s.one().inputs();
  int64_t axis = s.integer("axis");
  bool pictures = s.a.rank() == 4;
  for (int i = 0; i < count; ++i) pictures &= s.to.has_pictures(s.in(i));
  Names names;
  for (int i = 0; i < count; ++i)
    names.push_back(pictures ? s.to.pictures(s.in(i)) : s.to.plain(s.in(i)));
  if (pictures) axis = axis == 0 ? 0 : axis == 3 ? 1 : axis + 1;
  const std::string out = s.to.add("Concat", names, {{"axis", axis}});
  pictures ? s.to.name(s.a, "", out) : s.to.name(s.a, out);
}
// x within a base: padding, or writing at a place.
void boxed(const Site& s) {
  const Shape starts = s.sizes("starts"), steps = s.sizes("steps");
  const Tensor base = s.in(0), x = s.in(1);
  for (int64_t step : steps) {
    if (step != 1) s.fail("with gaps between the elements has no counterpart in ONNX");
  }
  const Recorded two = s.two();
  const Tensor base_b = two.in(0), x_b = two.in(1);
  std::vector<int64_t> pads;
  for (int i = 0; i < x.rank(); ++i) pads.push_back(starts[i]);
  for (int i = 0; i < x.rank(); ++i) {
    pads.push_back(base.size(i) - starts[i] - x.size(i));
    if (pads.back() != base_b.size(i) - starts[i] - x_b.size(i)) s.depends_on_batch();
  }
  // A base of one number repeated is padding.
  Tensor from = base;
  while (Recorded(*from.node()).op().kind == Kind::kView && Recorded(*from.node()).inputs() == 1)
    from = Recorded(*from.node()).in(0);
  const std::string amounts = s.to.integers(pads);
  if (from.numel() == 1 && s.to.is_constant(from)) {
    const std::string value = s.to.plain(from);
    const std::string number =
        from.rank() == 0 ? value : s.to.add("Reshape", {value, s.to.integers({})});
    return s.to.name(s.a, s.to.add("Pad", {s.to.plain(x), amounts, number}));
  }
  const std::string like = s.to.add("Shape", {s.to.plain(x)});
  const std::string ones_there = s.to.add("Expand", {s.to.number(1, kI32), like});
  const std::string mask =
      s.to.add("Cast", {s.to.add("Pad", {ones_there, amounts})}, {{"to", type_number(kBool)}});
  s.to.name(s.a,
            s.to.add("Where", {mask, s.to.add("Pad", {s.to.plain(x), amounts}), s.to.plain(base)}));
}
void taken(const Site& s) {
  s.to.name(s.a, s.to.add("Gather", {s.to.plain(s.in(0)), s.to.plain(s.in(1))},
                          {{"axis", s.integer("axis")}}));
}
void gathered(const Site& s) {
  s.to.name(s.a, s.to.add("GatherElements", {s.to.plain(s.in(0)), s.to.plain(s.in(1))},
                          {{"axis", s.integer("axis")}}));
}
void scatter_added(const Site& s) {
  s.to.name(s.a, s.to.add("ScatterElements",
                          {s.to.plain(s.in(0)), s.to.plain(s.in(1)), s.to.plain(s.in(2))},
                          {{"axis", s.integer("axis")}, {"reduction", std::string("add")}}));
}
void counted(const Site& s) {  // start, start + step, ...
  const std::string start = s.to.plain(s.in(0)), step = s.to.plain(s.in(1));
  const std::string count = s.to.add("Squeeze", {s.to.size(s.a.size(0), s.b.size(0))});
  const std::string typed = s.to.add("Cast", {count}, {{"to", type_number(s.a.dtype())}});
  const std::string first = s.to.add("Cast", {start}, {{"to", type_number(s.a.dtype())}});
  const std::string by = s.to.add("Cast", {step}, {{"to", type_number(s.a.dtype())}});
  s.to.name(s.a,
            s.to.add("Range", {first, s.to.add("Add", {first, s.to.add("Mul", {typed, by})}), by}));
}

// ---- Layers ----

void convolution(const Site& s) {
  const Tensor w = s.in(1);
  const auto i = [&](const char* name) { return s.integer(name); };
  s.to.name(
      s.a, "",
      s.to.add("Conv", {s.to.pictures(s.in(0)), s.to.pictures(w)},
               {{"kernel_shape", std::vector<int64_t>{w.size(1), w.size(2)}},
                {"strides", std::vector<int64_t>{i("stride_h"), i("stride_w")}},
                {"pads", std::vector<int64_t>{i("pad_h"), i("pad_w"), i("pad_h"), i("pad_w")}},
                {"dilations", std::vector<int64_t>{i("dilation_h"), i("dilation_w")}},
                {"group", i("groups")}}));
}
void transposed_convolution(const Site& s) {
  const Tensor x = s.in(0), w = s.in(1);
  const auto i = [&](const char* name) { return s.integer(name); };
  const auto extra = [&](int axis, int64_t stride, int64_t pad, int64_t dilation) {
    return s.a.size(axis) -
           ((x.size(axis) - 1) * stride - 2 * pad + dilation * (w.size(axis) - 1) + 1);
  };
  const std::vector<int64_t> more{extra(1, i("stride_h"), i("pad_h"), i("dilation_h")),
                                  extra(2, i("stride_w"), i("pad_w"), i("dilation_w"))};
  s.to.name(
      s.a, "",
      s.to.add("ConvTranspose", {s.to.pictures(x), s.to.pictures(w)},
               {{"kernel_shape", std::vector<int64_t>{w.size(1), w.size(2)}},
                {"strides", std::vector<int64_t>{i("stride_h"), i("stride_w")}},
                {"pads", std::vector<int64_t>{i("pad_h"), i("pad_w"), i("pad_h"), i("pad_w")}},
                {"output_padding", more},
                {"dilations", std::vector<int64_t>{i("dilation_h"), i("dilation_w")}},
                {"group", i("groups")}}));
}
void pooled(const Site& s, const char* op, bool average) {
  const auto i = [&](const char* name) { return s.integer(name); };
  // What Glia has as windows that pass the end are pads behind.
  const auto behind = [&](int axis, int64_t window, int64_t stride, int64_t pad) {
    return std::max((s.a.size(axis) - 1) * stride + window - s.in(0).size(axis) - pad, pad);
  };
  std::vector<AttributeValue> attributes{
      {"kernel_shape", std::vector<int64_t>{i("window_h"), i("window_w")}},
      {"strides", std::vector<int64_t>{i("stride_h"), i("stride_w")}},
      {"pads", std::vector<int64_t>{i("pad_h"), i("pad_w"),
                                    behind(1, i("window_h"), i("stride_h"), i("pad_h")),
                                    behind(2, i("window_w"), i("stride_w"), i("pad_w"))}}};
  if (average) attributes.push_back({"count_include_pad", int64_t{1}});
  s.to.name(s.a, "", s.to.add(op, {s.to.pictures(s.in(0))}, attributes));
}

std::string swapped(const Site& s, const Tensor& t) {
  std::vector<int64_t> perm;
  for (int i = 0; i < t.rank(); ++i) perm.push_back(i);
  std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
  return s.to.add("Transpose", {s.to.plain(t)}, {{"perm", perm}});
}
void product(const Site& s) {
  const std::string a = s.integer("transpose_a") ? swapped(s, s.in(0)) : s.to.plain(s.in(0));
  const std::string b = s.integer("transpose_b") ? swapped(s, s.in(1)) : s.to.plain(s.in(1));
  s.to.name(s.a, s.to.add("MatMul", {a, b}));
}
void linear_of(const Site& s) {
  const Tensor x = s.in(0), w = s.in(1), bias = s.in(2);
  if (x.dtype() != w.dtype() || x.dtype() != s.a.dtype() || w.rank() != 2) return;  // as composed
  if (x.rank() == 2) {
    Names in{s.to.plain(x), s.to.plain(w)};
    if (bias.defined()) in.push_back(s.to.plain(bias));
    return s.to.name(s.a, s.to.add("Gemm", in, {{"transB", int64_t{1}}}));
  }
  std::string y = s.to.add("MatMul", {s.to.plain(x), swapped(s, w)});
  if (bias.defined()) y = s.to.add("Add", {y, s.to.plain(bias)});
  s.to.name(s.a, y);
}
void layer_norm_of(const Site& s) {
  const Tensor x = s.in(0), weight = s.in(1), bias = s.in(2);
  const int64_t count = s.integer("axes");
  if (weight.defined() && weight.dtype() != x.dtype()) return;
  std::string scale;
  if (weight.defined()) {
    scale = s.to.plain(weight);
  } else {
    const std::string shape = s.to.integers({x.shape().end() - count, x.shape().end()});
    scale = s.to.add("Expand", {s.to.number(1, x.dtype()), shape});
  }
  Names in{s.to.plain(x), scale};
  if (bias.defined()) in.push_back(s.to.plain(bias));
  s.to.name(s.a,
            s.to.add("LayerNormalization", in, {{"axis", -count}, {"epsilon", s.in(3).item()}}));
}

// recurrent(x W_ih^T, W_hh, biases, h0, c0) -> every state, an LSTM's last cell. The input's
// product is part of ONNX's operator.
void recurrent(const Site& s) {
  const Tensor projected = s.in(0), w_hh = s.in(1), b_ih = s.in(2), b_hh = s.in(3);
  Tensor from = projected;
  while (std::string_view(Recorded(*from.node()).op().name) == "reshape")
    from = Recorded(*from.node()).in(0);
  const Recorded product(*from.node());
  Tensor x, w_ih;
  if (std::string_view(product.op().name) == "linear" && !product.in(2).defined()) {
    x = product.in(0);
    w_ih = product.in(1);
  } else if (std::string_view(product.op().name) == "matmul" && product.in_shape(1).rank() == 2) {
    const Site at(s.to, from, from);
    if (at.integer("transpose_b") == 0 || at.integer("transpose_a") != 0) return;
    x = product.in(0);
    w_ih = product.in(1);
  }
  if (!x.defined() || s.a.rank() != 0) return;
  const int64_t steps = projected.size(0), hidden = w_hh.size(1), cell = s.integer("cell");
  const int64_t gates = w_hh.size(0) / hidden, in_size = w_ih.size(1);
  if (x.rank() != 3 && x.rank() != 2) return;
  std::string sequence = s.to.plain(x);
  if (x.rank() != 3)
    sequence = s.to.add("Reshape", {sequence, s.to.integers({steps, -1, in_size})});
  // i, f, g, o -> i, o, f, c; r, z, n -> z, r, h.
  const std::vector<int64_t> order = cell == 0   ? std::vector<int64_t>{0, 3, 1, 2}
                                     : cell == 1 ? std::vector<int64_t>{1, 0, 2}
                                                 : std::vector<int64_t>{0};
  const auto arranged = [&](const Tensor& t) {
    const std::string name = s.to.plain(t);
    if (gates == 1) return name;
    Names parts;
    for (int64_t g : order) parts.push_back(cut(s, name, g * hidden, (g + 1) * hidden, 0, 1));
    return s.to.add("Concat", parts, {{"axis", int64_t{0}}});
  };
  const auto in_direction = [&](const std::string& name) {
    return s.to.add("Unsqueeze", {name, s.to.integers({0})});
  };
  Names in{sequence, in_direction(arranged(w_ih)), in_direction(arranged(w_hh))};
  in.push_back(b_ih.defined() ? in_direction(s.to.add("Concat", {arranged(b_ih), arranged(b_hh)},
                                                      {{"axis", int64_t{0}}}))
                              : "");
  in.push_back("");  // lengths
  for (int i = 4; i < 6; ++i) {
    const Tensor state = s.in(i);
    if (i == 5 && cell != 0) continue;
    in.push_back(state.defined() ? in_direction(s.to.plain(state)) : "");
  }
  while (in.back().empty()) in.pop_back();
  std::vector<AttributeValue> attributes{{"hidden_size", hidden}};
  if (cell == 1) attributes.push_back({"linear_before_reset", int64_t{1}});
  const char* op = cell == 0 ? "LSTM" : cell == 1 ? "GRU" : "RNN";
  if (cell == 3) return;  // ReLU: as composed
  const Names out = s.to.add_many(op, in, attributes, cell == 0 ? 3 : 2);
  s.to.name_output(s.a, 0, s.to.add("Squeeze", {out[0], s.to.integers({1})}));
  if (cell == 0) s.to.name_output(s.a, 1, s.to.add("Squeeze", {out[2], s.to.integers({0})}));
}

const std::map<std::string_view, WriteOperation>& table() {
  static const std::map<std::string_view, WriteOperation> all{
      {"neg", same<"Neg">},
      {"abs", same<"Abs">},
      {"sign", same<"Sign">},
      {"reciprocal", same<"Reciprocal">},
      {"sqrt", same<"Sqrt">},
      {"exp", same<"Exp">},
      {"log", same<"Log">},
      {"sin", same<"Sin">},
      {"cos", same<"Cos">},
      {"tan", same<"Tan">},
      {"asin", same<"Asin">},
      {"acos", same<"Acos">},
      {"atan", same<"Atan">},
      {"sinh", same<"Sinh">},
      {"cosh", same<"Cosh">},
      {"asinh", same<"Asinh">},
      {"acosh", same<"Acosh">},
      {"atanh", same<"Atanh">},
      {"tanh", same<"Tanh">},
      {"erf", same<"Erf">},
      {"sigmoid", same<"Sigmoid">},
      {"relu", same<"Relu">},
      {"floor", same<"Floor">},
      {"ceil", same<"Ceil">},
      {"round", same<"Round">},
      {"add", same<"Add">},
      {"sub", same<"Sub">},
      {"mul", same<"Mul">},
      {"div", same<"Div">},
      {"pow", same<"Pow">},
      {"less", same<"Less">},
      {"less_equal", same<"LessOrEqual">},
      {"equal", same<"Equal">},
      {"where", same<"Where">},
      {"maximum", logical<"Or", "Max">},
      {"minimum", logical<"And", "Min">},
      {"bit_and", logical<"And", "BitwiseAnd">},
      {"bit_or", logical<"Or", "BitwiseOr">},
      {"bit_xor", logical<"Xor", "BitwiseXor">},
      {"square", square_of},
      {"rsqrt", rsqrt_of},
      {"expm1", expm1_of},
      {"log1p", log1p_of},
      {"log2", log_base<2>},
      {"log10", log_base<10>},
      {"exp2", exp2_of},
      {"trunc", trunc_of},
      {"bit_not", bit_not},
      {"not_equal", not_equal},
      {"remainder", remainder_of},
      {"floor_divide", floor_divide_of},
      {"fmod", fmod_of},
      {"hypot", hypot_of},
      {"cast", cast_of},
      {"gelu", gelu_of},
      {"softplus", softplus_of},
      {"clamp", clamp_of},
      {"check_index", check},
      {"sum", reduced<"ReduceSum">},
      {"prod", reduced<"ReduceProd">},
      {"max", reduced<"ReduceMax">},
      {"min", reduced<"ReduceMin">},
      {"softmax", along_axis<"Softmax">},
      {"log_softmax", along_axis<"LogSoftmax">},
      {"argmax", [](const Site& s) { argmax_of(s, "ArgMax"); }},
      {"argmin", [](const Site& s) { argmax_of(s, "ArgMin"); }},
      {"argsort", argsort_of},
      {"cumsum", cumsum_of},
      {"permute", permuted},
      {"reshape", reshaped},
      {"expand", expanded},
      {"slice", sliced},
      {"select", selected},
      {"flip", flipped},
      {"concat", joined},
      {"write_box", boxed},
      {"take", taken},
      {"gather", gathered},
      {"scatter_add", scatter_added},
      {"arange", counted},
      {"conv2d", convolution},
      {"conv2d_backward_data", transposed_convolution},
      {"max_pool2d", [](const Site& s) { pooled(s, "MaxPool", false); }},
      {"avg_pool2d", [](const Site& s) { pooled(s, "AveragePool", true); }},
      {"matmul", product},
      {"linear", linear_of},
      {"layer_norm", layer_norm_of},
      {"recurrent", recurrent},
  };
  return all;
}

}  // namespace

WriteOperation find_writer(const std::string& op) {
  const auto at = table().find(op);
  return at == table().end() ? nullptr : at->second;
}

}  // namespace glia::onnx
