// What all methods ask of their arguments.
#pragma once

#include <functional>

#include "glia/explain/attribution.h"
#include "glia/ops.h"

namespace glia::explain {

// Throws ShapeError unless it is a float with examples along axis 0.
void require_input(const char* op, const Tensor& x, const Where& where);
// The baseline, zeros if undefined, as large as x.
Tensor baseline_for(const char* op, const Tensor& baseline, const Tensor& x, const Where& where);
// Throws ValueError unless count >= 1.
void require_count(const char* op, const char* name, int64_t count, const Where& where);

// x marked as trainable, the scores (N) that f gives of it, and what f gave.
struct Recording {
  Tensor x, outputs, scores;
};
Recording recorded(const char* op, const Forward& f, const Tensor& x, const Target& target,
                   const Where& where);
// d sum(scores) / d x: what each example's score changes with its own input.
Tensor gradient(const char* op, const Forward& f, const Tensor& x, const Target& target,
                const Where& where);
// f's scores without gradients.
Tensor scores_of(const Forward& f, const Tensor& x, const Target& target, const Where& where);
// (N): sums over all but the examples.
Tensor example_sums(const Tensor& x);
// The values of examples (N) as (N, 1, ...) of that rank.
Tensor along(const Tensor& examples, int rank);
// Each example `times` times, one after the other, and the positions of these.
Tensor repeated(const Tensor& x, int64_t times);

}  // namespace glia::explain
