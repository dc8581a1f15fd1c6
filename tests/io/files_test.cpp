// How files are written: whole or not at all, through links, with the modes they had.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "glia/io.h"
#include "glia/ops.h"
#include "tests/support/files.h"

namespace glia::io {
namespace {

using Write = std::function<void(const std::string&)>;

// Every function that writes a file; call number i with i + 1 numbers of its own.
std::vector<Write> writers() {
  static uint32_t calls = 0;
  const auto image = [] { return full({3, 4}, ++calls % 256, kU8); };
  return {
      [=](const std::string& path) { write_file_atomic(path, std::to_string(++calls)); },
      [=](const std::string& path) { write_idx(path, image()); },
      [=](const std::string& path) { write_png(path, image()); },
      [=](const std::string& path) {
        write_safetensors(path, {{"a", image()}});
      },
      [=](const std::string& path) { write_npy(path, image()); },
      [=](const std::string& path) {
        write_npz(path, {{"a", image()}});
      },
  };
}

struct stat status_of(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

// ---- Writing that fails ---------------------------------------------------------------------

TEST_F(Io, FilesAreReplacedWholeAndLinksAreFollowed) {
  write_file_atomic(file("x"), "old");
  EXPECT_EQ(read_file(file("x")), "old");
  fs::create_symlink("x", file("link"));
  write_file_atomic(file("link"), "new");
  EXPECT_TRUE(fs::is_symlink(file("link")));
  EXPECT_EQ(read_file(file("x")), "new");
  EXPECT_EQ(files(), 2u);
  const mode_t mask = ::umask(027);
  write_file_atomic(file("y"), "");
  ::umask(mask);
  struct stat status;
  ASSERT_EQ(::stat(file("y").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(Io, FilesAreWrittenInTheCurrentFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  EXPECT_NO_THROW(write_file_atomic("x", "here"));
  EXPECT_EQ(read_file("x"), "here");
  fs::current_path(before);
}

TEST_F(Io, EveryWriterSaysThatItsFolderIsNone) {
  write_file_atomic(file("x"), "");
  const std::string path = file("x") + "/y";
  for (const Write& write : writers())
    EXPECT_EQ(fault(path, [&] { write(path); }), ": Not a directory");
  EXPECT_EQ(fault(path, [&] { EventWriter{path}; }), ": Not a directory");
  EXPECT_EQ(fault(folder_, [&] { write_file_atomic(folder_, "bytes"); }), ": is a folder");
}

TEST_F(Io, FullDevice) {
  EXPECT_EQ(fault("/dev/full", [&] { write_npy("/dev/full", zeros({10})); }),
            ": No space left on device");
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST_F(Io, TheOldFileStaysWholeWhenTheDiskIsFull) {
  write_safetensors(file("x"), {{"a", ones({10})}});
  {
    FileSizeLimit limit(4096);
    EXPECT_EQ(fault(file("x"),
                    [&] {
                      write_safetensors(file("x"), {{"a", zeros({10000})}});
                    }),
              ": File too large");
    EXPECT_EQ(fault(file("y"),
                    [&] {
                      write_npz(file("y"), {{"a", zeros({10000})}});
                    }),
              ": File too large");
  }
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(read_safetensors(file("x"))[0].second.to_vector<float>(), std::vector<float>(10, 1));
}

TEST_F(Io, AReplacedFileKeepsItsModeAndOwner) {
  for (const Write& write : writers()) {
    for (const mode_t mode : {0600, 0640, 0664, 0400, 0755, 0666}) {
      write_file_atomic(file("x"), "old");
      ASSERT_EQ(::chmod(file("x").c_str(), mode), 0);
      const bool root = ::geteuid() == 0;
      if (root) {
        ASSERT_EQ(::chown(file("x").c_str(), 1234, 4321), 0);
      }
      write(file("x"));
      const struct stat now = status_of(file("x"));
      EXPECT_EQ(now.st_mode & 07777, mode);
      EXPECT_NE(read_file(file("x")), "old");
      if (root) {
        EXPECT_EQ(std::pair(now.st_uid, now.st_gid), std::pair(uid_t{1234}, gid_t{4321}));
      }
      fs::remove(file("x"));
    }
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(Io, ALinkIsWrittenThroughWhereverItLeads) {
  fs::create_directories(file("a/b"));
  for (const Write& write : writers()) {
    // To nothing yet, relative to the link's own folder, over two links; then over what is there.
    fs::create_symlink("b/second", file("a/first"));
    fs::create_symlink("../../target", file("a/b/second"));
    for (int round = 0; round < 2; ++round) {
      write(file("a/first"));
      EXPECT_TRUE(fs::is_symlink(file("a/first")));
      EXPECT_TRUE(fs::is_symlink(file("a/b/second")));
      EXPECT_TRUE(S_ISREG(status_of(file("target")).st_mode));
    }
    fs::remove(file("target"));
    fs::remove(file("a/b/second"));
    EXPECT_EQ(fault(file("a/first"),
                    [&] {
                      fs::create_symlink("first", file("a/b/second"));
                      fs::create_symlink("../first", file("a/b/first"));
                      write(file("a/first"));
                    }),
              ": leads through too many links");
    fs::remove(file("a/first"));
    fs::remove(file("a/b/second"));
    fs::remove(file("a/b/first"));
    // Through a folder that is a link itself, and by a full path.
    fs::create_directory_symlink("a/b", file("folder"));
    fs::create_symlink(file("target"), file("a/b/full"));
    write(file("folder/full"));
    EXPECT_TRUE(S_ISREG(status_of(file("target")).st_mode));
    fs::create_symlink("missing/target", file("nowhere"));
    EXPECT_EQ(fault(file("nowhere"), [&] { write(file("nowhere")); }),
              ": No such file or directory");
    for (const char* name : {"folder", "a/b/full", "target", "nowhere"}) fs::remove(file(name));
  }
  EXPECT_TRUE(fs::is_empty(file("a/b")));
  EXPECT_EQ(files(), 1u);
}

TEST_F(Io, NamesMayBeAsLongAsTheSystemAllows) {
  for (const Write& write : writers()) {
    for (const size_t length : {1, 230, 250, 255}) {
      const std::string path = file(std::string(length, 'n'));
      write(path);
      write(path);
      EXPECT_EQ(files(), 1u) << length;
      fs::remove(path);
    }
    const std::string path = file(std::string(256, 'n'));
    EXPECT_EQ(fault(path, [&] { write(path); }), ": File name too long");
    EXPECT_EQ(files(), 0u);
  }
}

TEST_F(Io, ManyThreadsWriteOneFile) {
  const std::string path = file(std::string(255, 'n'));
  std::vector<std::thread> threads;
  for (char c = 'a'; c < 'e'; ++c)
    threads.emplace_back([&, c] {
      for (int i = 0; i < 10; ++i) write_file_atomic(path, std::string(5000, c));
    });
  for (std::thread& thread : threads) thread.join();
  const std::string whole = read_file(path);
  EXPECT_EQ(whole, std::string(5000, whole[0]));
  EXPECT_EQ(files(), 1u);
}

TEST_F(Io, APipeIsWrittenDirectly) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  std::string got(100, '\0');
  std::thread reader([&] {
    const int fd = ::open(file("pipe").c_str(), O_RDONLY);
    size_t size = 0;
    while (const ssize_t count = ::read(fd, got.data() + size, got.size() - size)) size += count;
    got.resize(size);
    ::close(fd);
  });
  write_file_atomic(file("pipe"), "through");
  reader.join();
  EXPECT_EQ(got, "through");
  EXPECT_TRUE(S_ISFIFO(status_of(file("pipe")).st_mode));
}

}  // namespace
}  // namespace glia::io
