// tar archives: those of this test and of other programs, and broken ones.
#include <utility>
#include <vector>

#include "glia/io.h"
#include "io/inflate.h"
#include "tests/support/files.h"
#include "tests/support/tar.h"

namespace glia::io {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

Files files_of(const std::string& path, int64_t most = 1 << 20) {
  Files out;
  read_tar(
      path, [&](const std::string& name, std::string_view bytes) { out.emplace_back(name, bytes); },
      most);
  return out;
}

std::string pax(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

TEST_F(Io, TarGivesItsFilesInOrder) {
  const std::string large(1300, 'x'), exact(512, 'y');
  const std::string tar = tar_entry("b/", "", '5') + tar_entry("b/1", "one") +
                          tar_entry("link", "", '2') + tar_entry("a", large) +
                          tar_entry("empty", "") + tar_entry("exact", exact);
  const Files want = {{"b/1", "one"}, {"a", large}, {"empty", ""}, {"exact", exact}};
  EXPECT_EQ(files_of(file("x", tar + kTarEnd)), want);
  EXPECT_EQ(files_of(file("x", tar)), want) << "without an end";
  EXPECT_EQ(files_of(file("x", tar + kTarEnd + std::string(8192, '\0'))), want);
  EXPECT_EQ(files_of(file("x", gzip("x", {bytes_of(tar + kTarEnd)}))), want);
  EXPECT_EQ(files_of(file("x", kTarEnd)), Files());
}

TEST_F(Io, TarNamesOfAnyLength) {
  const std::string name(300, 'n');
  const std::string gnu = tar_entry("././@LongLink", name + '\0', 'L') + tar_entry("short", "1");
  const std::string posix = tar_entry("x", pax("mtime", "3") + pax("path", name), 'x');
  EXPECT_EQ(files_of(file("x", gnu + tar_entry("next", "2") + kTarEnd)),
            (Files{{name, "1"}, {"next", "2"}}));
  EXPECT_EQ(files_of(file("x", posix + tar_entry("short", "1") + tar_entry("next", "2"))),
            (Files{{name, "1"}, {"next", "2"}}));
  // The size of a pax header counts, and that of all the archive does not matter.
  EXPECT_EQ(files_of(file("x", tar_entry("g", pax("comment", "c"), 'g') +
                                   tar_entry("x", pax("size", "3"), 'x') + tar_header("a", 0) +
                                   "abc" + std::string(509, '\0'))),
            (Files{{"a", "abc"}}));
  // POSIX's prefix stands before the name.
  std::string prefixed = tar_header("name", 0);
  prefixed.replace(345, 3, "far");
  uint64_t sum = 0;
  for (size_t i = 0; i < 512; ++i) sum += i >= 148 && i < 156 ? ' ' : uint8_t(prefixed[i]);
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", static_cast<unsigned>(sum));
  prefixed.replace(148, 7, std::string(digits, 7));
  EXPECT_EQ(files_of(file("x", prefixed + kTarEnd)), (Files{{"far/name", ""}}));
}

TEST_F(Io, BrokenTarsAreNamed) {
  const auto said = [&](const std::string& bytes, int64_t most = 1 << 20) {
    return fault(file("x", bytes), [&] { files_of(file("x"), most); });
  };
  const std::string good = tar_entry("a", std::string(700, 'x')) + kTarEnd;
  EXPECT_EQ(said(""), ": ends after 0 of 512 bytes");
  EXPECT_EQ(said(good.substr(0, 100)), ": ends after 100 of 512 bytes");
  EXPECT_EQ(said(good.substr(0, 600)), ": ends after 600 of 1,212 bytes");
  EXPECT_EQ(said(good.substr(0, 1300)), ": ends after 1,300 of 1,536 bytes");
  EXPECT_EQ(said(std::string(512, 'x')), ": no tar header at byte 0");
  std::string bad = good;
  bad[0] = 'b';
  EXPECT_EQ(said(bad), ": no tar header at byte 0") << "its sum is another";
  EXPECT_EQ(said(tar_entry("a", "1") + std::string(512, 'x')), ": no tar header at byte 1,024");
  EXPECT_EQ(said(good, 699), ": a file of 700 bytes at byte 512");
  // Memory is asked for by what is there and not by what is claimed.
  EXPECT_EQ(said(tar_header("a", uint64_t{1} << 32), int64_t{1} << 40),
            ": ends after 512 of 4,294,967,808 bytes");
  EXPECT_EQ(said(tar_header("a", 100000, 'L')), ": a file of 100,000 bytes at byte 512");
  for (const char* wrong : {"x", "5 a=b", "99 path=a\n", "8 path=a\n", "0 \n", "8 patha\n",
                            "99999999999999999999 path=a\n", "12 size=-12\n"})
    EXPECT_EQ(said(tar_entry("x", wrong, 'x') + kTarEnd), ": a pax header that is none") << wrong;
  const std::string packed = gzip("x", {bytes_of(good)});
  EXPECT_NE(said(packed.substr(0, packed.size() - 9)), "");
  EXPECT_NE(said(packed + "more"), "");
  // Every byte of a header spoilt; nobody looks at what lies behind the sum's end.
  for (size_t i = 0; i < 512; ++i) {
    std::string spoilt = good;
    spoilt[i] = static_cast<char>(spoilt[i] ^ 0x41);
    if (i != 155) {
      EXPECT_EQ(said(spoilt), ": no tar header at byte 0") << i;
    }
  }
  EXPECT_NE(fault(file("none"), [&] { files_of(file("none")); }), "");
  EXPECT_THROW(read_tar(file("x", good),
                        [](const std::string&, std::string_view) { throw ValueError("mine"); }),
               ValueError);
}

}  // namespace
}  // namespace glia::io
