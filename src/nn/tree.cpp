// Networks over trees, level by level.
#include "glia/nn/tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "glia/ops.h"
#include "glia/random.h"

namespace glia::nn {
namespace {

using Numbers = std::vector<int64_t>;

Tensor row(const Numbers& numbers) {
  return from_vector(numbers, {static_cast<int64_t>(numbers.size())});
}

// Adds the heights of a tree's nodes behind those of others, children before parents.
void add_heights(const Tree& tree, size_t number, Numbers* heights, int64_t* root) {
  const auto bad = [&](const std::string& what) {
    throw ValueError(fmt::format("Forest: tree {}: {}", number, what));
  };
  const auto count = static_cast<int64_t>(tree.parents.size());
  Numbers waiting(count), height(count), order;
  *root = -1;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t parent = tree.parents[i];
    if (parent < -1 || parent >= count) bad(fmt::format("the parent {} is no node", parent));
    if (parent >= 0) {
      ++waiting[parent];
    } else if (*root >= 0) {
      bad("has several roots");
    } else {
      *root = i;
    }
  }
  if (*root < 0) bad("has no root");
  for (int64_t i = 0; i < count; ++i)
    if (waiting[i] == 0) order.push_back(i);
  for (size_t k = 0; k < order.size(); ++k) {
    const int64_t parent = tree.parents[order[k]];
    if (parent < 0) continue;
    height[parent] = std::max(height[parent], height[order[k]] + 1);
    if (--waiting[parent] == 0) order.push_back(parent);
  }
  if (static_cast<int64_t>(order.size()) < count) bad("has a circle");
  heights->insert(heights->end(), height.begin(), height.end());
}

}  // namespace

Forest::Forest(const std::vector<Tree>& trees) {
  Numbers parents, heights;
  for (size_t number = 0; number < trees.size(); ++number) {
    const auto first = static_cast<int64_t>(parents.size());
    int64_t root = 0;
    add_heights(trees[number], number, &heights, &root);
    for (const int64_t parent : trees[number].parents)
      parents.push_back(parent < 0 ? -1 : parent + first);
    roots_.push_back(first + root);
  }
  const auto count = static_cast<int64_t>(parents.size());
  Numbers at(count), seen(count);  // in its level; children so far
  for (int64_t i = 0; i < count; ++i) {
    if (heights[i] >= static_cast<int64_t>(levels_.size())) levels_.resize(heights[i] + 1);
    Level& level = levels_[heights[i]];
    at[i] = static_cast<int64_t>(level.nodes.size());
    level.nodes.push_back(i);
  }
  std::vector<Numbers> children(count);
  for (int64_t i = 0; i < count; ++i)
    if (parents[i] >= 0) children[parents[i]].push_back(i);
  for (Level& level : levels_)
    for (size_t k = 0; k < level.nodes.size(); ++k)
      for (size_t place = 0; place < children[level.nodes[k]].size(); ++place) {
        level.children.push_back(children[level.nodes[k]][place]);
        level.of.push_back(static_cast<int64_t>(k));
        level.place.push_back(static_cast<int64_t>(place));
      }
  step_.resize(count);
  int64_t step = 0;
  for (const Level& level : levels_)
    for (const int64_t node : level.nodes) step_[node] = step++;
}

Tensor Forest::roots() const { return row(roots_); }

