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

// Calls the function, made known by HWY_EXPORT, of the level in use. Highway's own choice is for
// the whole process and not ours to change.
#undef GLIA_DISPATCH
#if (HWY_TARGETS & (HWY_TARGETS - 1)) == 0
#define GLIA_DISPATCH(function) HWY_STATIC_DISPATCH(function)
#else
#define GLIA_DISPATCH(function) (*HWY_DISPATCH_TABLE(function)[glia::cpu::target_index()])
#endif

// What Kernel::choose is of a function made known by HWY_EXPORT.
#undef GLIA_CHOOSE
#define GLIA_CHOOSE(function) [] { return RunFunction(GLIA_DISPATCH(function)); }
