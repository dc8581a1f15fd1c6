// Operations that apply a function of f64 numbers to each element, rounded once to f32 or f64.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

#include "ops/private.h"

namespace glia {

inline constexpr int64_t kPointPieces = 1 << 10;

template <class F>
void with_float(DType dtype, F&& f) {
  dtype == kF64 ? f(double()) : f(float());
}

// out[i] = f(i-th elements), of inputs of one shape.
template <class T, class F, class... X>
void fill(const KernelCall& call, F f, const X*... in) {
  T* out = call.out[0].as<T>();
  parallel_pieces(call.out[0].numel(), kPointPieces, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = static_cast<T>(f(in[i]...));
  });
}

// The kernel of a function of doubles, with an input for each.
template <auto f>
struct Pointwise;
template <class... X, double (*f)(X...)>
struct Pointwise<f> {
  static void run(const KernelCall& call) {
    with_float(call.in[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      run_as<T>(call, std::index_sequence_for<X...>());
    });
  }

 private:
  template <class T, size_t... I>
  static void run_as(const KernelCall& call, std::index_sequence<I...>) {
    fill<T>(call, f, call.in[I].template as<const T>()...);
  }
};

// Elements stay where they are; kernels have inputs of the output's shape.
Tensor batch_each(const Recorded& one, std::span<const Tensor> inputs,
                  std::span<const bool> batched, int64_t size);

// The op on operands broadcast to one shape, in the dtype that they have together.
Tensor record_each(const Op& op, std::initializer_list<const Operand*> operands);

// The derivative of gammainc() by a.
Tensor gammainc_by_a(const Tensor& a, const Tensor& x);

}  // namespace glia
