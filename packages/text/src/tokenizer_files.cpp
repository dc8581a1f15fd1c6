// Tokenisers out of files and parts.
#include <algorithm>

#include "glia/error.h"
#include "json.h"
#include "patterns.h"
#include "text_file.h"
#include "tokenizer_parts.h"

namespace glia::text {
namespace {

using Json = nlohmann::json;
using Parts = Tokenizer::Parts;

Tokenizer finished(Json settings, std::shared_ptr<const TokenModel> model) {
  auto made = std::make_shared<Parts>();
  made->settings = std::move(settings);
  made->model = std::move(model);
  made->finish();
  return Tokenizer(made);
}

Json added(const std::string& content, int64_t id) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

Json byte_level(bool use_regex = true) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", false},
          {"use_regex", use_regex}};
}
Json sequence(std::initializer_list<Json> all) {
  return {{"type", "Sequence"}, {"pretokenizers", all}};
}
Json split(const char* expression) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", expression}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

// By GGUF's names.
Json pre_tokenizer_named(const std::string& name) {
  if (name == "gpt-2" || name == "gpt2" || name == "mpt" || name == "olmo" || name == "jais" ||
      name.empty() || name == "default")
    return byte_level();
  if (name == "smollm" || name == "starcoder" || name == "refact" || name == "command-r")
    return sequence({{{"type", "Digits"}, {"individual_digits", true}}, byte_level()});
  if (name == "llama-bpe" || name == "llama3" || name == "llama-v3" || name == "dbrx" ||
      name == "smaug-bpe")
    return sequence({split(kLlama3Expression), byte_level(false)});
  if (name == "qwen2" || name == "stablelm2")
    return sequence({split(kQwen2Expression), byte_level(false)});
  throw ValueError("the pre-tokenizer '" + name +
                   "' is not known (known: gpt-2, smollm, llama-bpe, qwen2)");
}

Tokens numbered(const std::vector<std::string>& tokens) {
  Tokens out;
  for (size_t i = 0; i < tokens.size(); ++i) out.add(tokens[i], static_cast<int64_t>(i));
  return out;
}

Merges merges_of(const std::vector<std::string>& lines) {
  Merges out;
  for (const std::string& line : lines) {
    const size_t blank = line.find(' ', 1);
    if (blank == std::string::npos) throw ValueError("the merge '" + line + "' is no pair");
    out.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  }
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    out.push_back(text.substr(at, end - at));
    if (out.back().ends_with('\r')) out.back().pop_back();
    at = end + 1;
  }
  return out;
}

Tokenizer byte_bpe(Tokens tokens, const Merges& merges, const std::string& pre_tokenizer,
                   const std::vector<std::string>& special) {
  Json settings;
  settings["normalizer"] = nullptr;
  settings["pre_tokenizer"] = pre_tokenizer_named(pre_tokenizer);
  settings["post_processor"] = byte_level();
  settings["decoder"] = byte_level();
  settings["added_tokens"] = Json::array();
  for (const std::string& token : special) {
    const auto id = tokens.find(token);
    if (!id) throw ValueError("the special token '" + token + "' is not in the vocabulary");
    settings["added_tokens"].push_back(added(token, *id));
  }
  return finished(std::move(settings), make_bpe(std::move(tokens), merges, {}, true));
}

