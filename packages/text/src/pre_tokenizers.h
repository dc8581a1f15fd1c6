// How a text is cut before a model cuts it further: the pre-tokenizers of tokenizer.json.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "aligned.h"

namespace glia::text {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Pieces* pieces) const = 0;
};
struct PreTokenizers {
  std::vector<std::shared_ptr<const PreTokenizer>> all;
  bool bytes = false;  // the last one is ByteLevel, and leaves its bytes to a model that takes them
};
// Of a pre-tokenizer of tokenizer.json or null, sequences laid open. `takes_bytes`: the model's
// tokens are bytes, so that a ByteLevel at the end need not write bytes as characters. Throws
// ValueError.
PreTokenizers read_pre_tokenizers(const nlohmann::json& json, bool takes_bytes);

// What SentencePiece has in place of a blank, and when a text gets one in front.
struct Metaspace {
  std::string replacement;
  enum Scheme { kAlways, kFirst, kNever } prepend = kAlways;
  bool split = true;
};
Metaspace read_metaspace(const nlohmann::json& json);

}  // namespace glia::text
