// Downloading the data sets of the catalogue: component `fetch`, a library of its own, since what
// it stands on (libcurl) takes longer to load than all of Glia.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "glia/catalogue.h"

namespace glia::data {

struct FetchOptions {
  std::string folder = {};       // where to; empty: the user's cache
  int64_t stall_seconds = 30;    // without a byte, after which a server is given up
  int64_t most_bytes = 1 << 30;  // of a file whose size is not known
  // What there is of a file, and its size or 0, now and then; and whether to stop.
  std::function<void(const DataFile& file, int64_t have, int64_t size)> progress = {};
  std::function<bool()> interrupted = {};
};
// Downloads the files that are not there yet and returns their folder. Each appears under its name
// whole and verified, or not at all; one that was cut is gone on with the next time. Throws IoError
// of one line.
std::string fetch(const Entry& set, const FetchOptions& options = {});

}  // namespace glia::data
