// The straight-line program that a loop of generated code runs for each vector of elements.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "glia/dtype.h"
#include "ops/elementwise.h"

namespace glia::cpu::jit {

// An instruction gives a vector of 32-bit lanes (floats or integers, as its users see it), a vector
// of half as many f64, or a mask, except those at the end, which leave something behind. In a body
// of f64 all lanes are f64: also those of f32 and i32, which these hold exactly.
enum class Do : uint8_t {
  // What is there before the body runs. Bools are masks, 16-bit floats are f32, u8 are i32.
  kConstant,    // `bits` in all lanes
  kScalar,      // the element of array `index`, of `type`, in all lanes
  kRowSlot,     // the row's value `index`, of `type`, in all lanes
  kRunning,     // the running reduction `index`; of f64 each half has its own
  kLoad,        // array `index`, of `type`, at the element
  kLoadColumn,  // the same at the column
  kLoadKept,    // kept values `index` at the column
  kUniform,     // random numbers of the key in array `index`, at an element that 4 divides
  // Arithmetic of floats.
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMin,
  kMax,
  kFma,
  kSqrt,
  kRound,
  kScale,  // kRound: mode in `bits`
  // Of bits and integers; shifts by `bits`.
  kAnd,
  kOr,
  kXor,
  kShiftLeft,
  kShiftRight,
  kAddInt,
  kSubInt,
  kMulInt,
  kMinInt,
  kMaxInt,
  kIntToFloat,
  kRoundToHalf,
  kRoundToFloat,  // f64
  // Comparisons: predicate in `bits`; masks.
  kCompare,
  kCompareInt,
  kMaskAnd,
  kMaskOr,
  kMaskNot,
  kSelect,  // a ? b : c
  kSlow,    // where mask a holds (rarely), `slow` of b and c; elsewhere anything
  kInside,  // a where the lane is part of the array, else b
  // Of f64, in halves of a vector: the low lanes (`bits` 0) and the high ones (1).
  kWiden,       // a half of floats a
  kSubWide,     // a - b
  kInsideWide,  // a where the lane is part of the array, else 0
  // Effects, on value a.
  kStore,        // to array `index`, of `type`, at the element; past the caches if `bits`
  kStoreColumn,  // to array `index`, of `type`, at the column
  kKeep,         // to kept values `index` at the column
  kFetch,        // array `index`, of `type`, `bits` elements behind the element, into the cache
  kSetRunning,   // to running reduction `index`
  // Of f64: a, or if there is a b, a b, is added to running reduction `index`, or to array `index`
  // at the column, whole vectors; or that is multiplied by a.
  kAddRunning,
  kMulRunning,
  kAddColumn,
  kMulColumn,
  kSetRowSlot,  // to the row's value `index`, of `type`
};
inline bool is_effect(Do what) { return what >= Do::kStore; }

// Predicates of kCompare (as in the instruction vcmpps) and kCompareInt (vpcmpd).
enum : uint32_t { kFloatEq = 0x00, kFloatNe = 0x04, kFloatLt = 0x11, kFloatLe = 0x12 };
enum : uint32_t { kIntEq = 0, kIntLt = 1, kIntLe = 2, kIntNe = 4 };

// What is called with the lanes' addresses and which of them the mask has: T is that of the lanes;
// x = f(x, y).
template <class T>
using Slow = void (*)(uint32_t lanes, T* x, const T* y);

struct Instruction {
  Do what;
  DType type = kF32;  // of an array's elements
  int a = -1, b = -1, c = -1;
  int index = -1;
  uint64_t bits = 0;
  uintptr_t slow = 0;  // a Slow
  auto operator<=>(const Instruction&) const = default;
};

struct Body {
  std::vector<Instruction> code;
  bool has_scale = false;    // the processor has kScale
  bool f64 = false;          // its lanes
  bool unsupported = false;  // an operation was recorded that only a kernel can compute

  // The place of an equal instruction, or of this one at the end.
  int add(const Instruction& i);
  int constant(double value);  // rounded to the lanes' type
  int constant_bits(uint64_t bits) { return add({.what = Do::kConstant, .bits = bits}); }
  bool is_mask(int value) const;

 private:
  std::map<Instruction, int> known_;
};

// Appends code(a, b, c) of operands of a dtype (of b and c for kWhere); its result. Sets
// `unsupported` where generated code cannot say it. Not for kCast and kUniform.
int append(Body* body, Code code, DType dtype, int a, int b, int c);
int append_cast(Body* body, DType from, DType to, int a);
// Appends reduce(a, b) of f32, or f64 in a body of f64.
int append_reduction(Body* body, ReduceCode code, int a, int b);
// What a reduction starts from.
float identity_of(ReduceCode code);
// Whether a reduction of f32 runs in f64: it is two running reductions then.
bool is_wide(ReduceCode code);

}  // namespace glia::cpu::jit
