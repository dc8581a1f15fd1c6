#include "text_file.h"

#include <zlib.h>

#include <algorithm>
#include <climits>

#include "glia/error.h"
#include "glia/io.h"

namespace glia::text {

std::string read_text_file(const std::string& path, size_t most) {
  std::string packed = io::read_file(path);
  if (!packed.starts_with("\x1f\x8b")) return packed;
  constexpr size_t kStep = 1 << 20;
  constexpr int kGzip = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) throw IoError(path + ": out of memory");
  std::string out;
  size_t taken = 0;
  int code = Z_OK;
  const auto fed = [&] {
    const size_t part = std::min<size_t>(packed.size() - taken, INT_MAX);
    stream.next_in = reinterpret_cast<Bytef*>(packed.data() + taken);
    stream.avail_in = static_cast<uInt>(part);
    taken += part;
    return part > 0;
  };
  while (true) {
    if (stream.avail_in == 0 && !fed()) break;
    const size_t size = out.size();
    out.resize(size + kStep);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + size);
    stream.avail_out = kStep;
    code = inflate(&stream, Z_NO_FLUSH);
    out.resize(size + kStep - stream.avail_out);
    if (code == Z_STREAM_END && (stream.avail_in > 0 || taken < packed.size()))
      code = inflateReset(&stream);  // a further member
    if (code != Z_OK || out.size() > most) break;
  }
  inflateEnd(&stream);
  if (out.size() > most)
    throw IoError(path + ": is longer than " + std::to_string(most) + " bytes");
  if (code != Z_STREAM_END) throw IoError(path + ": is no whole gzip file");
  return out;
}

}  // namespace glia::text
