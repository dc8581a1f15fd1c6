// What a thread knows of words it has cut before.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "token_models.h"

namespace glia::text {

// Tokens by word, of one model at a time. It forgets all when it is full.
class WordCache {
 public:
  // The tokens of the word, which `cut(word, out)` appends if they are not known. They stand until
  // the next call.
  template <class F>
  std::span<const Token> get(uint64_t model, std::string_view word, F&& cut) {
    if (model != model_) clear(model);
    if (word.size() > kLongest) {
      passing_.clear();
      cut(word, &passing_);
      return passing_;
    }
    const uint64_t hash = hash_of(word);
    size_t at = hash & (slots_.size() - 1);
    for (; slots_[at].words > 0; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (slot.hash == static_cast<uint32_t>(hash >> 32) && slot.size == word.size() &&
          std::memcmp(bytes_.data() + slot.key, word.data(), word.size()) == 0)
        return {tokens_.data() + slot.first, slot.words - 1u};
    }
    if (used_ * 2 >= slots_.size()) {
      clear(model);
      at = hash & (slots_.size() - 1);
    }
    const auto first = static_cast<uint32_t>(tokens_.size());
    cut(word, &tokens_);
    Slot& slot = slots_[at];
    slot = {static_cast<uint32_t>(hash >> 32), static_cast<uint32_t>(bytes_.size()), first,
            static_cast<uint16_t>(word.size()), static_cast<uint16_t>(tokens_.size() - first + 1)};
    bytes_ += word;
    ++used_;
    return {tokens_.data() + first, tokens_.size() - first};
  }

 private:
  static constexpr size_t kLongest = 64, kSlots = 1 << 16;
  struct Slot {
    uint32_t hash = 0, key = 0, first = 0;
    uint16_t size = 0, words = 0;  // bytes; tokens, and one: 0 is a free slot
  };
  static uint64_t hash_of(std::string_view word) {
    uint64_t out = word.size() * 0x9E3779B97F4A7C15u;
    size_t i = 0;
    for (; i + 8 <= word.size(); i += 8) {
      uint64_t part;
      std::memcpy(&part, word.data() + i, 8);
      out = mixed(out ^ part);
    }
    uint64_t part = 0;
    std::memcpy(&part, word.data() + i, word.size() - i);
    return mixed(out ^ part);
  }
  static uint64_t mixed(uint64_t x) {
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    return x ^ x >> 29;
  }
  void clear(uint64_t model) {
    model_ = model;
    slots_.assign(kSlots, {});
    bytes_.clear();
    tokens_.clear();
    used_ = 0;
  }
  uint64_t model_ = 0;
  size_t used_ = 0;
  std::vector<Slot> slots_;
  std::string bytes_;
  std::vector<Token> tokens_, passing_;
};

}  // namespace glia::text
