// The instruction sets that kernels are compiled for, through Highway: AVX-512 as of Skylake,
// AVX2 with FMA, and what every processor has. A source that defines HWY_TARGET_INCLUDE is
// included once for each of them, which is why there is no include guard here.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
#ifdef HWY_TARGET_INCLUDE
#include "hwy/foreach_target.h"  // must come before highway.h
#endif
#include "hwy/highway.h"

// GLIA_EXPORT makes known what a function is on each level, GLIA_DISPATCH is that of the level in
// use. Highway's own choice is for the whole process, and its library takes 3 ms to load.
#undef GLIA_EXPORT
#undef GLIA_DISPATCH
#if (HWY_TARGETS & (HWY_TARGETS - 1)) == 0
#define GLIA_EXPORT(function) HWY_EXPORT(function)
#define GLIA_DISPATCH(function) HWY_STATIC_DISPATCH(function)
#else
#define GLIA_EXPORT(function)                                                              \
  static decltype(&HWY_STATIC_DISPATCH(function)) const HWY_DISPATCH_TABLE(                \
      function)[HWY_MAX_DYNAMIC_TARGETS + 2] = {nullptr, HWY_CHOOSE_TARGET_LIST(function), \
                                                HWY_CHOOSE_FALLBACK(function)}
#define GLIA_DISPATCH(function) (*HWY_DISPATCH_TABLE(function)[glia::cpu::target_index()])
#endif

// What Kernel::choose is of a function made known by GLIA_EXPORT.
#undef GLIA_CHOOSE
#define GLIA_CHOOSE(function) [] { return RunFunction(GLIA_DISPATCH(function)); }
