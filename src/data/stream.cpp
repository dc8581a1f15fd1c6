// Sources that are made or read as they go.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <mutex>

#include "data/bytes.h"
#include "data/files.h"
#include "data/stage.h"
#include "glia/io.h"

namespace glia::data {
namespace {

class Generated : public Unsized {
 public:
  explicit Generated(GenerateFunction f) : f_(std::move(f)) {}
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    if (position < 0) return std::nullopt;
    return f_(epoch, position);
  }
  // It may depend on the epoch.
  Changes changes() const override { return Changes::kOrder; }

 private:
  const GenerateFunction f_;
};

// Workers ask for samples that are near each other, in no strict order: what was read on the way to
// one is held until it is asked for.
class Streamed : public Unsized {
 public:
  explicit Streamed(OpenFunction open) : open_(std::move(open)) {}
  std::optional<Sample> find(int64_t epoch, int64_t position) const override {
    if (position < 0) return std::nullopt;
    std::lock_guard hold(mutex_);
    Reading& r = reading(epoch);
    if (r.end && position >= *r.end) return std::nullopt;
    if (const auto found = r.held.find(position); found != r.held.end()) {
      std::optional<Sample> sample = std::move(found->second);
      r.held.erase(found);
      return sample;
    }
    try {
      if (!r.stream || position < r.next) begin(&r, epoch);
      if (position - r.next > static_cast<int64_t>(kMostHeld)) {
        r.stream->skip(position - r.next);
        r.next = position;
      }
      for (;;) {
        std::optional<Sample> sample = r.stream->next();
        if (!sample) r.end = r.next;
        if (!sample || r.next++ == position) return sample;
        r.held.emplace(r.next - 1, std::move(*sample));
        while (r.held.size() > kMostHeld) r.held.erase(r.held.begin());
      }
    } catch (...) {
      readings_.erase(epoch);  // where the stream stands is not known
      throw;
    }
  }
  Changes changes() const override { return Changes::kOrder; }

 private:
  struct Reading {
    std::unique_ptr<Stream> stream;
    int64_t next = 0;  // what the stream gives next
    std::optional<int64_t> end = {};
    std::map<int64_t, Sample> held = {};
  };
  static constexpr size_t kMostReadings = 2, kMostHeld = 1024;

  Reading& reading(int64_t epoch) const {
    while (readings_.size() >= kMostReadings && !readings_.contains(epoch))
      readings_.erase(readings_.begin());
    return readings_[epoch];
  }
  void begin(Reading* r, int64_t epoch) const {
    r->stream = open_(epoch);
    if (!r->stream) throw Error("stream: there is none for epoch " + std::to_string(epoch));
    r->next = 0;
    r->held.clear();
  }

  const OpenFunction open_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, Reading> readings_;  // by epoch
};

// Bytes that are read where they lie: in an open file, or unpacked in memory.
class Text {
 public:
  explicit Text(const std::string& path) : path_(path) {
    if (const io::Content start = io::map(path);
        start.bytes.size() >= 2 && start.bytes[0] == 0x1f && start.bytes[1] == 0x8b) {
      unpacked_ = read_plain(path, kMostUnpacked);
      size_ = static_cast<int64_t>(unpacked_.size());
    } else {
      size_ = static_cast<int64_t>(start.bytes.size());
      file_ = std::make_unique<io::Descriptor>(path, ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    }
  }
  int64_t size() const { return size_; }
  std::string read(int64_t at, int64_t count) const {
    if (!file_) return unpacked_.substr(at, count);
    std::string out(static_cast<size_t>(count), 0);
    for (int64_t have = 0; have < count;) {
      const ssize_t n = ::pread(file_->get(), out.data() + have, count - have, at + have);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) io::fail_errno(path_);
      if (n == 0) io::fail(path_, "has become shorter");
      have += n;
    }
    return out;
  }

 private:
  static constexpr int64_t kMostUnpacked = int64_t{1} << 32;
  const std::string path_;
  std::string unpacked_;
  std::unique_ptr<io::Descriptor> file_;
  int64_t size_ = 0;
};

class Lines : public Source {
 public:
  explicit Lines(const std::string& path) : text_(path) {
    constexpr int64_t kPiece = 1 << 20;
    hash_ = mixed(0, static_cast<uint64_t>(text_.size()));
    for (int64_t at = 0; at < text_.size(); at += kPiece) {
      const std::string piece = text_.read(at, std::min(kPiece, text_.size() - at));
      hash_ = mixed(hash_, io::bytes_of(piece));
      for (size_t end = piece.find('\n'); end != std::string::npos; end = piece.find('\n', end + 1))
        starts_.push_back(at + static_cast<int64_t>(end) + 1);
    }
    if (starts_.back() < text_.size()) starts_.push_back(text_.size() + 1);  // its end is missing
  }
  int64_t size() const override { return static_cast<int64_t>(starts_.size()) - 1; }
  Sample get(int64_t, int64_t position) const override {
    check_positions({&position, 1}, size());
    const int64_t start = starts_[position];
    std::string line = text_.read(start, starts_[position + 1] - 1 - start);
    if (line.ends_with('\r')) line.pop_back();
    return Sample({Value(std::move(line))}, names_);
  }
  uint64_t fingerprint() const override { return hash_; }

 private:
  const Text text_;
  const Names names_ =
      std::make_shared<const std::vector<std::string>>(std::vector<std::string>{"line"});
  std::vector<int64_t> starts_{0};
  uint64_t hash_;
};

}  // namespace

void Stream::skip(int64_t count) {
  while (count-- > 0 && next()) {
  }
}

SourcePtr generated(GenerateFunction f) { return std::make_shared<Generated>(std::move(f)); }
SourcePtr streamed(OpenFunction open) { return std::make_shared<Streamed>(std::move(open)); }
SourcePtr lines(const std::string& path) { return std::make_shared<Lines>(path); }

}  // namespace glia::data
