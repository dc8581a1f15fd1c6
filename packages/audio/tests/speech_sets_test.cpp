// Sets of utterances: archives and tables, whole and spoilt.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "glia/audio/sets.h"
#include "glia/audio/sound.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"
#include "tests/support/scratch.h"
#include "tests/support/tar.h"
#include "tests/support/values.h"

namespace glia::audio {
namespace {

using io::kTarEnd;
using io::tar_entry;
using test::fault;

class SpeechSets : public test::Scratch {
 protected:
  static std::string wav(double value, int64_t rate, int64_t length = 100) {
    return encode_sound(full({length}, value), rate, {.format = "wav"});
  }
  std::string table(const std::string& text) const { return file("table.tsv", text); }
};

TEST_F(SpeechSets, DigitsBySpeakerAndTake) {
  file("recordings.tar.gz", tar_entry("recordings/7_ann_12.wav", wav(0.5, 8000)) +
                                tar_entry("recordings/0_bob_4.wav", wav(0.25, 8000)) +
                                tar_entry("recordings/README.md", "text") + kTarEnd);
  const Utterances set = fsdd(folder_);
  EXPECT_EQ(set.sample_rate, 8000);
  ASSERT_EQ(set.all.size(), 2u);
  EXPECT_EQ(set.all[0].text, "zero");
  EXPECT_EQ(set.all[0].speaker, "bob");
  EXPECT_TRUE(set.all[0].is_test) << "takes 0 to 4";
  EXPECT_EQ(set.all[1].text, "seven");
  EXPECT_FALSE(set.all[1].is_test);
  test::expect_same(set.all[1].samples, full({100}, 0.5), 1e-4);
  for (const char* name :
       {"recordings/x_ann_1.wav", "recordings/10_ann_1.wav", "recordings/-1_ann_1.wav",
        "recordings/1_ann.wav", "recordings/1_ann_2_3.wav", "recordings/1_ann_1x.wav"}) {
    file("recordings.tar.gz", tar_entry(name, wav(0, 8000)) + kTarEnd);
    EXPECT_NE(fault(file("recordings.tar.gz"), [&] { fsdd(folder_); }), "") << name;
  }
  file("recordings.tar.gz", tar_entry("recordings/1_ann_1.wav", wav(0, 16000)) + kTarEnd);
  EXPECT_EQ(fault(file("recordings.tar.gz"), [&] { fsdd(folder_); }),
            ": recordings/1_ann_1.wav: 16000 samples a second, not 8000");
  file("recordings.tar.gz", tar_entry("recordings/1_ann_1.wav", "no sound") + kTarEnd);
  fault(file("recordings.tar.gz"), [&] { fsdd(folder_); });
  file("recordings.tar.gz", kTarEnd);
  EXPECT_EQ(fault(file("recordings.tar.gz"), [&] { fsdd(folder_); }), ": holds no recordings");
}

TEST_F(SpeechSets, CommandsOfOneSpeakerAreOnOneSide) {
  std::string tar;
  for (int speaker = 0; speaker < 60; ++speaker) {
    const std::string name = "s" + std::to_string(speaker) + "_nohash_";
    tar += tar_entry("commands/yes/" + name + "0.wav", wav(0.1, 16000));
    tar += tar_entry("commands/_unknown_/bed_" + name + "1.wav", wav(0.1, 16000));
  }
  file("commands.tar", tar + tar_entry("commands/_silence_/3.wav", wav(0, 16000)) +
                           tar_entry("commands/other/x_nohash_0.wav", wav(0, 16000)) + kTarEnd);
  const Utterances set = spoken_commands(folder_);
  ASSERT_EQ(set.all.size(), 121u) << "a word that is none of the classes is passed over";
  std::set<std::string> test, train;
  for (const Utterance& u : set.all) (u.is_test ? test : train).insert(u.speaker);
  for (const std::string& speaker : test) EXPECT_FALSE(train.contains(speaker)) << speaker;
  EXPECT_GT(test.size(), 3u);
  EXPECT_LT(test.size(), 25u);
  EXPECT_TRUE(test.contains("s1") || train.contains("s1"));
}

TEST_F(SpeechSets, TablesOfOnesOwn) {
  file("a.wav", wav(0.5, 8000, 800));
  file("b.flac",
       encode_sound(stack({full({800}, 0.5), full({800}, 0.1)}), 8000, {.format = "flac"}));
  const Utterances set =
      read_manifest(table("a.wav\t one  two \tann\n\nb.flac\tthree\tbob\ttest\r\n"));
  EXPECT_EQ(set.sample_rate, 16000);
  ASSERT_EQ(set.all.size(), 2u);
  EXPECT_EQ(set.all[0].text, "one two");
  EXPECT_EQ(set.all[0].samples.shape(), Shape{1600}) << "resampled";
  EXPECT_FALSE(set.all[0].is_test);
  EXPECT_TRUE(set.all[1].is_test);
  EXPECT_NEAR(index(set.all[1].samples, {800}).item(), 0.3, 0.01) << "the mean of channels";
  // Named columns, and the first file's rate.
  const Utterances named =
      read_manifest(table("split\ttext\tfile\ntrain\thi\ta.wav\ntest\tho\tb.flac\n"), 0);
  EXPECT_EQ(named.sample_rate, 8000);
  EXPECT_EQ(named.all[1].text, "ho");
  EXPECT_TRUE(named.all[1].is_test);
  // Shares by speakers' names.
  EXPECT_TRUE(read_manifest(table("a.wav\tx\tann\n"), 16000, 1).all[0].is_test);
  EXPECT_FALSE(read_manifest(table("a.wav\tx\tann\n"), 16000, 0).all[0].is_test);
}

TEST_F(SpeechSets, LinesThatAreNoneAreNamed) {
  file("a.wav", wav(0.5, 8000));
  file("empty.wav", wav(0.5, 8000, 0));
  const auto of = [&](const std::string& text) {
    const std::string path = table(text);
    return fault(path, [&] { read_manifest(path); });
  };
  EXPECT_EQ(of(""), ": holds no utterances");
  EXPECT_EQ(of("file\ttext\n"), ": holds no utterances");
  EXPECT_EQ(of("a.wav\n"), ": line 1: needs FILE TAB TEXT");
  EXPECT_EQ(of("\tx\n"), ": line 1: needs FILE TAB TEXT");
  EXPECT_EQ(of("a.wav\tx\na.wav\t \n"), ": line 2: the text is empty");
  EXPECT_EQ(of("a.wav\tx\tann\tdev\n"), ": line 1: the split 'dev' is neither train nor test");
  EXPECT_EQ(of("file\tfile\n"), ": line 1: two columns 'file'");
  EXPECT_EQ(of("file\twords\n"), ": line 1: there is no column 'text'");
  EXPECT_TRUE(of("none.wav\tx\n").starts_with(": line 1: " + folder_ + "/none.wav: "));
  EXPECT_EQ(of("empty.wav\tx\n"), ": line 1: " + folder_ + "/empty.wav: is empty");
  EXPECT_THROW(read_manifest(table("a.wav\tx\n"), -1), ValueError);
  EXPECT_THROW(read_manifest(table("a.wav\tx\n"), 16000, std::nan("")), ValueError);
}

}  // namespace
}  // namespace glia::audio
