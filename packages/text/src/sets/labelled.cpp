// Texts with classes, of three sets.
#include "glia/text/labelled.h"

#include <algorithm>
#include <map>

#include "glia/catalogue.h"
#include "glia/io.h"
#include "text_file.h"
#include "unicode.h"

namespace glia::text {
namespace {

const data::RegisterEntry mr({
    .name = "mr",
    .title = "film review sentences (MR)",
    .home = "https://www.cs.cornell.edu/people/pabo/movie-review-data",
    .licence = "not stated",
    .task = "text-classification",
    .files = {{"rt-polarity.neg"}, {"rt-polarity.pos"}},
    .by_hand = "unpack rt-polaritydata.tar.gz",
    .classes = {"negative", "positive"},
});
const data::RegisterEntry imdb({
    .name = "imdb-review-polarity",
    .title = "film reviews of IMDb (polarity dataset v2.0)",
    .home = "https://www.cs.cornell.edu/people/pabo/movie-review-data",
    .licence = "not stated",
    .task = "text-classification",
    .files = {{"review_polarity.tar.gz",
               "https://www.cs.cornell.edu/people/pabo/movie-review-data/review_polarity.tar.gz"}},
    .classes = {"negative", "positive"},
});
const data::RegisterEntry spam({
    .name = "sms-spam",
    .title = "SMS Spam Collection",
    .home = "https://archive.ics.uci.edu/dataset/228/sms+spam+collection",
    .licence = "CC BY 4.0",
    .task = "text-classification",
    .files = {{"sms-spam.tsv"}},
    .by_hand = "put sms-spam.tsv (Label TAB SMS, with a header)",
    .classes = {"ham", "spam"},
});

std::string utf8_of_latin1(const std::string& text) {
  std::string out;
  for (const char c : text) append_utf8(&out, static_cast<uint8_t>(c));
  return out;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
    if (!line.empty()) out.push_back(std::move(line));
    at = end + 1;
  }
  return out;
}

}  // namespace

LabelledTexts chosen(const LabelledTexts& all, const std::vector<int64_t>& numbers) {
  LabelledTexts out{{}, {}, all.classes};
  for (const int64_t i : numbers) {
    out.texts.push_back(all.texts.at(static_cast<size_t>(i)));
    out.labels.push_back(all.labels.at(static_cast<size_t>(i)));
  }
  return out;
}

LabelledTexts movie_reviews(const std::string& folder) {
  const std::string from = data::find(data::entry("mr"), folder);
  LabelledTexts out{{}, {}, data::entry("mr").classes};
  for (const char* name : {"rt-polarity.neg", "rt-polarity.pos"}) {
    const std::string path = data::file_in(from, name);
    for (std::string& line : lines_of(utf8_of_latin1(read_text_file(path)))) {
      out.texts.push_back(std::move(line));
      out.labels.push_back(std::string(name).ends_with("pos"));
    }
  }
  if (out.texts.empty()) throw IoError(from + ": holds no sentences");
  return out;
}

LabelledTexts imdb_reviews(const std::string& folder) {
  const data::Entry& set = data::entry("imdb-review-polarity");
  const std::string path = data::file_in(data::find(set, folder), "review_polarity.tar.gz");
  std::map<std::string, std::string> reviews;  // in the order of their names
  io::read_tar(path, [&](const std::string& name, std::string_view bytes) {
    if (name.ends_with(".txt")) reviews[name] = utf8_of_latin1(std::string(bytes));
  });
  LabelledTexts out{{}, {}, set.classes};
  for (auto& [name, text] : reviews) {
    const bool positive = name.find("/pos/") != std::string::npos;
    if (!positive && name.find("/neg/") == std::string::npos) continue;
    out.texts.push_back(std::move(text));
    out.labels.push_back(positive);
  }
  if (out.texts.empty()) throw IoError(path + ": holds no reviews");
  return out;
}

LabelledTexts sms_spam(const std::string& folder) {
  const std::string path =
      data::file_in(data::find(data::entry("sms-spam"), folder), "sms-spam.tsv");
  LabelledTexts out{{}, {}, data::entry("sms-spam").classes};
  const auto lines = lines_of(repaired_utf8(read_text_file(path)));
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t tab = lines[i].find('\t');
    const std::string label = lines[i].substr(0, tab);
    if (tab == std::string::npos || (label != "ham" && label != "spam"))
      throw IoError(path + ": line " + std::to_string(i + 1) + ": is no ham or spam TAB message");
    out.texts.push_back(lines[i].substr(tab + 1));
    out.labels.push_back(label == "spam");
  }
  if (out.texts.empty()) throw IoError(path + ": holds no messages");
  return out;
}

}  // namespace glia::text
