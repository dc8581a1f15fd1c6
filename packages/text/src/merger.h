// Joining neighbours by rank: what byte-pair encodings do.
#pragma once

#include <queue>
#include <tuple>

#include "token_models.h"

namespace glia::text {

// Few parts are gone through for the lowest each time; of many, a heap knows it.
template <class Rank>
void Merger::run(std::vector<Token>* tokens, size_t from, Rank&& rank) {
  constexpr size_t kFew = 48;
  std::vector<Token>& t = *tokens;
  const size_t count = t.size() - from;
  if (count < 2) return;
  if (count <= kFew) {
    uint64_t ranks[kFew];
    size_t n = count;
    Token* parts = t.data() + from;
    for (size_t i = 0; i + 1 < n; ++i) ranks[i] = rank(parts[i].id, parts[i + 1].id);
    while (n > 1) {
      size_t best = 0;
      for (size_t i = 1; i + 1 < n; ++i)
        if (ranks[i] >> 32 < ranks[best] >> 32) best = i;
      if (ranks[best] == kNone) break;
      parts[best] = {static_cast<int32_t>(ranks[best] & UINT32_MAX),
                     parts[best].bytes + parts[best + 1].bytes};
      for (size_t i = best + 1; i + 1 < n; ++i) {
        parts[i] = parts[i + 1];
        ranks[i] = ranks[i + 1];
      }
      --n;
      if (best > 0) ranks[best - 1] = rank(parts[best - 1].id, parts[best].id);
      if (best + 1 < n) ranks[best] = rank(parts[best].id, parts[best + 1].id);
    }
    t.resize(from + n);
    return;
  }
  // Parts are linked; one that was joined to its left is no token any more.
  struct Links {
    uint32_t before, after;
  };
  const auto end = static_cast<uint32_t>(count);
  std::vector<Links> links(count);
  using Entry = std::tuple<uint32_t, uint32_t, int32_t, int32_t, int32_t>;  // rank, at, ids, joined
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> heap;
  const auto push = [&](uint32_t left, uint32_t right) {
    const uint64_t value = rank(t[from + left].id, t[from + right].id);
    if (value != kNone)
      heap.push({static_cast<uint32_t>(value >> 32), left, t[from + left].id, t[from + right].id,
                 static_cast<int32_t>(value & UINT32_MAX)});
  };
  for (uint32_t i = 0; i < end; ++i) links[i] = {i - 1, i + 1};
  for (uint32_t i = 0; i + 1 < end; ++i) push(i, i + 1);
  while (!heap.empty()) {
    const auto [order, left, left_id, right_id, joined] = heap.top();
    heap.pop();
    const uint32_t right = links[left].after;
    if (t[from + left].id != left_id || right >= end || t[from + right].id != right_id) continue;
    t[from + left] = {joined, t[from + left].bytes + t[from + right].bytes};
    t[from + right].id = -1;
    links[left].after = links[right].after;
    if (links[left].after < end) links[links[left].after].before = left;
    if (links[left].before < end) push(links[left].before, left);
    if (links[left].after < end) push(left, links[left].after);
  }
  size_t n = from;
  for (uint32_t i = 0; i < end; i = links[i].after) t[n++] = t[from + i];
  t.resize(n);
}

}  // namespace glia::text
