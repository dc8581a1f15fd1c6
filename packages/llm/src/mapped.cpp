#include "mapped.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "glia/error.h"

namespace glia::llm {

Mapped map_file(const std::string& path) {
  const auto fault = [&] { return IoError(path + ": " + std::strerror(errno)); };
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw fault();
  const std::shared_ptr<const void> closing(nullptr, [file](const void*) { close(file); });
  struct stat about;
  if (fstat(file, &about) != 0) throw fault();
  if (!S_ISREG(about.st_mode)) throw IoError(path + ": is no file");
  const auto size = static_cast<size_t>(about.st_size);
  if (size == 0) return {};
  void* const at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (at == MAP_FAILED) throw fault();
  return {{static_cast<const uint8_t*>(at), size},
          std::shared_ptr<const void>(
              at, [size](const void* p) { munmap(const_cast<void*>(p), size); })};
}

}  // namespace glia::llm