namespace {

// What is computed of the nodes of one level.
struct States {
  Tensor h, c;
};
// `leaves` makes the states of the first level, and `inner` those of any other one, of the level,
// where its children stand in the states that there are, and these: (1 + nodes so far, H), a row of
// zeros before them.
using Leaves = std::function<States(const Forest::Level& level)>;
using Inner =
    std::function<States(const Forest::Level& level, const Numbers& children, const States& known)>;

TreeResult by_levels(const Forest& forest, const Leaves& leaves, const Inner& inner,
                     const Shape& none, DType dtype, const Where& where) {
  if (forest.nodes() == 0) return {zeros(none, dtype), zeros(none, dtype)};
  Shape one = none;
  one[0] = 1;
  const Tensor nothing = zeros(one, dtype);
  const auto join = [&](const Tensor& a, const Tensor& b) {
    return b.defined() ? concat({a, b}, 0, where) : Tensor();
  };
  States all;
  for (const Forest::Level& level : forest.levels()) {
    if (!all.h.defined()) {
      const States first = leaves(level);
      all = {join(nothing, first.h), join(nothing, first.c)};
      continue;
    }
    Numbers children;
    for (const int64_t child : level.children) children.push_back(1 + forest.steps()[child]);
    const States next = inner(level, children, all);
    all = {join(all.h, next.h), join(all.c, next.c)};
  }
  Numbers places;
  for (const int64_t step : forest.steps()) places.push_back(1 + step);
  const Tensor order = row(places);
  return {take(all.h, order, 0, where), all.c.defined() ? take(all.c, order, 0, where) : Tensor()};
}

void require_input(const char* name, const Tensor& x, const Forest& forest, int64_t size,
                   const Where& where) {
  const Shape wanted{forest.nodes(), size};
  if (!x.defined() || x.shape() != wanted)
    throw ShapeError(fmt::format("{}: needs x {}, got {}", name, wanted.str(),
                                 x.defined() ? x.shape().str() : "nothing"),
                     where);
}

// Rows of a tensor for the nodes of a level.
Tensor of_level(const Tensor& x, const Forest::Level& level, const Where& where) {
  return take(x, row(level.nodes), 0, where);
}

Tensor drawn(const Shape& shape, int64_t hidden) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  return uniform(shape, -bound, bound);
}

// A cell without children, or with the sum of what their forget gates let through.
States lstm_states(const Tensor& iou, const Tensor& kept) {
  const int64_t hidden = iou.size(1) / 3;
  const auto part = [&](int64_t k) { return slice(iou, 1, {k * hidden, (k + 1) * hidden}); };
  Tensor c = sigmoid(part(0)) * tanh(part(2));
  if (kept.defined()) c = c + kept;
  return {sigmoid(part(1)) * tanh(c), c};
}

// Of each child its place among all children of the level's nodes, `width` to each.
Tensor slots(const Forest::Level& level, const Numbers& children, int64_t width) {
  const auto count = static_cast<int64_t>(level.nodes.size());
  Numbers at(Shape({count, width}).numel());  // 0: the row of zeros
  for (size_t k = 0; k < children.size(); ++k)
    at[level.of[k] * width + level.place[k]] = children[k];
  return from_vector(at, {count, width});
}

void require_children(const char* name, const Forest& forest, int64_t least, int64_t most,
                      const Where& where) {
  for (const Forest::Level& level : forest.levels()) {
    Numbers count(level.nodes.size());
    for (const int64_t of : level.of) ++count[of];
    for (const int64_t n : count)
      if (n != 0 && (n < least || n > most))
        throw ShapeError(
            fmt::format("{}: a node has {} children, not {}", name, n,
                        least == most ? std::to_string(most) : fmt::format("{} at most", most)),
            where);
  }
}

int64_t gates(int64_t hidden) { return multiply_sizes(4, hidden); }

}  // namespace

ChildSumTreeLSTM::ChildSumTreeLSTM(int64_t input_size, int64_t hidden_size,
                                   const TreeLSTMOptions& options)
    : w(input_size, gates(hidden_size), {.bias = options.bias}),
      u_iou(drawn({multiply_sizes(3, hidden_size), hidden_size}, hidden_size)),
      u_f(drawn({hidden_size, hidden_size}, hidden_size)) {}

TreeResult ChildSumTreeLSTM::operator()(const Tensor& x, const Forest& forest, Where where) const {
  const int64_t hidden = u_f.shape()[0];
  require_input("ChildSumTreeLSTM", x, forest, w.weight.shape()[1], where);
  const Tensor z = w(x, where);
  const Tensor iou = slice(z, 1, {0, 3 * hidden}, where),
               f = slice(z, 1, {3 * hidden, 4 * hidden}, where);
  const auto leaves = [&](const Forest::Level& level) {
    return lstm_states(of_level(iou, level, where), {});
  };
  const auto inner = [&](const Forest::Level& level, const Numbers& children, const States& known) {
    const Tensor at = row(children), of = row(level.of);
    const Tensor h = take(known.h, at, 0, where), c = take(known.c, at, 0, where);
    const Tensor none = zeros({static_cast<int64_t>(level.nodes.size()), hidden}, h.dtype());
    const Tensor sums = index_add(none, of, h, 0, where);
    const Tensor forget =
        sigmoid(take(of_level(f, level, where), of, 0, where) + linear(h, u_f, {}, where));
    return lstm_states(of_level(iou, level, where) + linear(sums, u_iou, {}, where),
                       index_add(none, of, forget * c, 0, where));
  };
  return by_levels(forest, leaves, inner, {0, hidden}, z.dtype(), where);
}

