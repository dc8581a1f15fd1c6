// The inner loops of word vectors: rows of floats, as long as vectors of the processor.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace glia::text {

// Rows of so many floats, each filled up with zeros to whole vectors of 16 and aligned.
class Rows {
 public:
  Rows(int64_t count, int64_t width);
  float* operator[](int64_t i) { return values_ + i * stride_; }
  const float* operator[](int64_t i) const { return values_ + i * stride_; }
  int64_t count() const { return count_; }
  int64_t width() const { return width_; }
  int64_t stride() const { return stride_; }
  // Of their own memory behind one another, without what fills them up.
  std::vector<float> packed() const;

 private:
  int64_t count_, width_, stride_;
  std::unique_ptr<float[]> memory_;
  float* values_;
};

// 1 / (1 + exp(-x)), by a table; and the logarithm of it for the loss.
float sigmoid(float x);
float log_sigmoid(float x);

// A step of logistic regression of each input against each output, whose label is 1 for the first
// `ones` of them and 0 for the rest. Outputs are changed; what an input is to be changed by is
// added to its row of `changes`. Returns the sum of losses. At most 64 outputs.
struct Regression {
  const float* const* ins;
  int ins_count;
  float* const* outs;
  int outs_count;
  int ones;
  float rate;
  float* const* changes;
  int64_t stride;
};
double regress(const Regression& r);

// y += a x
void add_scaled(float* y, const float* x, float a, int64_t stride);
// y = a times the sum of `count` rows, one at least; and rows += a x, of which one may come twice.
void sum_of(const float* const* rows, int count, float a, float* y, int64_t stride);
void add_to_all(float* const* rows, int count, const float* x, float a, int64_t stride);
float dot_of(const float* x, const float* y, int64_t stride);

}  // namespace glia::text
