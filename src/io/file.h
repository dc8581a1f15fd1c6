// What all readers and writers of files share.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "glia/error.h"

namespace glia::io {

using Bytes = std::span<const uint8_t>;

inline std::string_view text_of(Bytes b) {
  return {reinterpret_cast<const char*>(b.data()), b.size()};
}
inline Bytes bytes_of(std::string_view s) {
  return {reinterpret_cast<const uint8_t*>(s.data()), s.size()};
}

[[noreturn]] void fail(const std::string& path, const std::string& fault);
// With the reason that errno gives.
[[noreturn]] void fail_errno(const std::string& path);
// 47040016 as "47,040,016".
std::string grouped(uint64_t n);
// "ends after HAVE of WANT bytes".
[[noreturn]] void fail_short(const std::string& path, uint64_t have, uint64_t want);

// An open file. Its errors name `path`, whatever the file is called on disk.
class Descriptor {
 public:
  Descriptor(const std::string& path, int fd);  // fail_errno(path) if fd is negative
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }
  // Writes all of it and moves `bytes` forward as it goes, also if it then throws.
  void write(Bytes& bytes);
  void sync();
  void close();  // some file systems say only here that the disk is full

 private:
  std::string path_;
  int fd_;
};

// A file's bytes, in memory or mapped, valid as long as `owner` is.
struct Content {
  std::string path;
  Bytes bytes;
  std::shared_ptr<const void> owner;
};
Content load(const std::string& path);
Content map(const std::string& path);

// Reads numbers in order and refuses to step over the end.
class Cursor {
 public:
  Cursor(const std::string& path, Bytes bytes, size_t at = 0)
      : path_(path), bytes_(bytes), at_(at) {}
  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  Bytes all() const { return bytes_; }
  Bytes take(uint64_t count) {
    if (at_ > bytes_.size() || count > left()) fail_short(path_, bytes_.size(), at_ + count);
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }
  uint64_t little(int size) {
    const Bytes b = take(size);
    uint64_t n = 0;
    for (int i = size; i-- > 0;) n = n << 8 | b[i];
    return n;
  }
  uint64_t big(int size) {
    uint64_t n = 0;
    for (uint8_t byte : take(size)) n = n << 8 | byte;
    return n;
  }

 private:
  const std::string& path_;
  Bytes bytes_;
  size_t at_;
};

void put_little(std::string& out, uint64_t n, int size);
void put_big(std::string& out, uint64_t n, int size);

// A file that takes the place of `path` at commit(); before that nothing of it is to be seen,
// and without it nothing is left.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  void write(Bytes bytes) { file_->write(bytes); }
  void write(std::string_view bytes) { write(bytes_of(bytes)); }
  void commit();

 private:
  std::string path_;       // as the caller named it
  std::string target_;     // behind symbolic links
  std::string temporary_;  // empty when there is none to rename or remove
  std::unique_ptr<Descriptor> file_;
};

}  // namespace glia::io
