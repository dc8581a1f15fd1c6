// Lines WORD TAB UPOS TAB XPOS, a blank line behind each sentence.
#include "glia/catalogue.h"
#include "glia/text/tagged.h"

namespace glia::text {
namespace {

const data::RegisterEntry set({
    .name = "ud-ewt",
    .title = "UD English Web Treebank",
    .home = "https://universaldependencies.org/treebanks/en_ewt",
    .licence = "CC BY-SA 4.0",
    .task = "tagging",
    .files = {{"train.tsv"}, {"dev.tsv"}, {"test.tsv"}},
    .by_hand = "put train.tsv, dev.tsv and test.tsv (WORD TAB UPOS TAB XPOS, a blank line behind "
               "each sentence)",
});

TaggedSentences part(const std::string& name, const std::string& folder) {
  return read_tagged(data::file_in(data::find(data::entry("ud-ewt"), folder), name));
}

}  // namespace

TaggedSentences ud_ewt(data::Split split, const std::string& folder) {
  return part(split == data::Train ? "train.tsv" : "test.tsv", folder);
}
TaggedSentences ud_ewt_dev(const std::string& folder) { return part("dev.tsv", folder); }

}  // namespace glia::text
