#include "io/file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "glia/io.h"

namespace glia::io {

void fail(const std::string& path, const std::string& fault) {
  std::string line = (path.empty() ? "''" : path) + ": " + fault;
  // Names out of files may hold anything; the message stays one line.
  for (char& c : line)
    if (static_cast<uint8_t>(c) < ' ') c = '?';
  throw IoError(line);
}

void fail_errno(const std::string& path) { fail(path, std::generic_category().message(errno)); }

std::string grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, ",");
  return digits;
}

void fail_short(const std::string& path, uint64_t have, uint64_t want) {
  fail(path, "ends after " + grouped(have) + " of " + grouped(want) + " bytes");
}

void put_little(std::string& out, uint64_t n, int size) {
  for (; size > 0; --size, n >>= 8) out += static_cast<char>(n);
}

void put_big(std::string& out, uint64_t n, int size) {
  for (int i = size; i-- > 0;) out += static_cast<char>(n >> 8 * i);
}

Descriptor::Descriptor(const std::string& path, int fd) : path_(path), fd_(fd) {
  if (fd < 0) fail_errno(path);
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

void Descriptor::write(Bytes& bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes = bytes.subspan(count);
    } else if (errno != EINTR) {
      fail_errno(path_);
    }
  }
}

void Descriptor::sync() {
  // Devices and some file systems cannot be synced, which says nothing about the data.
  if (::fsync(fd_) != 0 && errno != EINVAL && errno != ENOTSUP) fail_errno(path_);
}

void Descriptor::close() {
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) fail_errno(path_);
}

namespace {

// An open regular file and its size.
struct Regular {
  // A pipe is opened without waiting for its other end, so that it can be refused.
  explicit Regular(const std::string& path)
      : file(path, ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    struct stat status;
    if (::fstat(file.get(), &status) != 0) fail_errno(path);
    if (S_ISDIR(status.st_mode)) fail(path, "is a folder");
    if (!S_ISREG(status.st_mode)) fail(path, "is not a regular file");
    size = status.st_size;
  }
  // Throws if the file has become shorter since.
  void read(const std::string& path, void* to) {
    size_t done = 0;
    while (done < size) {
      const ssize_t count = ::read(file.get(), static_cast<char*>(to) + done, size - done);
      if (count == 0) fail_short(path, done, size);
      if (count > 0) {
        done += count;
      } else if (errno != EINTR) {
        fail_errno(path);
      }
    }
  }
  Descriptor file;
  size_t size;
};

}  // namespace

std::string read_file(const std::string& path) {
  Regular file(path);
  std::string bytes(file.size, '\0');
  file.read(path, bytes.data());
  return bytes;
}

Content load(const std::string& path) {
  Regular file(path);
  auto memory = std::make_shared_for_overwrite<uint8_t[]>(file.size);
  file.read(path, memory.get());
  return {path, {memory.get(), file.size}, memory};
}

Content map(const std::string& path) {
  Regular file(path);
  if (file.size == 0) return {path, {}, nullptr};  // mmap refuses length 0
  void* memory = ::mmap(nullptr, file.size, PROT_READ, MAP_PRIVATE, file.file.get(), 0);
  if (memory == MAP_FAILED) fail_errno(path);
  std::shared_ptr<const void> owner(
      memory, [size = file.size](const void* p) { ::munmap(const_cast<void*>(p), size); });
  return {path, {static_cast<const uint8_t*>(memory), file.size}, owner};
}

namespace {

// What the path leads to through symbolic links, whether or not that exists.
std::string behind_links(const std::string& path) {
  constexpr int kMostLinks = 40;  // the kernel's own limit
  std::filesystem::path at = path;
  std::error_code error;
  for (int links = 0; std::filesystem::is_symlink(at, error); ++links) {
    if (links == kMostLinks) fail(path, "leads through too many links");
    at = at.parent_path() / std::filesystem::read_symlink(at, error);
    if (error) fail(path, error.message());
  }
  return at;
}

// The file's name with an ending, shortened where the two are too long for a name.
std::string temporary_name(const std::string& target, const std::string& ending) {
  const size_t name = target.rfind('/') + 1;  // 0 where there is none
  const size_t kept = std::min(target.size() - name, NAME_MAX - ending.size());
  return target.substr(0, name + kept) + ending;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(behind_links(path)) {
  struct stat old;
  const bool exists = ::stat(target_.c_str(), &old) == 0;
  if (exists && S_ISDIR(old.st_mode)) fail(path, "is a folder");
  if (exists && !S_ISREG(old.st_mode)) {
    file_ = std::make_unique<Descriptor>(path, ::open(target_.c_str(), O_WRONLY | O_CLOEXEC));
    return;
  }
  // Another process, a thread of this one, or one that was killed may hold a name already.
  static std::atomic<uint32_t> count = 0;
  int fd = -1;
  do {
    const std::string ending =
        '.' + std::to_string(::getpid()) + '-' + std::to_string(count++) + ".tmp";
    temporary_ = temporary_name(target_, ending);
    fd = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, exists ? 0600 : 0666);
  } while (fd < 0 && errno == EEXIST);
  file_ = std::make_unique<Descriptor>(path, fd);
  if (!exists) return;
  // Whoever could read the old file, and nobody else, can read the new one, where the file system
  // has modes. Only root may give a file away; a group that cannot be kept gets what all others do.
  mode_t mode = old.st_mode & 07777;
  if (::fchown(fd, old.st_uid, old.st_gid) != 0 && ::fchown(fd, -1, old.st_gid) != 0)
    mode &= ~070 | (mode & 07) << 3;
  (void)!::fchmod(fd, mode);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() {
  if (temporary_.empty()) return file_->close();
  file_->sync();
  file_->close();
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) fail_errno(path_);
  temporary_.clear();
  // The new name itself lasts only once its folder is on disk.
  std::string folder = std::filesystem::path(target_).parent_path();
  if (folder.empty()) folder = ".";
  Descriptor(path_, ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)).sync();
}

void write_file_atomic(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace glia::io
