// PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5. An archive is read from its end: the end
// record leads to the central directory, which leads to each member's local header and data.
#include "io/zip.h"

#include <zlib.h>

#include <numeric>
#include <set>

#include "io/inflate.h"

namespace glia::io {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr size_t kEndSize = 22, kLocator64Size = 20, kCentralSize = 46;
constexpr uint16_t kZip64Field = 1;  // the extra field that holds 64-bit sizes
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr uint16_t kEncrypted = 1, kUtf8 = 1 << 11;

struct Directory {
  uint64_t offset, size, count;
};

struct Record {
  std::string name;
  uint16_t flags, method;
  uint32_t crc;
  uint64_t compressed, size, offset;
};

// A cursor behind the signature that must stand at `at`.
Cursor open_record(const Content& archive, uint64_t at, uint32_t signature) {
  if (at > archive.bytes.size()) fail(archive.path, "corrupt zip: a record is beyond the end");
  Cursor cursor(archive.path, archive.bytes, at);
  if (cursor.little(4) != signature)
    fail(archive.path, "corrupt zip: no record at byte " + grouped(at));
  return cursor;
}

// The end record is the last thing but for a comment whose length it gives.
size_t find_end(const Content& archive) {
  const size_t size = archive.bytes.size();
  for (size_t at = size; at-- > 0 && size - at <= kEndSize + UINT16_MAX;) {
    if (size - at < kEndSize) continue;
    Cursor cursor(archive.path, archive.bytes, at);
    if (cursor.little(4) != kEnd) continue;
    cursor.take(16);
    if (cursor.little(2) == cursor.left()) return at;
  }
  fail(archive.path, "is no zip archive or is cut short");
}

Directory find_directory(const Content& archive) {
  const size_t end = find_end(archive);
  Cursor cursor = open_record(archive, end, kEnd);
  cursor.take(6);
  Directory found{};
  found.count = cursor.little(2);
  found.size = cursor.little(4);
  found.offset = cursor.little(4);
  if (end >= kLocator64Size) {
    Cursor locator(archive.path, archive.bytes, end - kLocator64Size);
    if (locator.little(4) == kLocator64) {
      locator.take(4);
      Cursor end64 = open_record(archive, locator.little(8), kEnd64);
      end64.take(28);
      found.count = end64.little(8);
      found.size = end64.little(8);
      found.offset = end64.little(8);
    }
  }
  const size_t size = archive.bytes.size();
  if (found.offset > size || found.size > size - found.offset ||
      found.count > found.size / kCentralSize)
    fail(archive.path, "corrupt zip: its directory does not fit in it");
  return found;
}

Record read_record(const Content& archive, Cursor& cursor) {
  if (cursor.little(4) != kCentral) fail(archive.path, "corrupt zip directory");
  Record r;
  cursor.take(4);
  r.flags = cursor.little(2);
  r.method = cursor.little(2);
  cursor.take(4);
  r.crc = cursor.little(4);
  r.compressed = cursor.little(4);
  r.size = cursor.little(4);
  const uint64_t name_size = cursor.little(2), extra_size = cursor.little(2),
                 comment_size = cursor.little(2);
  cursor.take(8);
  r.offset = cursor.little(4);
  r.name = text_of(cursor.take(name_size));
  Cursor extra(archive.path, cursor.take(extra_size));
  while (extra.left() >= 4) {
    const uint64_t id = extra.little(2), size = extra.little(2);
    Cursor field(archive.path, extra.take(size));
    if (id != kZip64Field) continue;
    for (uint64_t* value : {&r.size, &r.compressed, &r.offset})
      if (*value == UINT32_MAX) *value = field.little(8);
  }
  cursor.take(comment_size);
  return r;
}

Content read_member(const Content& archive, const Record& r) {
  const std::string path = archive.path + ": " + r.name;
  if (r.flags & kEncrypted) fail(path, "is encrypted");
  if (r.method != kStored && r.method != kDeflated)
    fail(path, "is compressed by method " + std::to_string(r.method) + ", not by deflate");
  if (r.method == kStored && r.compressed != r.size) fail(path, "corrupt zip: two sizes");

  Cursor local = open_record(archive, r.offset, kLocal);
  local.take(22);
  const uint64_t name_size = local.little(2), extra_size = local.little(2);
  local.take(name_size + extra_size);
  const Bytes data = local.take(r.compressed);

  Content content{path, data, nullptr};
  if (r.method == kDeflated) {
    Inflater inflater(path, data, Inflater::kRaw);
    content = inflater.take(r.size);
    if (content.bytes.size() < r.size) fail_short(path, content.bytes.size(), r.size);
    inflater.finish();
  }
  if (crc32_z(0, content.bytes.data(), content.bytes.size()) != r.crc)
    fail(path, "corrupt: its checksum is wrong");
  return content;
}

uint32_t crc_of(const std::vector<Bytes>& parts) {
  uLong crc = 0;
  for (Bytes part : parts) crc = crc32_z(crc, part.data(), part.size());
  return static_cast<uint32_t>(crc);
}

// What local and central headers share, from the version needed to the length of the extras.
void put_common(std::string& out, const Record& r, bool zip64, size_t extra_size) {
  put_little(out, zip64 ? 45 : 20, 2);  // 4.5 knows zip64, 2.0 does not
  put_little(out, kUtf8, 2);
  put_little(out, kStored, 2);
  put_little(out, 0, 2);     // midnight
  put_little(out, 0x21, 2);  // of 1980-01-01: the same tensors make the same file
  put_little(out, r.crc, 4);
  for (int i = 0; i < 2; ++i) put_little(out, zip64 ? UINT32_MAX : r.size, 4);
  put_little(out, r.name.size(), 2);
  put_little(out, extra_size, 2);
}

void put_zip64_field(std::string& out, std::initializer_list<uint64_t> values) {
  put_little(out, kZip64Field, 2);
  put_little(out, 8 * values.size(), 2);
  for (uint64_t value : values) put_little(out, value, 8);
}

}  // namespace

