// Trained models by name: where their files lie.
#pragma once

#include <string>
#include <vector>

namespace glia::llm {

// The path of a model: of a file or folder that exists as it is named, else of a model of the
// catalogue ("smollm2": its GGUF file; "minilm": its folder), which is looked for as its data sets
// are. Throws IoError, which says how to get it, and Error for what is neither.
std::string find_model(const std::string& name);
// The catalogue's models.
std::vector<std::string> known_models();

}  // namespace glia::llm
