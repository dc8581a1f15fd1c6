#include "file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "glia/error.h"

namespace glia::tables {
namespace {

// All of a gzip file, which may have several members.
std::string inflated(const std::string& path, int fd) {
  std::string out;
  gzFile file = gzdopen(fd, "rb");
  if (!file) throw IoError(path + ": out of memory");
  gzbuffer(file, 1 << 18);
  constexpr unsigned kStep = 1 << 20;
  int got = 0;
  do {
    const size_t size = out.size();
    out.resize(size + kStep);
    got = gzread(file, out.data() + size, kStep);
    out.resize(size + static_cast<size_t>(std::max(got, 0)));
  } while (got > 0);
  int code = 0;
  const std::string message = gzerror(file, &code);
  gzclose(file);
  if (code != Z_OK) throw IoError(path + ": is no whole gzip file: " + message);
  return out;
}

}  // namespace

FileText::FileText(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw IoError(path + ": " + std::strerror(errno));
  struct stat about = {};
  if (fstat(fd, &about) != 0 || S_ISDIR(about.st_mode)) {
    close(fd);
    throw IoError(path + ": is a folder");
  }
  unsigned char magic[2] = {};
  const bool zipped =
      S_ISREG(about.st_mode) && pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
  if (zipped || !S_ISREG(about.st_mode)) {  // zlib reads what is not zipped as it is
    plain_ = inflated(path, fd);
    text_ = plain_;
    return;
  }
  mapped_ = static_cast<size_t>(about.st_size);
  if (mapped_ > 0) {
    map_ = mmap(nullptr, mapped_, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map_ == MAP_FAILED) {
      map_ = nullptr;
      close(fd);
      throw IoError(path + ": cannot be mapped: " + std::strerror(errno));
    }
    text_ = {static_cast<const char*>(map_), mapped_};
  }
  close(fd);
}

FileText::~FileText() {
  if (map_) munmap(map_, mapped_);
}

std::string_view without_mark(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

void fault_at(const std::string& name, std::string_view text, const char* at,
              const std::string& fault) {
  int64_t line = 1;
  const char* begin = text.data();
  for (const char* p = text.data(); p < at; ++p)
    if (*p == '\n' || (*p == '\r' && (p + 1 == text.data() + text.size() || p[1] != '\n'))) {
      ++line;
      begin = p + 1;
    }
  throw IoError(name + ": line " + std::to_string(line) + ", column " +
                std::to_string(at - begin + 1) + ": " + fault);
}

}  // namespace glia::tables
