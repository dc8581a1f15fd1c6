// What is done to a text before it is cut: the normalizers of tokenizer.json.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "aligned.h"

namespace glia::text {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(Aligned* text) const = 0;
};
using Normalizers = std::vector<std::shared_ptr<const Normalizer>>;
// Of a normalizer of tokenizer.json or null, sequences laid open. Throws ValueError.
Normalizers read_normalizers(const nlohmann::json& json);
void apply(const Normalizers& all, Aligned* text);

// What SentencePiece makes of characters: a trie of bytes (darts-clone) and texts.
class CharacterMap {
 public:
  // Throws ValueError.
  explicit CharacterMap(std::string_view bytes);
  struct Found {
    std::string_view text;
    size_t bytes = 0;  // of what it stands for; 0: there is nothing
  };
  // For the longest beginning of `text`, or the shortest.
  Found find(std::string_view text, bool longest) const;

 private:
  std::vector<uint32_t> units_;
  std::string texts_;
};
std::string decode_base64(std::string_view text);

}  // namespace glia::text
