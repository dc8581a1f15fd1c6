// Very large graphs, such as the losses of a hundred thousand batches that are stacked at the end:
// what planning costs grows faster than a graph, and the pieces of one are often alike.
#include <algorithm>
#include <utility>

#include "graph/plan.h"

namespace glia {
namespace {

constexpr size_t kMostNodes = 1 << 16;  // of one plan
constexpr int kPiece = 1 << 13;

// Updates come after all that can fail.
bool is_update(const Node* node) { return !is_leaf(*node) && node->op->last; }

}  // namespace

std::vector<std::vector<Node*>> pieces_of(const PendingGraph& graph) {
  std::vector<std::vector<Node*>> pieces;
  const auto& nodes = graph.nodes;
  if (nodes.size() <= kMostNodes || std::ranges::any_of(nodes, is_update)) return pieces;
  const int count = static_cast<int>(nodes.size());
  std::vector<int> last_use(nodes.size(), -1);
  const auto inputs_of = [&](int i) {
    return is_leaf(*nodes[i]) ? std::span<Node* const>() : nodes[i]->input_span();
  };
  for (int i = 0; i < count; ++i) {
    for (const Node* in : inputs_of(i)) last_use[in->index] = i;
  }
  for (const Node* root : graph.roots) last_use[root->index] = count;
  std::vector<uint8_t> gone(nodes.size(), 0);
  // Each piece ends where fewest of its values are needed behind it. A kernel with several results
  // is no value.
  for (int begin = 0; count - begin > kPiece;) {
    int alive = 0, tuples = 0, fewest = kPiece, end = -1;
    const auto change = [&](int i, int by) {
      if (i < begin || is_leaf(*nodes[i])) return;
      alive += by;
      if (nodes[i]->op->outputs > 1) tuples += by;
    };
    for (int i = begin; i < begin + kPiece; ++i) {
      for (const Node* in : inputs_of(i)) {
        if (last_use[in->index] == i && !std::exchange(gone[in->index], 1))
          change(static_cast<int>(in->index), -1);
      }
      change(i, 1);
      if (i >= begin + kPiece / 2 && tuples == 0 && alive < fewest) {
        fewest = alive;
        end = i + 1;
      }
    }
    if (end < 0) end = begin + kPiece;
    std::vector<Node*> needed;
    for (int i = begin; i < end; ++i) {
      if (last_use[i] >= end && !is_leaf(*nodes[i]) && nodes[i]->op->outputs == 1)
        needed.push_back(nodes[i]);
    }
    pieces.push_back(std::move(needed));
    begin = end;
  }
  return pieces;
}

}  // namespace glia
