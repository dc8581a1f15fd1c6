// Encodes texts as a tokeniser says, for encode.py.
//   encode COMMAND FILE...: see main()
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "glia/io.h"
#include "glia/text/tokenizer.h"

using glia::text::Encoding;
using glia::text::Tokenizer;

namespace {

// Texts, each behind its number of bytes in a line.
std::vector<std::string> read_texts(const std::string& path) {
  const std::string all = glia::io::read_file(path);
  std::vector<std::string> out;
  for (size_t at = 0; at < all.size();) {
    const size_t line = all.find('\n', at);
    const size_t size = std::stoul(all.substr(at, line - at));
    out.push_back(all.substr(line + 1, size));
    at = line + 1 + size + 1;
  }
  return out;
}

Tokenizer opened(const std::string& a, const std::string& b) {
  if (b == "-") return Tokenizer::from_file(a);
  if (b == "cased" || b == "uncased") return Tokenizer::from_vocabulary(a, b == "uncased");
  return Tokenizer::from_files(a, b);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.at(0) == "train") {  // train KIND SIZE TEXTS OUT
    glia::text::train_tokenizer(args.at(1), read_texts(args.at(3)),
                                {.vocab_size = std::stol(args.at(2))})
        .save(args.at(4));
    return 0;
  }
  const Tokenizer tokenizer = opened(args.at(1), args.at(2));
  const std::vector<std::string> texts = read_texts(args.at(3));
  if (args.at(0) == "time") {  // seconds for all texts, as they are and numbers alone
    for (int repetition = 0; repetition < 5; ++repetition) {
      const auto seconds = [&](auto&& body) {
        const auto start = std::chrono::steady_clock::now();
        size_t sum = 0;
        for (const std::string& text : texts) sum += body(text);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        if (sum == 0) std::abort();
        return took.count();
      };
      std::printf("%.6f %.6f\n",
                  seconds([&](const std::string& t) { return tokenizer.encode(t).ids.size(); }),
                  seconds([&](const std::string& t) { return tokenizer.ids(t).size(); }));
    }
    return 0;
  }
  // Of each text: numbers, where they begin and end, and the text that they decode to.
  std::ofstream out(args.at(4), std::ios::binary);
  const auto put = [&](const std::vector<int64_t>& numbers) {
    for (const int64_t n : numbers) out << n << ' ';
    out << '\n';
  };
  for (size_t i = 0; i < texts.size(); ++i) {
    const Encoding e = args.at(0) == "pairs"
                           ? tokenizer.encode_pair(texts[i], texts[texts.size() - 1 - i])
                           : tokenizer.encode(texts[i]);
    put(e.ids);
    put(e.begins);
    put(e.ends);
    put(e.type_ids);
    if (e.ids != tokenizer.ids(texts[i]) && args.at(0) != "pairs") return 1;
    const std::string text = tokenizer.decode(e.ids);
    out << text.size() << '\n' << text << '\n';
  }
  return 0;
}
