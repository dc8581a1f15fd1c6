// Zip archives: members stored or deflated, zip64 where sizes need it.
#pragma once

#include <vector>

#include "io/file.h"

namespace glia::io {

struct ZipMember {
  std::string name;
  Content content;  // its path names the archive and the member
};

// All members in the archive's order, decompressed, their checksums verified. Contents without
// an owner lie in `archive`.
std::vector<ZipMember> read_zip(const Content& archive);

struct ZipParts {
  std::string name;
  std::vector<Bytes> parts;  // the content is all of them in a row
};

// Stores the members uncompressed. Sizes and offsets from `zip64_from` up are written in 64 bits.
void write_zip(const std::string& path, const std::vector<ZipParts>& members,
               uint64_t zip64_from = UINT32_MAX);

}  // namespace glia::io
