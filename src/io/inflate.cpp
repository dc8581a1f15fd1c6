#include "io/inflate.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace glia::io {
namespace {

constexpr int kGzipWindow = 15 + 16, kRawWindow = -15;  // what zlib calls windowBits
constexpr uint64_t kMostAtOnce = 1 << 30;               // zlib counts in 32 bits

uInt at_once(uint64_t count) { return static_cast<uInt>(std::min(count, kMostAtOnce)); }

}  // namespace

Inflater::Inflater(const std::string& path, Bytes compressed, Format format)
    : path_(path), format_(format), left_(compressed) {
  if (inflateInit2(&stream_, format == kGzip ? kGzipWindow : kRawWindow) != Z_OK)
    fail(path, "no memory to decompress it");
}

Inflater::~Inflater() { inflateEnd(&stream_); }

uint64_t Inflater::inflate_to(uint8_t* out, uint64_t count) {
  uint64_t done = 0;
  while (done < count && !ended_) {
    const uInt in = at_once(left_.size()), room = at_once(count - done);
    stream_.next_in = const_cast<uint8_t*>(left_.data());
    stream_.avail_in = in;
    stream_.next_out = out + done;
    stream_.avail_out = room;
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    left_ = left_.subspan(in - stream_.avail_in);
    done += room - stream_.avail_out;
    produced_ += room - stream_.avail_out;
    if (status == Z_STREAM_END) {
      // A gzip file may be several, one after another, with zeros between and after them.
      if (format_ == kGzip)
        left_ = left_.subspan(std::ranges::find_if(left_, [](uint8_t b) { return b != 0; }) -
                              left_.begin());
      if (format_ == kGzip && !left_.empty()) {
        inflateReset(&stream_);
      } else {
        ended_ = true;
      }
    } else if (status == Z_BUF_ERROR) {
      break;  // the file is cut short
    } else if (status != Z_OK) {
      fail(path_, "corrupt compressed data after " + grouped(produced_) + " bytes");
    }
  }
  return done;
}

Content Inflater::take(uint64_t count) {
  auto out = std::make_shared<std::vector<uint8_t>>();
  uint64_t size = 0;
  while (size == out->size() && size < count) {
    out->resize(std::min(count, std::max<uint64_t>(2 * size, 1 << 16)));
    size += inflate_to(out->data() + size, out->size() - size);
  }
  return {path_, {out->data(), size}, out};
}

void Inflater::finish() {
  uint8_t extra;
  if (inflate_to(&extra, 1) > 0)
    fail(path_, "has more than the " + grouped(produced_ - 1) + " bytes that its header claims");
  if (!ended_) fail(path_, "is cut short at the end of its compressed data");
  if (!left_.empty()) fail(path_, grouped(left_.size()) + " bytes follow its compressed data");
}

std::string gzip(const std::string& path, std::initializer_list<Bytes> parts) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    fail(path, "no memory to compress it");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, deflateEnd);
  std::string out;
  uint8_t block[1 << 16];
  const auto deflate_some = [&](int flush) {
    do {
      stream.next_out = block;
      stream.avail_out = sizeof block;
      ::deflate(&stream, flush);
      out.append(reinterpret_cast<char*>(block), sizeof block - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  for (Bytes part : parts) {
    while (!part.empty()) {
      stream.avail_in = at_once(part.size());
      stream.next_in = const_cast<uint8_t*>(part.data());
      part = part.subspan(stream.avail_in);
      deflate_some(Z_NO_FLUSH);
    }
  }
  deflate_some(Z_FINISH);
  return out;
}

}  // namespace glia::io
