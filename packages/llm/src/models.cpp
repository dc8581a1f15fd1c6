#include "glia/llm/models.h"

#include <algorithm>
#include <filesystem>

#include "glia/catalogue.h"

namespace glia::llm {
namespace {

constexpr const char* kTask = "trained model";

const data::RegisterEntry smollm2({
    .name = "smollm2",
    .title = "SmolLM2 135M Instruct (Allal et al. 2025), weights of 4 bits",
    .home = "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
    .licence = "Apache-2.0",
    .task = kTask,
    .files = {{.name = "SmolLM2-135M-Instruct.Q4_1.gguf",
               .bytes = 98362432,
               .sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"}},
    .by_hand = "run scripts/weights, or put the file",
});

const data::RegisterEntry minilm({
    .name = "minilm",
    .title = "all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020)",
    .home = "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    .licence = "Apache-2.0",
    .task = kTask,
    .files = {{.name = "model.safetensors",
               .bytes = 90868376,
               .sha256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
              {.name = "vocab.txt",
               .bytes = 231508,
               .sha256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"},
              {.name = "config.json", .bytes = 612}},
    .by_hand = "run scripts/weights, or put its files",
});

}  // namespace

std::vector<std::string> known_models() { return {"smollm2", "minilm"}; }

std::string find_model(const std::string& name) {
  std::error_code ignored;
  if (std::filesystem::exists(name, ignored)) return name;
  const std::vector<std::string> known = known_models();
  if (std::ranges::find(known, name) == known.end())
    throw Error("'" + name + "' is neither a file nor a model that is known (smollm2, minilm)");
  const data::Entry& set = data::entry(name);
  const std::string folder = data::find(set);
  return set.files.size() == 1 ? data::file_in(folder, set.files[0].name) : folder;
}

}  // namespace glia::llm