std::vector<ZipMember> read_zip(const Content& archive) {
  const Directory directory = find_directory(archive);
  Cursor cursor(archive.path, archive.bytes.first(directory.offset + directory.size),
                directory.offset);
  std::vector<ZipMember> members;
  std::set<std::string> names;
  uint64_t room = archive.bytes.size();
  for (uint64_t i = 0; i < directory.count; ++i) {
    const Record record = read_record(archive, cursor);
    if (!names.insert(record.name).second) fail(archive.path, "has " + record.name + " twice");
    // Members that share their bytes would let a small file fill the memory.
    if (record.compressed > room) fail(archive.path, "corrupt zip: its members overlap");
    room -= record.compressed;
    members.push_back({record.name, read_member(archive, record)});
  }
  return members;
}

void write_zip(const std::string& path, const std::vector<ZipParts>& members, uint64_t zip64_from) {
  AtomicFile file(path);
  std::string central;
  std::set<std::string> names;
  uint64_t at = 0;
  bool zip64_end = members.size() >= UINT16_MAX;
  for (const auto& [name, parts] : members) {
    if (!names.insert(name).second) fail(path, "the name " + name + " is given twice");
    if (name.size() > UINT16_MAX) fail(path, "a name of " + grouped(name.size()) + " bytes");
    Record r{name, kUtf8, kStored, crc_of(parts), 0, 0, at};
    for (Bytes part : parts) r.size += part.size();

    const bool zip64_size = r.size >= zip64_from, zip64 = zip64_size || at >= zip64_from;
    zip64_end |= zip64;
    std::string extra, local;
    if (zip64_size) put_zip64_field(extra, {r.size, r.size});
    put_little(local, kLocal, 4);
    put_common(local, r, zip64_size, extra.size());
    local += name + extra;
    file.write(local);
    for (Bytes part : parts) file.write(part);
    at += local.size() + r.size;

    extra.clear();
    if (zip64) put_zip64_field(extra, {r.size, r.size, r.offset});
    put_little(central, kCentral, 4);
    put_little(central, zip64 ? 45 : 20, 2);  // made by
    put_common(central, r, zip64, extra.size());
    put_little(central, 0, 2 + 2 + 2 + 4);  // no comment, first disk, no attributes
    put_little(central, zip64 ? UINT32_MAX : r.offset, 4);
    central += name + extra;
  }

  const uint64_t directory = at, count = members.size(), size = central.size();
  zip64_end |= directory >= zip64_from || size >= zip64_from;
  if (zip64_end) {
    put_little(central, kEnd64, 4);
    put_little(central, 44, 8);     // bytes that follow
    put_little(central, 45, 2);     // made by
    put_little(central, 45, 2);     // needed
    put_little(central, 0, 4 + 4);  // disks
    put_little(central, count, 8);
    put_little(central, count, 8);
    put_little(central, size, 8);
    put_little(central, directory, 8);
    put_little(central, kLocator64, 4);
    put_little(central, 0, 4);
    put_little(central, directory + size, 8);
    put_little(central, 1, 4);
  }
  put_little(central, kEnd, 4);
  put_little(central, 0, 2 + 2);
  for (int i = 0; i < 2; ++i) put_little(central, zip64_end ? UINT16_MAX : count, 2);
  put_little(central, zip64_end ? UINT32_MAX : size, 4);
  put_little(central, zip64_end ? UINT32_MAX : directory, 4);
  put_little(central, 0, 2);
  file.write(central);
  file.commit();
}

}  // namespace glia::io