NaryTreeLSTM::NaryTreeLSTM(int64_t children, int64_t input_size, int64_t hidden_size,
                           const TreeLSTMOptions& options)
    : children(children), w(input_size, gates(hidden_size), {.bias = options.bias}) {
  if (children < 1)
    throw ShapeError(fmt::format("NaryTreeLSTM: {} children are not positive", children));
  const int64_t width = multiply_sizes(children, hidden_size);
  u_iou = drawn({multiply_sizes(3, hidden_size), width}, hidden_size);
  u_f = drawn({width, width}, hidden_size);
}

TreeResult NaryTreeLSTM::operator()(const Tensor& x, const Forest& forest, Where where) const {
  constexpr const char* kName = "NaryTreeLSTM";
  const int64_t hidden = u_iou.shape()[0] / 3, width = children * hidden;
  require_input(kName, x, forest, w.weight.shape()[1], where);
  require_children(kName, forest, 1, children, where);
  const Tensor z = w(x, where);
  const Tensor iou = slice(z, 1, {0, 3 * hidden}, where),
               f = slice(z, 1, {3 * hidden, 4 * hidden}, where);
  const auto leaves = [&](const Forest::Level& level) {
    return lstm_states(of_level(iou, level, where), {});
  };
  const auto inner = [&](const Forest::Level& level, const Numbers& at, const States& known) {
    const auto count = static_cast<int64_t>(level.nodes.size());
    const Tensor places = slots(level, at, children);
    const Tensor h = reshape(take(known.h, places, 0, where), {count, width}, where);
    const Tensor c = take(known.c, places, 0, where);  // (n, N, H)
    const Tensor forget =
        sigmoid(reshape(linear(h, u_f, {}, where), {count, children, hidden}, where) +
                unsqueeze(of_level(f, level, where), 1, where));
    return lstm_states(of_level(iou, level, where) + linear(h, u_iou, {}, where),
                       sum(forget * c, {1}, false, where));
  };
  return by_levels(forest, leaves, inner, {0, hidden}, z.dtype(), where);
}

RecursiveNet::RecursiveNet(int64_t size, const RecursiveNetOptions& options)
    : w(multiply_sizes(2, size), size, {.bias = options.bias}) {
  if (options.tensor) tensor = drawn({size, 2 * size, 2 * size}, multiply_sizes(4, size));
}

TreeResult RecursiveNet::operator()(const Tensor& x, const Forest& forest, Where where) const {
  constexpr const char* kName = "RecursiveNet";
  const int64_t size = w.weight.shape()[0];
  require_input(kName, x, forest, size, where);
  require_children(kName, forest, 2, 2, where);
  const auto leaves = [&](const Forest::Level& level) -> States {
    return {of_level(x, level, where), {}};
  };
  const auto inner = [&](const Forest::Level& level, const Numbers& at,
                         const States& known) -> States {
    const auto count = static_cast<int64_t>(level.nodes.size());
    const Tensor both =
        reshape(take(known.h, slots(level, at, 2), 0, where), {count, 2 * size}, where);
    Tensor sums = w(both, where);
    if (tensor.defined()) {
      // V is (H 2H, 2H) here: first one side of all features, then the other.
      const Tensor v = reshape(tensor, {2 * size * size, 2 * size}, where);
      const Tensor right = reshape(linear(both, v, {}, where), {count, size, 2 * size}, where);
      sums = sums + squeeze(matmul(right, unsqueeze(both, -1, where), where), -1, where);
    }
    return {tanh(sums), {}};
  };
  return by_levels(forest, leaves, inner, {0, size}, x.dtype(), where);
}

}  // namespace glia::nn
