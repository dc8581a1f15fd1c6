// Initialisers: each sets a variable's value from this thread's random stream. Those that need a
// fan-in or fan-out take weights as Glia stores them, (out, ..., in), and throw ShapeError below
// rank 2.
#pragma once

#include "glia/tensor.h"

namespace glia::nn::init {

void uniform_(const Variable& v, double low = 0, double high = 1);
void normal_(const Variable& v, double mean = 0, double std = 1);
void constant_(const Variable& v, double value);
void zeros_(const Variable& v);
void ones_(const Variable& v);
// Normal, drawn again wherever outside [low, high].
void trunc_normal_(const Variable& v, double mean = 0, double std = 1, double low = -2,
                   double high = 2);

// Glorot & Bengio 2010.
void xavier_uniform_(const Variable& v, double gain = 1);
void xavier_normal_(const Variable& v, double gain = 1);

enum class Fan { kIn, kOut };
enum class Nonlinearity { kLinear, kSigmoid, kTanh, kReLU, kLeakyReLU, kSELU };
// What keeps the variance through a nonlinearity; the slope is the leaky ReLU's.
double calculate_gain(Nonlinearity nonlinearity, double negative_slope = 0.01);
struct KaimingOptions {
  double a = 0;  // slope of the leaky ReLU that follows
  Fan mode = Fan::kIn;
  Nonlinearity nonlinearity = Nonlinearity::kLeakyReLU;
};
// He et al. 2015.
void kaiming_uniform_(const Variable& v, const KaimingOptions& options = {});
void kaiming_normal_(const Variable& v, const KaimingOptions& options = {});

// Orthonormal rows, or columns if there are fewer, times gain (Saxe et al. 2013).
void orthogonal_(const Variable& v, double gain = 1);

}  // namespace glia::nn::init
