// Copies of views whose elements lie in another order, of every size of element.
#include <gtest/gtest.h>

#include "glia/ops.h"
#include "glia/runtime.h"

namespace glia::test {
namespace {

struct View {
  const char* what;
  Tensor (*apply)(const Tensor&);
};
const View kViews[] = {
    {"permute 0 2 1",
     [](const Tensor& x) {
       return permute(x, {0, 2, 1});
     }},
    {"permute 2 1 0",
     [](const Tensor& x) {
       return permute(x, {2, 1, 0});
     }},
    {"permute 1 0 2",
     [](const Tensor& x) {
       return permute(x, {1, 0, 2});
     }},
    {"permute 2 0 1",
     [](const Tensor& x) {
       return permute(x, {2, 0, 1});
     }},
    {"permute 1 2 0",
     [](const Tensor& x) {
       return permute(x, {1, 2, 0});
     }},
    {"flip last", [](const Tensor& x) { return flip(x, {2}); }},
    {"flip first", [](const Tensor& x) { return flip(x, {0}); }},
    {"flip all",
     [](const Tensor& x) {
       return flip(x, {0, 1, 2});
     }},
    {"even", [](const Tensor& x) { return slice(x, 2, {.step = 2}); }},
    {"odd", [](const Tensor& x) { return slice(x, 2, {.start = 1, .step = 2}); }},
    {"inside", [](const Tensor& x) { return slice(x, 2, {.start = 1, .stop = -1}); }},
    {"flipped part, turned",
     [](const Tensor& x) {
       return permute(flip(slice(x, 1, {.start = 1}), {1}), {2, 1, 0});
     }},
};

// Where a view's elements come from is told by one that is computed with, which is no mere copy.
TEST(Copies, HaveTheElementsOfTheViewInItsOrder) {
  for (const Shape& shape : std::vector<Shape>{
           {3, 70, 133}, {130, 2, 65}, {9, 9, 9}, {1, 200, 64}, {64, 64, 64}, {2, 1, 301}}) {
    const Tensor order = reshape(arange(shape.numel()), shape);
    eval(order);
    for (const View& view : kViews) {
      const std::vector<int64_t> places = (view.apply(order) * 3).to_vector<int64_t>();
      for (DType dtype : {kBool, kU8, kBF16, kF32, kI32, kF64, kI64}) {
        SCOPED_TRACE(std::string(view.what) + " of " + shape.str() + " " + name(dtype));
        const Tensor x = cast(remainder(order * 7, dtype == kBool ? 2 : 97), dtype);
        eval(x);
        const std::vector<double> all = x.to_vector<double>();
        std::vector<double> expected;
        for (int64_t p : places) expected.push_back(all[static_cast<size_t>(p / 3)]);
        EXPECT_TRUE(view.apply(x).to_vector<double>() == expected);
      }
    }
  }
}

}  // namespace
}  // namespace glia::test
