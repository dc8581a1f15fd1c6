// Texts, and what is made of them.
#include <algorithm>
#include <map>
#include <regex>

#include "call.h"
#include "glia/ops/arrange.h"

namespace glia::onnx {
namespace {

// Letters of UTF-8 up to Latin, Greek and Cyrillic ones in the other case.
std::string in_case(const std::string& text, bool upper) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x80) {
      out += static_cast<char>(upper ? std::toupper(byte) : std::tolower(byte));
      continue;
    }
    if ((byte & 0xe0) != 0xc0 || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    int code = (byte & 0x1f) << 6 | (text[++i] & 0x3f);
    const auto within = [&](int low, int high) { return code >= low && code <= high; };
    if (upper) {
      if (within(0xe0, 0xfe) && code != 0xf7)
        code -= 32;
      else if (within(0x3b1, 0x3c9) && code != 0x3c2)
        code -= 32;
      else if (within(0x430, 0x44f))
        code -= 32;
      else if (within(0x450, 0x45f))
        code -= 80;
    } else {
      if (within(0xc0, 0xde) && code != 0xd7)
        code += 32;
      else if (within(0x391, 0x3a9))
        code += 32;
      else if (within(0x410, 0x42f))
        code += 32;
      else if (within(0x400, 0x40f))
        code += 80;
    }
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
  return out;
}

void string_normalizer(Call& c) {
  Strings in = c.strings(0);
  const std::string change = c.text_of("case_change_action", "NONE");
  const bool sensitive = c.integer_of("is_case_sensitive", 0) != 0;
  std::vector<std::string> stop = c.texts_of("stopwords");
  if (!sensitive) {
    for (std::string& s : stop) s = in_case(s, false);
  }
  Strings out;
  for (const std::string& s : in.values) {
    if (std::ranges::find(stop, sensitive ? s : in_case(s, false)) != stop.end()) continue;
    out.values.push_back(change == "NONE" ? s : in_case(s, change == "UPPER"));
  }
  if (out.values.empty()) out.values.emplace_back();
  const auto count = static_cast<int64_t>(out.values.size());
  out.shape = in.shape.rank() == 2 ? Shape{1, count} : Shape{count};
  c.set(0, Held(std::move(out)));
}

void string_concat(Call& c) {
  const Strings &a = c.strings(0), &b = c.strings(1);
  Strings out{{}, broadcast(a.shape, b.shape)};
  const auto places = [&](const Strings& s) {
    const std::vector<int64_t> all =
        reshape(arange(static_cast<int64_t>(s.values.size())), s.shape).to_vector<int64_t>();
    return expand(reshape(from_vector(all, {static_cast<int64_t>(all.size())}), s.shape), out.shape)
        .to_vector<int64_t>();
  };
  const auto at_a = places(a), at_b = places(b);
  for (size_t i = 0; i < at_a.size(); ++i)
    out.values.push_back(a.values[at_a[i]] + b.values[at_b[i]]);
  c.set(0, Held(std::move(out)));
}

void string_split(Call& c) {
  const Strings& in = c.strings(0);
  const std::string delimiter = c.text_of("delimiter");
  const int64_t most = c.integer_of("maxsplit", INT64_MAX);
  std::vector<std::vector<std::string>> all;
  size_t widest = 0;
  const std::string spaces = " \t\n\r\v\f";
  for (const std::string& s : in.values) {
    std::vector<std::string> parts;
    size_t at = 0;
    if (delimiter.empty()) {  // runs of white space
      at = s.find_first_not_of(spaces);
      while (at != s.npos) {
        const size_t end =
            static_cast<int64_t>(parts.size()) < most ? s.find_first_of(spaces, at) : s.npos;
        std::string part = s.substr(at, end == s.npos ? end : end - at);
        if (end == s.npos) part.erase(part.find_last_not_of(spaces) + 1);
        parts.push_back(std::move(part));
        at = end == s.npos ? end : s.find_first_not_of(spaces, end);
      }
    } else if (!s.empty()) {
      for (;;) {
        const size_t end =
            static_cast<int64_t>(parts.size()) < most ? s.find(delimiter, at) : s.npos;
        parts.push_back(s.substr(at, end == s.npos ? end : end - at));
        if (end == s.npos) break;
        at = end + delimiter.size();
      }
    }
    widest = std::max(widest, parts.size());
    all.push_back(std::move(parts));
  }
  Strings out{{}, in.shape};
  std::vector<int64_t> counts;
  for (auto& parts : all) {
    counts.push_back(static_cast<int64_t>(parts.size()));
    parts.resize(widest);
    out.values.insert(out.values.end(), parts.begin(), parts.end());
  }
  out.shape.push_back(static_cast<int64_t>(widest));
  c.set(0, Held(std::move(out)));
  c.set(1, from_vector(counts, in.shape), ElementType::kInt64);
}

void regex_full_match(Call& c) {
  const Strings& in = c.strings(0);
  const std::string pattern = c.text_of("pattern");
  std::vector<uint8_t> out;
  try {
    const std::regex regex(pattern, std::regex::ECMAScript);
    for (const std::string& s : in.values) {
      if (s.size() > 10'000) c.fail("a text of " + std::to_string(s.size()) + " bytes");
      out.push_back(std::regex_match(s, regex));
    }
  } catch (const std::regex_error&) {
    c.fail("the pattern \"" + pattern + "\" is wrong");
  }
  c.set(0, from_vector(out, in.shape) != 0, ElementType::kBool);
}

// Counts of n-grams, of numbers or texts.
void tf_idf(Call& c) {
  const bool texts = c.in(0).kind == Value::Kind::kStrings;
  const Shape shape = c.shape(0);
  const int64_t rows = shape.rank() == 2 ? shape[0] : 1,
                columns = shape.rank() == 2 ? shape[1] : shape.numel();
  std::map<std::string, int64_t> codes;
  std::vector<int64_t> pool, in;
  const auto code = [&](const std::string& s) {
    return codes.try_emplace(s, static_cast<int64_t>(codes.size())).first->second;
  };
  if (texts) {
    for (const std::string& s : c.texts_of("pool_strings")) pool.push_back(code(s));
    for (const std::string& s : c.strings(0).values) in.push_back(code(s));
  } else {
    pool = c.integers_of("pool_int64s");
    in = c.integers(0);
  }
  const std::vector<int64_t> counts = c.integers_of("ngram_counts"),
                             indexes = c.integers_of("ngram_indexes");
  const std::vector<double> weights = c.reals_of("weights");
  const int64_t least = c.integer_of("min_gram_length", 1),
                most = c.integer_of("max_gram_length", 1),
                skips = c.integer_of("max_skip_count", 0);
  const std::string mode = c.text_of("mode");
  std::map<std::vector<int64_t>, int64_t> grams;  // to their number
  int64_t number = 0, width = 0;
  for (size_t n = 0; n < counts.size(); ++n) {
    const auto length = static_cast<int64_t>(n) + 1;
    const int64_t end = n + 1 < counts.size() ? counts[n + 1] : static_cast<int64_t>(pool.size());
    if (counts[n] < 0 || end > static_cast<int64_t>(pool.size()))
      c.fail("ngram_counts beyond the pool");
    for (int64_t at = counts[n]; at + length <= end; at += length, ++number) {
      if (length >= least && length <= most)
        grams.emplace(std::vector<int64_t>(pool.begin() + at, pool.begin() + at + length), number);
    }
  }
  for (int64_t i : indexes) width = std::max(width, i + 1);
  if (static_cast<int64_t>(indexes.size()) < number || width > 1 << 26 ||
      std::ranges::any_of(indexes, [](int64_t i) { return i < 0; }))
    c.fail("ngram_indexes are not as many as n-grams");
  std::vector<float> out(static_cast<size_t>(rows * width), 0);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t* row = in.data() + r * columns;
    for (int64_t length = std::max<int64_t>(least, 1); length <= std::min(most, columns);
         ++length) {
      for (int64_t skip = 1; skip - 1 <= skips && (length - 1) * skip < columns; ++skip) {
        if (length == 1 && skip > 1) break;
        for (int64_t at = 0; at + (length - 1) * skip < columns; ++at) {
          std::vector<int64_t> gram;
          for (int64_t k = 0; k < length; ++k) gram.push_back(row[at + k * skip]);
          const auto found = grams.find(gram);
          if (found != grams.end()) out[r * width + indexes[found->second]] += 1;
        }
      }
    }
    for (const auto& [gram, n] : grams) {
      float& v = out[r * width + indexes[n]];
      const float weight =
          static_cast<size_t>(n) < weights.size() ? static_cast<float>(weights[n]) : 1;
      if (mode == "IDF") v = v > 0 ? weight : 0;
      if (mode == "TFIDF") v *= weight;
    }
  }
  c.set(0, from_vector(out, shape.rank() == 2 ? Shape{rows, width} : Shape{width}),
        ElementType::kFloat32);
}

// Classes by other names.
void label_encoder(Call& c) {
  const auto list = [&](const char* kind) -> const Attribute* {
    for (const char* suffix : {"_strings", "_int64s", "_floats", "_tensor"}) {
      if (const Attribute* a = c.attribute((std::string(kind) + suffix).c_str())) return a;
    }
    return nullptr;
  };
  const Attribute *keys = list("keys"), *values = list("values");
  if (!keys || !values) c.fail("has no keys or no values");
  const auto text = [](double v) {
    char buffer[40];
    std::snprintf(buffer, sizeof(buffer), "%.17g", v);
    return std::string(v != v ? "nan" : buffer);
  };
  const auto names = [&](const Attribute& a) {  // as texts, to compare
    std::vector<std::string> out = a.texts;
    for (int64_t i : a.integers) out.push_back(text(static_cast<double>(i)));
    for (double r : a.reals) out.push_back(text(r));
    if (a.value.kind == Value::Kind::kStrings) out = a.value.strings.values;
    if (a.value.kind == Value::Kind::kTensor)
      for (double v : a.value.tensor.to_vector<double>()) out.push_back(text(v));
    return out;
  };
  const std::vector<std::string> from = names(*keys);
  std::vector<std::string> in;
  const Shape shape = c.shape(0);
  if (c.in(0).kind == Value::Kind::kStrings)
    in = c.strings(0).values;
  else
    for (double v : c.numbers(0)) in.push_back(text(v));
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < from.size(); ++i) place.emplace(from[i], i);
  const bool to_texts = !values->texts.empty() || values->value.kind == Value::Kind::kStrings;
  const Attribute* fallback = c.attribute("default_tensor");
  if (to_texts) {
    const std::vector<std::string> to =
        values->texts.empty() ? values->value.strings.values : values->texts;
    std::string other = c.text_of("default_string", "_Unused");
    if (fallback && !fallback->value.strings.values.empty())
      other = fallback->value.strings.values[0];
    Strings out{{}, shape};
    for (const std::string& s : in) {
      const auto at = place.find(s);
      out.values.push_back(at == place.end() || at->second >= to.size() ? other : to[at->second]);
    }
    return c.set(0, Held(std::move(out)));
  }
  const bool integers = !values->integers.empty();
  ElementType type = integers ? ElementType::kInt64 : ElementType::kFloat32;
  std::vector<double> to(values->reals);
  to.insert(to.end(), values->integers.begin(), values->integers.end());
  double other = integers ? static_cast<double>(c.integer_of("default_int64", -1))
                          : c.real_of("default_float", -0.0);
  if (values->value.kind == Value::Kind::kTensor) {
    to = values->value.tensor.to_vector<double>();
    type = values->value.type;
  }
  if (fallback && fallback->value.kind == Value::Kind::kTensor)
    other = fallback->value.tensor.item<double>();
  std::vector<double> out;
  for (const std::string& s : in) {
    const auto at = place.find(s);
    out.push_back(at == place.end() || at->second >= to.size() ? other : to[at->second]);
  }
  c.set(0, converted(from_vector(out, shape), ElementType::kFloat64, type), type);
}

const Operators list{
    {"StringNormalizer", string_normalizer},
    {"StringConcat", string_concat},
    {"StringSplit", string_split},
    {"RegexFullMatch", regex_full_match},
    {"TfIdfVectorizer", tf_idf},
    {"ai.onnx.ml.LabelEncoder", label_encoder},
    {"ai.onnx.ml.Binarizer",
     [](Call& c) {
       const Tensor x = c.tensor(0);
       c.set(0, cast(x > c.real_of("threshold", 0), x.dtype()));
     }},
};

}  // namespace
}  // namespace glia::onnx