Tokenizer bert(Tokens tokens, bool lowercase) {
  Json settings;
  settings["added_tokens"] = Json::array();
  const auto need = [&](const std::string& token) {
    const auto id = tokens.find(token);
    if (!id) throw ValueError("the token '" + token + "' is not in the vocabulary");
    return *id;
  };
  const int32_t cls = need("[CLS]"), sep = need("[SEP]");
  for (const char* token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    if (const auto id = tokens.find(token)) settings["added_tokens"].push_back(added(token, *id));
  settings["normalizer"] = {{"type", "BertNormalizer"},
                            {"clean_text", true},
                            {"handle_chinese_chars", true},
                            {"strip_accents", nullptr},
                            {"lowercase", lowercase}};
  settings["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  settings["post_processor"] = {
      {"type", "BertProcessing"}, {"sep", {"[SEP]", sep}}, {"cls", {"[CLS]", cls}}};
  settings["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  return finished(std::move(settings), make_word_piece(std::move(tokens), "[UNK]", "##", 100));
}

Tokenizer of_pieces(std::shared_ptr<const SentencePiece> pieces, std::string source) {
  auto made = std::make_shared<Parts>();
  made->pieces = std::move(pieces);
  made->source = std::move(source);
  return Tokenizer(made);
}

// What body() makes; its faults are the file's.
template <class F>
auto reading(const std::string& path, F&& body) {
  try {
    return body();
  } catch (const IoError&) {
    throw;
  } catch (const Error& e) {
    throw IoError(path + ": " + e.what());
  }
}

Json parsed(const std::string& text) {
  Json out = Json::parse(text, nullptr, false);
  if (out.is_discarded()) throw ValueError("is no JSON");
  return out;
}

}  // namespace

Tokenizer Tokenizer::from_json(const std::string& json) {
  Json all = parsed(json);
  const Json& model = member(all, "model");
  // Byte-level BPE works on bytes, if ByteLevel is the last step before it.
  const Json* last = &member_or_null(all, "pre_tokenizer");
  for (int depth = 0; depth < 16 && last->is_object() && text_of(*last, "type") == "Sequence";
       ++depth) {
    const Json& parts = member(*last, "pretokenizers");
    last = parts.is_array() && !parts.empty() ? &parts.back() : &null_json();
  }
  const bool bytes = last->is_object() && text_of(*last, "type") == "ByteLevel" &&
                     text_of(model, "continuing_subword_prefix", "").empty() &&
                     text_of(model, "end_of_word_suffix", "").empty();
  auto made = read_token_model(model, bytes);
  all.erase("model");
  return finished(std::move(all), std::move(made));
}

Tokenizer Tokenizer::from_sentencepiece(const std::string& bytes) {
  return of_pieces(read_sentencepiece(bytes), bytes);
}

Tokenizer Tokenizer::from_file(const std::string& path) {
  const std::string bytes = read_text_file(path);
  return reading(path, [&] {
    const size_t first = bytes.find_first_not_of(" \t\r\n");
    return first != std::string::npos && bytes[first] == '{' ? from_json(bytes)
                                                             : from_sentencepiece(bytes);
  });
}

Tokenizer Tokenizer::from_files(const std::string& vocabulary, const std::string& merges) {
  Tokens tokens =
      reading(vocabulary, [&] { return Tokens::read(parsed(read_text_file(vocabulary))); });
  return reading(merges, [&] {
    std::vector<std::string> lines = lines_of(read_text_file(merges));
    if (!lines.empty() && lines[0].starts_with("#version")) lines.erase(lines.begin());
    std::erase(lines, "");
    std::vector<std::string> special;
    if (tokens.find("<|endoftext|>")) special.push_back("<|endoftext|>");
    return byte_bpe(std::move(tokens), merges_of(lines), "gpt-2", special);
  });
}

Tokenizer Tokenizer::from_vocabulary(const std::string& path, bool lowercase) {
  return reading(path, [&] { return bert(numbered(lines_of(read_text_file(path))), lowercase); });
}

Tokenizer Tokenizer::from_bpe(const std::vector<std::string>& tokens,
                              const std::vector<std::string>& merges,
                              const std::string& pre_tokenizer,
                              const std::vector<std::string>& special) {
  return byte_bpe(numbered(tokens), merges_of(merges), pre_tokenizer, special);
}

Tokenizer Tokenizer::from_wordpiece(const std::vector<std::string>& tokens, bool lowercase) {
  return bert(numbered(tokens), lowercase);
}

Tokenizer Tokenizer::from_pieces(const std::vector<std::string>& pieces,
                                 const std::vector<double>& scores,
                                 const std::vector<int64_t>& types, bool unigram,
                                 bool add_dummy_prefix, bool remove_extra_whitespaces) {
  if (pieces.size() != scores.size() || pieces.size() != types.size())
    throw ValueError("from_pieces: " + std::to_string(pieces.size()) + " pieces, " +
                     std::to_string(scores.size()) + " scores and " + std::to_string(types.size()) +
                     " types");
  std::vector<SentencePiece::PieceOf> all;
  for (size_t i = 0; i < pieces.size(); ++i) all.push_back({pieces[i], scores[i], types[i]});
  SentencePiece::Settings settings;
  settings.unigram = unigram;
  settings.add_dummy_prefix = add_dummy_prefix;
  settings.remove_extra_whitespaces = remove_extra_whitespaces;
  return of_pieces(std::make_shared<SentencePiece>(all, settings),
                   write_sentencepiece(all, settings));
}

}  // namespace glia::text
