// Every macro op with inputs for it, recorded as it is, without the function that users call.
#pragma once

#include <bit>
#include <string>
#include <vector>

#include "core/op.h"
#include "glia/ops.h"
#include "tests/support/values.h"

namespace glia::test {

// What an input looks like: numbers between -1 and 1 without a pattern, times `scale` plus `shift`.
struct MacroInput {
  Shape shape;
  double scale = 1, shift = 0;
  bool differentiable = true;
  bool given = true;
  std::vector<double> values = {};  // instead of such numbers
  DType dtype = kF32;               // of what is not differentiable and no float: as it is
};
inline MacroInput absent() { return {.shape = {}, .given = false}; }
inline MacroInput number(double value) {
  return {.shape = {}, .differentiable = false, .values = {value}};
}
inline MacroInput integers(const Shape& shape, const std::vector<double>& values,
                           DType dtype = kI64) {
  return {.shape = shape, .differentiable = false, .values = values, .dtype = dtype};
}

struct MacroCase {
  std::string op, what;
  std::vector<MacroInput> inputs;
  std::vector<Shape> results;
  std::vector<int64_t> attributes = {};
  bool smooth = true;       // has a second derivative
  double tolerance = 1e-5;  // of a kernel in f32
  unsigned weighted = ~0u;  // which results the derivatives are of, a bit mask
  unsigned shared = 0;      // inputs, of those given, that examples share in vmap, a bit mask
};

inline int64_t bits(double x) { return std::bit_cast<int64_t>(x); }

inline std::vector<MacroCase> macro_cases() {
  std::vector<MacroCase> all;
  const auto add = [&](MacroCase c) { all.push_back(std::move(c)); };
  const Shape s{3, 4};

  // Elementwise.
  for (const char* op : {"softplus", "gelu"}) add({op, "", {{s, 3}}, {s}});
  add({"clamp", "", {{s, 3}, number(-1.1), number(0.9)}, {s}});
  add({"smooth_l1", "", {{s, 3}}, {s}, {bits(0.75)}});
  add({"bernoulli_nll", "", {{s, 0.4, 0.5}, {s, 0.4, 0.5}}, {s}});

  // Along axes.
  for (const char* op : {"softmax", "log_softmax"}) {
    add({op, "last axis", {{s, 3}}, {s}, {1}});
    add({op, "first axis", {{s, 3}}, {s}, {0}});
  }
  add({"log_sum_exp", "", {{s, 3}, {{3, 1}, 1, 0, false}}, {{3, 1}}, {2}});
  add({"logsumexp", "one axis", {{s, 3}}, {{3, 1}}, {2}});
  add({"logsumexp", "all", {{s, 3}}, {{1, 1}}, {3}});
  add({"var", "one axis", {{s, 3}}, {{1, 4}}, {1, bits(1)}});
  add({"var", "all", {{s, 3}}, {{1, 1}}, {3, bits(1)}});

  // Norms.
  const MacroInput eps = number(1e-5);
  for (unsigned weighted : {1u, 2u, 4u, 8u, 15u})
    add({"standardize",
         "",
         {{{2, 3, 4}, 2, 1}, eps},
         {{2, 3, 4}, {2, 3, 1}, {2, 3, 1}, {2, 3, 1}},
         {4},
         true,
         1e-5,
         weighted});
  add({"layer_norm", "", {{{2, 3, 4}, 2, 1}, {{4}}, {{4}}, eps}, {{2, 3, 4}}, {1}});
  add({"layer_norm",
       "two axes, no bias",
       {{{2, 3, 4}, 2, 1}, {{3, 4}}, absent(), eps},
       {{2, 3, 4}},
       {2}});
  add({"layer_norm",
       "nothing but x",
       {{{2, 3, 4}, 2, 1}, absent(), absent(), eps},
       {{2, 3, 4}},
       {1}});
  for (unsigned weighted : {1u, 7u}) {
    add({"batch_norm",
         "",
         {{{5, 2, 4}, 2, 1}, {{4}}, {{4}}, eps},
         {{5, 2, 4}, {4}, {4}},
         {3},
         true,
         1e-5,
         weighted});
    add({"batch_norm",
         "no weight",
         {{{5, 2, 4}, 2, 1}, absent(), absent(), eps},
         {{5, 2, 4}, {4}, {4}},
         {3},
         true,
         1e-5,
         weighted});
  }
  for (unsigned weighted : {1u, 7u}) {
    for (bool given : {true, false})
      add({"group_norm",
           given ? "" : "no weight",
           {{{2, 5, 4}, 2, 1},
            given ? MacroInput{{4}} : absent(),
            given ? MacroInput{{4}} : absent(),
            eps},
           {{2, 5, 4}, {2, 2}, {2, 2}},
           {2},
           true,
           1e-5,
           weighted});
  }
  for (int64_t groups : {1, 9})
    add({"group_norm_backward",
         "",
         {{{3, 2, 9}, 2, 1}, {{3, groups}}, {{3, groups}, 0.5, 1}, {{9}}, {{3, 2, 9}}},
         {{3, 2, 9}, {9}, {9}},
         {groups}});
  add({"rms_norm", "", {{{2, 3, 4}, 2, 1}, {{4}}, eps}, {{2, 3, 4}}, {1}});
  add({"rms_norm", "two axes", {{{2, 3, 4}, 2, 1}, absent(), eps}, {{2, 3, 4}}, {2}});

  // Products.
  add({"linear", "", {{{2, 3, 4}}, {{5, 4}}, {{5}}}, {{2, 3, 5}}});
  add({"linear", "no bias", {{{4}}, {{5, 4}}, absent()}, {{5}}});

  // Losses.
  for (int64_t reduction : {0, 1, 2}) {
    const bool none = static_cast<Reduction>(reduction) == Reduction::kNone;
    const Shape each = none ? s : Shape(), row = none ? Shape{3} : Shape();
    for (const char* op : {"mse_loss", "l1_loss"})
      add({op, "", {{s, 3}, {s}}, {each}, {reduction}});
    add({"smooth_l1_loss", "", {{s, 3}, {s}}, {each}, {reduction, bits(0.75)}});
    add({"binary_cross_entropy_with_logits",
         "",
         {{s, 3}, {s}, absent(), absent()},
         {each},
         {reduction}});
    add({"binary_cross_entropy_with_logits",
         "weights",
         {{s, 3}, {s, 0.5, 0.5}, {{4}}, {{4}}},
         {each},
         {reduction}});
    const MacroInput target = integers({3}, {2, -100, 0}), ignored = integers({}, {-100});
    add({"cross_entropy",
         "",
         {{s, 3}, target, absent(), ignored, absent(), absent()},
         {row},
         {reduction}});
    add({"cross_entropy",
         "weights and smoothing",
         {{s, 3}, target, {{4}, 0.5, 1}, ignored, number(0.9), number(0.025)},
         {row},
         {reduction}});
    add({"cross_entropy",
         "probabilities",
         {{s, 3}, {s, 0.4, 0.5}, absent(), absent(), number(0.9), number(0.025)},
         {row},
         {reduction}});
    add({"nll_loss", "", {{s, 3}, target, absent(), ignored}, {row}, {reduction}});
    add({"nll_loss", "weights", {{s, 3}, target, {{4}, 0.5, 1}, ignored}, {row}, {reduction}});
  }

  // Attention and recurrent layers.
  const MacroInput q{{2, 3, 4}, 2}, k{{2, 5, 4}, 2}, v{{2, 5, 3}};
  const Shape out{2, 3, 3}, lse{2, 3};
  for (int64_t causal : {0, 1}) {
    const MacroInput mask = integers({2, 3, 5}, {1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 0, 0, 1, 1,
                                                 1, 1, 1, 1, 1, 1, 0, 1, 0, 1, 1, 1, 0, 0, 0},
                                     kBool);
    const MacroInput length = integers({}, {4});
    for (const MacroInput& m : {absent(), mask, MacroInput{{2, 3, 5}}}) {
      const char* const what = !m.given ? "" : m.dtype == kBool ? "mask" : "bias";
      for (const MacroInput& l : {absent(), length}) {
        add({"attention", what, {q, k, v, number(0.5), l, m}, {out, lse}, {causal}, true, 2e-5, 1});
        add({"attention", what, {q, k, v, number(0.5), l, m}, {out, lse}, {causal}, true, 2e-5, 3});
        add({"attention_backward",
             what,
             {q, k, v, number(0.5), l, m, {out}, {lse, 0.5, 4}, {out}},
             {{2, 3, 4}, {2, 5, 4}, {2, 5, 3}},
             {causal},
             true,
             2e-5});
      }
    }
  }
  for (int64_t cell = 0; cell < 4; ++cell) {
    const int64_t gates = cell == 0 ? 4 : cell == 1 ? 3 : 1, h = 3, t = 3, n = 2;
    const MacroInput x{{t, n, gates * h}}, w{{gates * h, h}}, b{{gates * h}}, state{{n, h}};
    const bool lstm = cell == 0, gated = gates > 1;
    std::vector<Shape> results{{t, n, h}};
    if (gated) results = {{t, n, h}, lstm ? Shape{n, h} : Shape{}, {t, n, gates * h}, {t, n, h}};
    for (bool with : {false, true}) {
      const MacroInput bias = with ? b : absent(), h0 = with ? state : absent();
      for (unsigned weighted : {3u, 15u})
        add({"recurrent",
             with ? "biases and states" : "",
             {x, w, bias, bias, h0, lstm ? h0 : absent()},
             results,
             {cell},
             cell != 3,
             2e-5,
             lstm ? weighted : weighted & ~2u});
      const MacroInput y{{t, n, h}}, inner = gated ? y : absent();
      std::vector<Shape> back{{t, n, gates * h}, {n, h}, lstm ? Shape{n, h} : Shape{}};
      if (cell == 1) back.push_back({t, n, 3 * h});
      add({"recurrent_backward",
           with ? "states" : "",
           {{gated ? Shape{t, n, gates * h} : Shape{t, n, h}, 0.4, 0.5},
            w,
            y,
            inner,
            h0,
            lstm ? h0 : absent(),
            y,
            lstm && with ? state : absent()},
           back,
           {cell},
           cell != 3,
           2e-5,
           lstm ? 7u : ~4u});
    }
  }
  add({"sparse_embedding",
       "",
       {integers({2, 3}, {4, 0, 1, 1, 4, 2}), {{5, 4}}},
       {{2, 3, 4}},
       {INT64_MIN},
       true,
       1e-5,
       ~0u,
       2});
  return all;
}

// The inputs of a case that are given.
inline std::vector<Tensor> given(const MacroCase& c, DType dtype, double phase = 0) {
  std::vector<Tensor> out;
  for (const MacroInput& in : c.inputs) {
    ++phase;
    if (!in.given) continue;
    if (in.values.empty()) {
      out.push_back(cast(numbers(in.shape, phase) * in.scale + in.shift, dtype));
    } else {
      const Tensor t = from_vector(in.values, in.shape);
      out.push_back(cast(t, is_float(in.dtype) ? dtype : in.dtype));
    }
    eval({out.back()});
  }
  return out;
}
inline std::vector<int> differentiable(const MacroCase& c) {
  std::vector<int> out;
  int at = 0;
  for (const MacroInput& in : c.inputs) {
    if (in.given && in.differentiable) out.push_back(at);
    at += in.given;
  }
  return out;
}
inline std::vector<Tensor> with_absent(const MacroCase& c, const std::vector<Tensor>& in) {
  std::vector<Tensor> out;
  size_t next = 0;
  for (const MacroInput& x : c.inputs) out.push_back(x.given ? in[next++] : Tensor());
  return out;
}

// The op itself, and its results that the case is about.
struct Recorded {
  Tensor node;
  std::vector<Tensor> results;
};
inline Recorded record_case(const MacroCase& c, const std::vector<Tensor>& in) {
  const Op& op = *find_op(c.op);
  std::vector<Node*> nodes;
  const std::vector<Tensor> all = with_absent(c, in);
  DType dtype = kF32;
  for (const Tensor& t : all) {
    nodes.push_back(t.node());
    if (t.defined() && is_float(t.dtype())) dtype = t.dtype();
  }
  const bool several = op.outputs > 1;
  Recorded r{record(op, nodes, several ? Shape() : c.results[0], dtype,
                    AttributeWords(c.attributes), Where::current()),
             {}};
  if (!several) return {r.node, {r.node}};
  // What a gradient rule needs comes first, and is kept with the rest.
  std::vector<Tensor> outs(op.outputs);
  for (int i = static_cast<int>(c.results.size()) - 1; i >= 0; --i) {
    const bool none = c.op.starts_with("recurrent") && c.results[i].rank() == 0;
    if (none) continue;
    if (c.op == "recurrent" && i < 2 && outs[2].defined())
      outs[i] = output(r.node, i, c.results[i], dtype, {outs[2], outs[3]});
    else if (c.op == "group_norm" && i == 0)
      outs[i] = output(r.node, i, c.results[i], dtype, {outs[1], outs[2]});
    else if (c.op == "attention" && i == 0)
      outs[i] = output(r.node, i, c.results[i], dtype, {outs[1]});
    else
      outs[i] = output(r.node, i, c.results[i], dtype);
  }
  for (size_t i = 0; i < c.results.size(); ++i) {
    if (c.weighted >> i & 1 && outs[i].defined()) r.results.push_back(outs[i]);
  }
  return r;
}

}  // namespace glia::test
