// DEFLATE streams in memory, over zlib.
#pragma once

#include <zlib.h>

#include "io/file.h"

namespace glia::io {

class Inflater {
 public:
  enum Format { kGzip, kRaw };  // kRaw is what zip holds
  Inflater(const std::string& path, Bytes compressed, Format format);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // The next bytes: `count`, or fewer where the stream ends or the file is cut short. Memory grows
  // with what really comes out, whatever `count` claims.
  Content take(uint64_t count);
  // Checks that nothing follows what was taken and that the stream ends whole.
  void finish();

 private:
  uint64_t inflate_to(uint8_t* out, uint64_t count);

  std::string path_;
  Format format_;
  Bytes left_;
  z_stream stream_{};
  uint64_t produced_ = 0;
  bool ended_ = false;
};

// A gzip file with these contents.
std::string gzip(const std::string& path, std::initializer_list<Bytes> parts);

}  // namespace glia::io
