#include "glia/audio/sets.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>

#include "glia/audio/errors.h"
#include "glia/audio/sound.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"

namespace glia::audio {
namespace {

const data::RegisterEntry kFsdd({
    .name = "fsdd",
    .title = "Free Spoken Digit Dataset",
    .home = "https://github.com/Jakobovski/free-spoken-digit-dataset",
    .licence = "CC BY-SA 4.0",
    .task = "speech-recognition",
    .files = {{"recordings.tar.gz"}},
    .by_hand = "pack its folder recordings with tar into recordings.tar.gz",
    .classes = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"},
});
const data::RegisterEntry kCommands({
    .name = "commands",
    .title = "Speech Commands v0.02, ten words, re-encoded as Opus",
    .home = "https://www.tensorflow.org/datasets/catalog/speech_commands",
    .licence = "CC BY 4.0",
    .task = "speech-recognition",
    .files = {{"commands.tar"}},
    .by_hand = "pack its test part with tar into commands.tar, as commands/WORD/FILE of any format",
    .classes = {"yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "_silence_",
                "_unknown_"},
});

// FNV-1a: which names are for the test does not depend on their order, nor on what else there is.
double share_of(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3U;
  hash ^= hash >> 32U;
  return static_cast<double>(hash % 10000) / 10000;
}

// The parts of a text between separators.
std::vector<std::string> parts_of(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text)
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

Tensor samples_of(std::string_view bytes, int64_t rate, const std::string& name) {
  const Sound sound = decode_sound(bytes, {.mono = true}, name);
  if (sound.sample_rate != rate)
    throw IoError(name + ": " + std::to_string(sound.sample_rate) + " samples a second, not " +
                  std::to_string(rate));
  if (sound.samples.numel() == 0) throw IoError(name + ": is empty");
  return reshape(sound.samples, {-1});
}

void sort_by_name(Utterances& set, const std::string& path) {
  if (set.all.empty()) throw IoError(path + ": holds no recordings");
  std::ranges::sort(set.all, {}, &Utterance::name);
}

}  // namespace

Utterances fsdd(const std::string& folder) {
  const data::Entry& set = data::entry("fsdd");
  const std::string path = data::file_in(data::find(set, folder), "recordings.tar.gz");
  Utterances out{{}, 8000};
  io::read_tar(path, [&](const std::string& name, std::string_view bytes) {
    const std::filesystem::path file(name);
    if (file.extension() != ".wav") return;
    const auto parts = parts_of(file.stem().string(), '_');
    int digit = -1, take = -1;
    const auto number = [](const std::string& text, int* to) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *to);
      return error == std::errc() && end == text.data() + text.size() && *to >= 0;
    };
    if (parts.size() != 3 || !number(parts[0], &digit) || !number(parts[2], &take) || digit > 9)
      throw IoError(path + ": '" + name + "' is not named DIGIT_SPEAKER_TAKE.wav");
    out.all.push_back({samples_of(bytes, out.sample_rate, path + ": " + name), set.classes[digit],
                       parts[1], file.stem().string(), take < 5});
  });
  sort_by_name(out, path);
  return out;
}

Utterances spoken_commands(const std::string& folder) {
  constexpr double kTestShare = 0.2;
  const data::Entry& set = data::entry("commands");
  const std::string path = data::file_in(data::find(set, folder), "commands.tar");
  Utterances out{{}, 16000};
  io::read_tar(path, [&](const std::string& name, std::string_view bytes) {
    const std::filesystem::path file(name);
    const std::string word = file.parent_path().filename().string();
    if (std::ranges::find(set.classes, word) == set.classes.end()) return;
    std::string speaker = file.stem().string();
    if (word == "_unknown_") speaker.erase(0, speaker.find('_') + 1);
    speaker.resize(std::min(speaker.find("_nohash_"), speaker.size()));
    out.all.push_back({samples_of(bytes, out.sample_rate, path + ": " + name), word, speaker,
                       word + "/" + file.stem().string(), share_of(speaker) < kTestShare});
  });
  sort_by_name(out, path);
  return out;
}

Utterances read_manifest(const std::string& path, int64_t sample_rate, double test_share) {
  if (sample_rate < 0) throw ValueError("read_manifest: a rate of " + std::to_string(sample_rate));
  if (!(test_share >= 0 && test_share <= 1))
    throw ValueError("read_manifest: a share of " + std::to_string(test_share));
  const std::string text = io::read_file(path);
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::map<std::string, size_t> columns = {{"file", 0}, {"text", 1}, {"speaker", 2}, {"split", 3}};
  Utterances out{{}, sample_rate};
  bool splits = false;
  int64_t number = 0;
  for (const std::string& line : parts_of(text, '\n')) {
    ++number;
    const auto fail = [&](const std::string& fault) {
      throw IoError(path + ": line " + std::to_string(number) + ": " + fault);
    };
    std::vector<std::string> fields = parts_of(line, '\t');
    if (!fields.back().empty() && fields.back().back() == '\r') fields.back().pop_back();
    if (fields.size() == 1 && fields[0].empty()) continue;
    if (number == 1 && std::ranges::find(fields, "file") != fields.end()) {
      columns.clear();
      for (size_t i = 0; i < fields.size(); ++i)
        if (!columns.try_emplace(fields[i], i).second) fail("two columns '" + fields[i] + "'");
      if (!columns.contains("text")) fail("there is no column 'text'");
      continue;
    }
    const auto field = [&](const std::string& name) -> std::optional<std::string> {
      const auto found = columns.find(name);
      if (found == columns.end() || found->second >= fields.size()) return {};
      return fields[found->second];
    };
    const auto file = field("file"), said = field("text");
    if (!file || !said || file->empty()) fail("needs FILE TAB TEXT");
    std::string words;
    for (const std::string& word : words_of(*said)) words += (words.empty() ? "" : " ") + word;
    if (words.empty()) fail("the text is empty");
    const std::string where = (folder / *file).string();
    Sound sound;
    try {
      sound = read_sound(where, {.sample_rate = out.sample_rate, .mono = true});
    } catch (const IoError& e) {
      fail(e.what());
    }
    if (sound.samples.numel() == 0) fail(where + ": is empty");
    out.sample_rate = sound.sample_rate;
    const std::string speaker = field("speaker").value_or(""), split = field("split").value_or("");
    if (!split.empty() && split != "train" && split != "test")
      fail("the split '" + split + "' is neither train nor test");
    splits |= !split.empty();
    out.all.push_back({reshape(sound.samples, {-1}), words, speaker, *file, split == "test"});
  }
  if (out.all.empty()) throw IoError(path + ": holds no utterances");
  if (!splits)
    for (Utterance& u : out.all)
      u.is_test = share_of(u.speaker.empty() ? u.name : u.speaker) < test_share;
  return out;
}

}  // namespace glia::audio
