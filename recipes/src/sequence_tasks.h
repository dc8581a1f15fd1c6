// Tasks that need a memory: pictures read row by row, sums of marked numbers, copies after a while.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "glia/data.h"
#include "glia/tensor.h"

namespace glia::recipes {

struct SequenceBatch {
  Tensor x;       // f32 (N, T, inputs)
  Tensor target;  // of "adding" f32 (N), of the others i64: (N), or (N, M) of the last M steps
};
struct SequenceTask {
  int64_t steps = 0, inputs = 0, outputs = 0;
  bool regression = false;
  int64_t answers = 1;      // of so many last steps
  double trivial_loss = 0;  // of the best answer that does not remember anything
  std::function<SequenceBatch(int64_t count)> draw = {};  // from this thread's random stream
  std::function<SequenceBatch()> test = {};               // always the same
};
// "adding": the sum of the two of `length` numbers that are marked (Hochreiter & Schmidhuber 1997).
// "copy": ten symbols of eight kinds, to be repeated `length` steps later (Arjovsky et al. 2016).
// "row-fashion-mnist": the class of a picture whose rows are the steps. Throws IoError.
SequenceTask sequence_task(const std::string& name, int64_t length);

}  // namespace glia::recipes
