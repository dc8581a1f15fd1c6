// What the library alone knows of operations besides glia/op.h.
#pragma once

#include <cstdint>
#include <span>

#include "core/node.h"
#include "glia/op.h"

namespace glia {

using detail::WordsOf;

// What is to be done to an output of rows x columns, its last axis, while it is in cache.
class Epilogue {
 public:
  // A rectangle of the output. It has all columns, or a multiple of 64 that starts at a multiple of
  // 64, or is the last of its rows. Parts with one index have no column in common, so that each
  // column has one sum for an index.
  struct Part {
    int64_t index = 0;
    int64_t row = 0, rows = 0, column = 0, columns = 0;
  };
  // Before all parts; their indices are below `parts`.
  virtual void begin(int64_t parts) = 0;
  // Once for each part, when it is final, by the thread that finished it.
  virtual void run(const Part& part) = 0;

  bool whole_rows = false;  // every part must have all columns

 protected:
  ~Epilogue() = default;
};

// The results of a macro op's node by the operations that it stands for, on these inputs
// (undefined: not given). None of them is an input itself.
std::vector<Tensor> compose(const Node& macro, std::span<const Tensor> inputs);
// What belongs to each input of a node, undefined or null for one that was not given, from a list
// of those that were.
std::vector<Tensor> by_slot(const Node& node, std::span<const Tensor> given);
std::vector<Node*> nodes_by_slot(const Node& node, std::span<const Tensor> given);
std::vector<Tensor> inputs_by_slot(const Node& node);

extern const Op kLeafOp, kScalarOp, kConstantOp, kOutputOp, kAliasOp;
// What stands for a value of one example of many while a function is recorded; has no value.
extern const Op kPlaceholderOp;

// A bit for each of these axes, for all of them when there are none; fails for one given twice.
int64_t axis_mask(const char* op, std::span<const int64_t> axes, int rank,
                  const std::source_location& where);

}  // namespace glia
