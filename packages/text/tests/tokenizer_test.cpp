#include "glia/text/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "glia/catalogue.h"
#include "glia/error.h"
#include "glia/io.h"
#include "tests/support/scratch.h"

namespace glia::text {
namespace {

using Ids = std::vector<int64_t>;

std::string fault(const std::string& json) {
  try {
    Tokenizer::from_json(json);
  } catch (const ValueError& e) {
    return e.what();
  }
  return "none";
}

TEST(Tokenizer, JoinsPairsByRank) {
  // low, lower, newest, widest: Sennrich et al. 2016, section 3.2.
  const std::vector<std::string> tokens = {"e", "s", "t", "l", "o", "w", "es", "est", "lo", "low"};
  const Tokenizer t = Tokenizer::from_bpe(tokens, {"e s", "es t", "l o", "lo w"});
  EXPECT_EQ(t.encode("lowest").ids, (Ids{9, 7}));
  EXPECT_EQ(t.decode({9, 7}), "lowest");
  EXPECT_EQ(t.size(), 10);
  // What has no token gives none; its neighbours cover it.
  const Encoding e = t.encode("loxw");
  EXPECT_EQ(e.ids, (Ids{9}));
  EXPECT_EQ(e.begins, (Ids{0}));
  EXPECT_EQ(e.ends, (Ids{4}));
}

TEST(Tokenizer, JoinsALongWordAsAShortOne) {
  const std::vector<std::string> tokens = {"a", "b", "ab", "abab", "ba"};
  const Tokenizer t = Tokenizer::from_bpe(tokens, {"a b", "ab ab", "b a"});
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "ab";
  EXPECT_EQ(t.encode(text).ids, Ids(500, 3));
  EXPECT_EQ(t.decode(t.encode(text).ids), text);
}

TEST(Tokenizer, CutsWordsAsGpt2) {
  std::vector<std::string> tokens;
  for (int c = '!'; c <= '~'; ++c) tokens.emplace_back(1, static_cast<char>(c));
  const Tokenizer t = Tokenizer::from_bpe(tokens, {});
  const auto words = [&](const std::string& text, const std::string& how) {
    std::string out;
    for (const auto& [word, place] : Tokenizer::from_bpe(tokens, {}, how).words(text))
      out += text.substr(static_cast<size_t>(place.first),
                         static_cast<size_t>(place.second - place.first)) +
             "|";
    return out;
  };
  EXPECT_EQ(words("I've 123   dogs's!?  \n x", "gpt-2"), "I|'ve| 123|  | dogs|'s|!?|  \n| x|");
  EXPECT_EQ(words("I'VE 12345\n\n a", "llama-bpe"), "I|'VE| |123|45|\n\n| a|");
  EXPECT_EQ(words("a 12", "smollm"), "a| |1|2|");
  EXPECT_THROW(words("", "unknown"), ValueError);
}

TEST(Tokenizer, FindsTheLongestPieces) {
  const Tokenizer t = Tokenizer::from_wordpiece({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff",
                                                 "##able", "caf", "##e", ",", "\xE4\xB8\xAD"});
  // Devlin et al. 2019: "unaffable" is un ##aff ##able.
  const Encoding e = t.encode("UNaffable, caf\xC3\xA9");
  EXPECT_EQ(e.ids, (Ids{2, 4, 5, 6, 9, 7, 8, 3}));
  EXPECT_EQ(e.begins, (Ids{0, 0, 2, 5, 9, 11, 14, 0}));
  EXPECT_EQ(e.ends, (Ids{0, 2, 5, 9, 10, 14, 16, 0}));
  EXPECT_TRUE(e.special[0] && !e.special[1] && e.special[7]);
  EXPECT_EQ(t.encode("unknown\xE4\xB8\xAD", {.add_special_tokens = false}).ids, (Ids{1, 10}));
  EXPECT_EQ(t.encode_pair("un", ", ,").type_ids, (Ids{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(t.encode("un un un un", {.max_length = 4}).ids, (Ids{2, 4, 4, 3}));
  EXPECT_EQ(t.decode(e.ids), "unaffable, cafe");
  const PaddedEncodings p = padded(t.encode_batch({"un", "un un"}));
  EXPECT_EQ(p.ids.to_vector<int64_t>(), (Ids{2, 4, 3, 0, 2, 4, 4, 3}));
  EXPECT_EQ(p.mask.to_vector<int>(), (std::vector<int>{1, 1, 1, 0, 1, 1, 1, 1}));
}

TEST(Tokenizer, CutsAsSentencePieceDoes) {
  const std::string s = "\xE2\x96\x81";
  // Kudo 2018: the likeliest of all cuts.
  const Tokenizer unigram =
      Tokenizer::from_pieces({"<unk>", s, s + "ab", "a", "b", "abc", "c"},
                             {0, -3, -4, -3, -3, -1, -5}, {2, 1, 1, 1, 1, 1, 1}, true);
  EXPECT_EQ(unigram.encode("abc").ids, (Ids{1, 5}));
  EXPECT_EQ(unigram.encode("abxx").ids, (Ids{2, 0}));
  EXPECT_EQ(unigram.decode({2, 1, 5}), "ab abc");
  std::vector<std::string> pieces = {"<unk>", "<s>", s, "h", "i", "hi", s + "hi"};
  std::vector<double> scores = {0, 0, -9, -9, -9, -1, -2};
  std::vector<int64_t> types = {2, 3, 1, 1, 1, 1, 1};
  for (int b = 0; b < 256; ++b) {
    constexpr const char* kDigits = "0123456789ABCDEF";
    pieces.push_back(std::string("<0x") + kDigits[b / 16] + kDigits[b % 16] + ">");
    scores.push_back(0);
    types.push_back(6);
  }
  const Tokenizer bpe = Tokenizer::from_pieces(pieces, scores, types);
  EXPECT_EQ(bpe.encode("hi \xC3\xA9").ids, (Ids{6, 2, 7 + 0xC3, 7 + 0xA9}));
  EXPECT_EQ(bpe.decode(bpe.encode("hi \xC3\xA9").ids), "hi \xC3\xA9");
  EXPECT_EQ(Tokenizer::from_sentencepiece(bpe.to_json()).encode("hi hi").ids,
            bpe.encode("hi hi").ids);
  EXPECT_THROW(bpe.with_tokens({}), Error);
}

TEST(Tokenizer, LearnsTheMostFrequentPairs) {
  const Tokenizer t = train_tokenizer("byte-bpe", {"aaabdaaabac"}, {.vocab_size = 258});
  // Gage 1994: "aa" first; "ab" and "aa" with "a" are met as often then, and a, b are the lower.
  EXPECT_EQ(t.token(256), "aa");
  EXPECT_EQ(t.token(257), "ab");
  for (const char* kind : {"bpe", "byte-bpe", "wordpiece", "words", "characters"}) {
    const Tokenizer own = train_tokenizer(kind, {"the cat sat", "the mat"}, {.vocab_size = 300});
    const Tokenizer again = Tokenizer::from_json(own.to_json());
    EXPECT_EQ(own.encode("the mat sat").ids, again.encode("the mat sat").ids) << kind;
    EXPECT_EQ(own.decode(own.encode("the mat sat").ids), "the mat sat") << kind;
  }
  EXPECT_THROW(train_tokenizer("words", {"a"}, {.vocab_size = 0}), ValueError);
  EXPECT_THROW(train_tokenizer("nothing", {"a"}), ValueError);
  EXPECT_EQ(train_tokenizer("words", {}).encode("a b").ids, (Ids{0, 0}));
}

TEST(Tokenizer, KeepsAddedTokensWhole) {
  const Tokenizer t = train_tokenizer("byte-bpe", {"a b"})
                          .with_tokens({{.content = "<|end|>"},
                                        {.content = "<|end|>er"},
                                        {.content = "ab", .single_word = true}});
  const int64_t end = *t.id("<|end|>");
  EXPECT_EQ(t.encode("<|end|>").ids, (Ids{end}));
  EXPECT_EQ(t.encode("<|end|>er").ids, (Ids{end + 1}));
  EXPECT_EQ(t.encode("ab").ids, (Ids{end + 2}));
  EXPECT_EQ(t.encode("abc").size(), 3);
  EXPECT_EQ(t.decode({end}), "");
  EXPECT_EQ(t.decode({end}, false), "<|end|>");
  EXPECT_TRUE(t.is_special(end));
}

TEST(Tokenizer, TakesAnyBytes) {
  const Tokenizer t = train_tokenizer("byte-bpe", {"x"});
  for (const std::string& bytes :
       {std::string(), std::string("\0", 1), std::string("\xFF\xC3\xA9\xE2\x82"),
        std::string("\xED\xA0\x80")})
    for (const int64_t id : t.encode(bytes).ids) EXPECT_LT(id, t.size());
  EXPECT_EQ(t.decode(t.encode("a\xFF").ids), "a\xEF\xBF\xBD");
  const Encoding e = t.encode(
      "\xE2\x82"
      "b");
  EXPECT_EQ(e.begins.back(), 2);
  EXPECT_EQ(t.decode({-1, 1 << 30}), "");
}

class TokenizerFile : public test::Scratch {};

TEST_F(TokenizerFile, SaysWhatIsWrong) {
  EXPECT_EQ(fault("["), "is no JSON");
  EXPECT_EQ(fault("{}"), "there is no \"model\"");
  EXPECT_EQ(fault(R"({"model": {"type": "Other", "vocab": {}}})"),
            "the model \"Other\" is not known");
  EXPECT_EQ(fault(R"({"model": {"type": "WordLevel", "vocab": {"a": -1}}})"),
            "the token 'a' has the number -1, which is not from 0 to 16777215");
  EXPECT_EQ(fault(R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}})"),
            "a merge has the token 'b', which is no token");
  EXPECT_EQ(fault(R"({"model": {"type": "WordLevel", "vocab": {}}, "normalizer": {"type": "X"}})"),
            "normalizer: the normalizer \"X\" is not known");
  EXPECT_EQ(fault(R"({"model": {"type": "Unigram", "unk_id": 3, "vocab": [["a", 0]]}})"),
            "\"unk_id\" is no piece's number");
  EXPECT_THROW(Tokenizer::from_file(file("none")), IoError);
  const std::string model = file("model", std::string("\x0A\xFF\xFF\xFF\xFF\x0F", 6));
  EXPECT_EQ(test::fault(model, [&] { Tokenizer::from_file(model); }),
            ": no model of SentencePiece, or cut short");
  EXPECT_EQ(fault("{"), "is no JSON");
  EXPECT_THROW(Tokenizer().encode("a"), Error);
}

TEST(Tokenizer, ReadsGpt2) {
  const char* root = std::getenv("GLIA_DATA");
  const std::string folder = std::string(root ? root : "") + "/gpt2-bpe";
  if (!root || !std::filesystem::is_directory(folder)) GTEST_SKIP() << "GLIA_DATA has no gpt2-bpe/";
  const Tokenizer t = Tokenizer::from_files(folder + "/encoder.json.gz", folder + "/vocab.bpe.gz");
  EXPECT_EQ(t.size(), 50257);
  EXPECT_EQ(t.encode("Hello world").ids, (Ids{15496, 995}));
  EXPECT_EQ(t.encode("<|endoftext|>").ids, (Ids{50256}));
  EXPECT_EQ(t.decode(t.encode(" \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x99\x82").ids),
            " \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x99\x82");
}

}  // namespace
}  // namespace glia::text
