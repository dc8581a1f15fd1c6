// Glia's side of errors.py: errors REFERENCES HYPOTHESES, files of as many lines; prints, for each
// pair and for all, counts and rates of words and characters.
#include "glia/audio/errors.h"

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

using namespace glia::audio;

namespace {

std::vector<std::string> lines(const char* path) {
  std::vector<std::string> all;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

void print(const EditCounts& c) {
  std::printf("%ld %ld %.17g ", static_cast<long>(c.errors()), static_cast<long>(c.length()),
              c.rate());
}

}  // namespace

int main(int, char** a) {
  const auto references = lines(a[1]), hypotheses = lines(a[2]);
  for (size_t i = 0; i < references.size(); ++i) {
    print(word_errors({references[i]}, {hypotheses[i]}));
    print(character_errors({references[i]}, {hypotheses[i]}));
    std::printf("\n");
  }
  print(word_errors(references, hypotheses));
  print(character_errors(references, hypotheses));
  std::printf("\n");
}
