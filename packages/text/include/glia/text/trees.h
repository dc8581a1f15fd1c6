// Trees written in brackets, as treebanks have them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/nn/tree.h"

namespace glia::text {

// "(3 (2 It) (4 works))" or "(S (NP (DT the) (NN cat)) ...)": nodes in the order of their brackets,
// each with its label, empty if there is none. A word alone in its node, as "It", is that node's;
// words beside other children are nodes of their own.
struct BracketedTree : nn::Tree {
  std::vector<std::string> labels, words;  // as many as parents; no word: empty
};
// All trees of a text. Throws ValueError, "read_trees: byte 17: fault".
std::vector<BracketedTree> read_trees(const std::string& text);

}  // namespace glia::text
