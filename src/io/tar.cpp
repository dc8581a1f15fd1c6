// tar: blocks of 512 bytes, a header before each file (POSIX.1-2001 with pax and GNU's long names).
#include <algorithm>
#include <memory>
#include <optional>

#include "glia/io.h"
#include "io/inflate.h"

namespace glia::io {
namespace {

constexpr uint64_t kBlock = 512, kMostName = 1 << 16;

// The archive's bytes in order, decompressed if it is gzipped.
class Source {
 public:
  explicit Source(const std::string& path) : file_(load(path)), left_(file_.bytes) {
    if (left_.size() >= 2 && left_[0] == 0x1f && left_[1] == 0x8b)
      inflater_.emplace(path, left_, Inflater::kGzip);
  }
  // Fewer at the end.
  Content take(uint64_t count) {
    if (inflater_) return inflater_->take(count);
    const Bytes bytes = left_.first(std::min<uint64_t>(count, left_.size()));
    left_ = left_.subspan(bytes.size());
    return {file_.path, bytes, file_.owner};
  }
  void finish() {
    if (inflater_) inflater_->finish();
  }

 private:
  const Content file_;
  Bytes left_;
  std::optional<Inflater> inflater_;
};

struct Header {
  std::string name;
  uint64_t size = 0;
  char type = '0';
};

std::string text_at(Bytes block, size_t at, size_t size) {
  const std::string_view field = text_of(block.subspan(at, size));
  return std::string(field.substr(0, std::min(field.find('\0'), field.size())));
}

// Octal with spaces or zeros around, or in binary with the first bit set (GNU).
std::optional<uint64_t> number_at(Bytes block, size_t at, size_t size) {
  const Bytes field = block.subspan(at, size);
  uint64_t n = 0;
  if (field[0] & 0x80) {
    for (size_t i = 0; i < size; ++i) {
      if (n >> 55) return {};
      n = n << 8 | (i == 0 ? field[i] & 0x7f : field[i]);
    }
    return n;
  }
  size_t i = 0;
  while (i < size && field[i] == ' ') ++i;
  for (; i < size && field[i] >= '0' && field[i] <= '7'; ++i) n = n << 3 | (field[i] - '0');
  return i < size && field[i] != ' ' && field[i] != 0 ? std::nullopt : std::optional(n);
}

// Nothing for a block of zeros.
std::optional<Header> header_of(const std::string& path, Bytes block, uint64_t at) {
  if (std::ranges::all_of(block, [](uint8_t b) { return b == 0; })) return {};
  const auto wrong = [&] { fail(path, "no tar header at byte " + grouped(at)); };
  uint64_t sum = 0;  // with spaces in place of itself
  for (size_t i = 0; i < kBlock; ++i) sum += i >= 148 && i < 156 ? ' ' : block[i];
  const auto size = number_at(block, 124, 12);
  if (number_at(block, 148, 8) != sum || !size) wrong();
  Header header{text_at(block, 0, 100), *size, static_cast<char>(block[156])};
  // Only POSIX has a prefix there.
  if (text_of(block.subspan(257, 6)) == std::string_view("ustar\0", 6))
    if (const std::string prefix = text_at(block, 345, 155); !prefix.empty())
      header.name = prefix + "/" + header.name;
  return header;
}

// Takes name and size out of pax records, "LENGTH KEY=VALUE\n".
void read_records(const std::string& path, std::string_view text, std::string& name,
                  int64_t& size) {
  const auto wrong = [&] { fail(path, "a pax header that is none"); };
  const auto number = [&](std::string_view digits) {
    if (digits.empty() || digits.size() > 18 ||
        digits.find_first_not_of("0123456789") != std::string_view::npos)
      wrong();
    return std::stoll(std::string(digits));
  };
  while (!text.empty()) {
    const size_t space = std::min(text.find(' '), text.size());
    const auto length = static_cast<size_t>(number(text.substr(0, space)));
    if (length > text.size() || length < space + 3 || text[length - 1] != '\n') wrong();
    const std::string_view record = text.substr(space + 1, length - space - 2);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) wrong();
    if (record.substr(0, equals) == "path") name = record.substr(equals + 1);
    if (record.substr(0, equals) == "size") size = number(record.substr(equals + 1));
    text.remove_prefix(length);
  }
}

}  // namespace

void read_tar(const std::string& path,
              const std::function<void(const std::string& name, std::string_view bytes)>& visit,
              int64_t most) {
  Source source(path);
  uint64_t at = 0;
  std::string next_name;  // of the header that follows
  int64_t next_size = -1;
  const auto take = [&](uint64_t count) {
    Content out = source.take(count);
    if (out.bytes.size() < count) fail_short(path, at + out.bytes.size(), at + count);
    at += count;
    return out;
  };
  for (;;) {
    const Content block = source.take(kBlock);
    if (block.bytes.empty() && at > 0) break;  // without the blocks of zeros
    if (block.bytes.size() < kBlock) fail_short(path, at + block.bytes.size(), at + kBlock);
    const auto header = header_of(path, block.bytes, at);
    at += kBlock;
    if (!header) break;
    const bool of_next = header->type == 'x' || header->type == 'L';
    const uint64_t size =
        !of_next && next_size >= 0 ? static_cast<uint64_t>(next_size) : header->size;
    if (size > static_cast<uint64_t>(most) || (of_next && size > kMostName))
      fail(path, "a file of " + grouped(size) + " bytes at byte " + grouped(at));
    const Content content = take(size);
    take((kBlock - size % kBlock) % kBlock);
    const std::string_view text = text_of(content.bytes);
    if (header->type == 'x') {
      read_records(path, text, next_name, next_size);
    } else if (header->type == 'L') {
      next_name = text.substr(0, std::min(text.find('\0'), text.size()));
    } else {
      if (header->type == '0' || header->type == 0 || header->type == '7')
        visit(next_name.empty() ? header->name : next_name, text);
      next_name.clear();
      next_size = -1;
    }
  }
  while (source.take(1 << 16).bytes.size() > 0) {
  }
  source.finish();
}

}  // namespace glia::io
