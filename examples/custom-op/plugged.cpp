// Opens the library that its argument names, uses the operation in it by its name, and goes on to
// do so when it has closed it: what registers an operation stays loaded.
#include <dlfcn.h>

#include <cstdio>

#include "glia/glia.h"
#include "glia/op.h"
using namespace glia;

struct DiscountAttributes {  // as the plugin declares it
  double discount = 1;
  bool reversed = false;
  GLIA_ATTRIBUTES(discount, reversed)
};

int main(int, char** arguments) {
  void* const library = dlopen(arguments[1], RTLD_NOW);
  const Op* const op = find_op("discounted_sum");
  if (!library || !op) return std::printf("%s has no such operation\n", arguments[1]), 1;
  const Tensor x = trainable(ones({3}));
  const auto discounted = [&] {
    return record(*op, {x.node()}, x.shape(), x.dtype(), DiscountAttributes{.discount = 0.5},
                  Where::current());
  };
  const Tensor before = sum(discounted());
  if (before.item() != 1.75 + 1.5 + 1) return 1;
  const Tensor pending = sum(discounted() * 2);
  dlclose(library);
  const Tensor gradient = gradients(sum(discounted()), {x})[0];
  if (pending.item() != 8.5 || sum(gradient).item() != 4.25) return 1;
  std::printf("a plugin's operation outlives dlclose()\n");
  return 0;
}
