// Prints the words, the inverse frequencies and the rows that vectorisers make of the lines of a
// file: vectorizer.py.
#include "glia/text/vectorizer.h"

#include <cstdio>
#include <fstream>
#include <string>

using namespace glia;

namespace {

void print(const text::CountVectorizer& words, const std::vector<double>& idf, const Csr& rows) {
  for (const std::string& word : words.vocabulary()) std::printf("%s\t", word.c_str());
  std::printf("\n");
  for (const double x : idf) std::printf("%.17g ", x);
  std::printf("\n");
  for (const int32_t x : rows.row_ptr().to_vector<int32_t>()) std::printf("%d ", x);
  std::printf("\n");
  for (const int32_t x : rows.cols().to_vector<int32_t>()) std::printf("%d ", x);
  std::printf("\n");
  for (const double x : rows.values().to_vector<double>()) std::printf("%.17g ", x);
  std::printf("\n");
}

}  // namespace

int main(int, char** argv) {
  std::ifstream file(argv[1]);
  std::vector<std::string> texts;
  for (std::string line; std::getline(file, line);) texts.push_back(line);
  text::CountVectorizer counts;
  print(counts, {}, counts.fit_transform(texts));
  text::CountVectorizer some(
      {.lowercase = false, .min_n = 1, .max_n = 2, .min_df = 2, .max_df = 0.5, .binary = true});
  print(some, {}, some.fit_transform(texts));
  text::TfidfVectorizer tfidf;
  print(tfidf, tfidf.idf(), tfidf.fit_transform(texts));
  text::TfidfVectorizer other({{.min_df = 3}, text::TextNorm::kL1, true, false, true});
  print(other, other.idf(), other.fit_transform(texts));
}
