// From one dtype to another.
#include "ops.h"

namespace glia::bench {

void casts(Table& t) {
  constexpr std::pair<DType, DType> kPairs[] = {
      {kU8, kF32},   {kF32, kU8},  {kF32, kBF16}, {kBF16, kF32}, {kF16, kF32}, {kF32, kF16},
      {kF32, kF64},  {kF64, kF32}, {kI64, kF32},  {kF32, kI64},  {kI32, kI64}, {kI64, kI32},
      {kBool, kF32}, {kI64, kF64}, {kU8, kI64},   {kBF16, kF16}, {kF32, kBool}};
  for (const auto& [from, to] : kPairs) {
    t.value(std::string("cast ") + name(from) + "->" + name(to),
            {numbers({from == kBool ? kE : kE / 2}, from)},
            [to = to](In x) { return cast(x[0], to); });
  }
  const Tensor mean = tensor({0.485f, 0.456f, 0.406f}), std = tensor({0.229f, 0.224f, 0.225f});
  t.value("u8 image normalise", {numbers({64, 224, 224, 3}, kU8)},
          [=](In x) { return (cast(x[0], kF32) / 255 - mean) / std; });
}

}  // namespace glia::bench
