// Includes Highway with the instruction sets that Glia is compiled for: AVX-512 as of Skylake,
// AVX2 with FMA, and what every processor has. Comes first in the sources of this folder, once
// for each instruction set.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
#include "hwy/foreach_target.h"  // must come before highway.h
#include "hwy/highway.h"
