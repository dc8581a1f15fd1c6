// A file's bytes, unpacked if it is gzipped.
#pragma once

#include <string>

namespace glia::text {

// Throws IoError. What would be more than `most` bytes is refused.
std::string read_text_file(const std::string& path, size_t most = size_t{1} << 33);

}  // namespace glia::text
