// Recurrent layers over sequences (steps, batch, features).
#include "ops.h"

namespace glia::bench {
namespace {

// Sequences, weights and biases of a layer with so many gates.
std::vector<Input> layer(int64_t steps, int64_t batch, int64_t in, int64_t hidden, int64_t gates,
                         DType dtype = kF32) {
  const Input bias = numbers({gates * hidden}, dtype);
  return {numbers({steps, batch, in}, dtype), scaled(0.1, {gates * hidden, in}, dtype),
          scaled(0.1, {gates * hidden, hidden}, dtype), bias, bias};
}

Tensor long_short(In x) { return lstm(x[0], x[1], x[2], x[3], x[4]).out; }

}  // namespace

void recurrent(Table& t) {
  t.value("lstm (64,32,128)->128", layer(64, 32, 128, 128, 4), long_short);
  t.grad("lstm fwd+bwd", layer(64, 32, 128, 128, 4), long_short);
  t.grad("lstm fwd+bwd f64", layer(32, 16, 64, 64, 4, kF64), long_short);
  t.grad("lstm fwd+bwd long (1000,4,32)->32", layer(1000, 4, 32, 32, 4), long_short);
  t.grad("gru fwd+bwd", layer(64, 32, 128, 128, 3),
         [](In x) { return gru(x[0], x[1], x[2], x[3], x[4]).out; });
  t.grad("rnn fwd+bwd", layer(64, 32, 128, 128, 1),
         [](In x) { return rnn(x[0], x[1], x[2], x[3], x[4]).out; });
}

}  // namespace glia::bench
