// Operations of which it is an argument of plans, no part of their key, where something begins.
#pragma once

#include "core/op.h"

namespace glia {

// The op's first attribute, an integer (or a Shape, if all attributes are), says only where
// something begins. A kernel reads it when it runs; of a view it counts elements along an axis of
// the input. Compositions record another op in its place, of whose attributes all are part of the
// key: where one and its gradient both name it, a plan knows that it is the same.
struct Positioned {
  const Op* op;
  int (*axis)(const Recorded& view) = nullptr;
};
// Makes one known, as a static object beside it.
struct RegisterPositioned {
  explicit RegisterPositioned(const Positioned& op);
};

// All there are, then one without an op.
extern const Positioned* const positioned_ops;

inline const Positioned* find_positioned(const Op* op) {
  for (const Positioned* p = positioned_ops; p->op; ++p) {
    if (p->op == op) return p;
  }
  return nullptr;
}
// How many of a node's words, the first ones, say where it begins.
inline int position_words(const Node& node) {
  if (!find_positioned(node.op)) return 0;
  return node.op->attributes[0].type == AttributeType::kShape ? node.shape.rank() : 1;
}

}  // namespace glia
