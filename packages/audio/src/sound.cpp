// Sound files through libsndfile, which sees bytes in memory only: files are read and written
// whole.
#include "glia/audio/sound.h"

#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "glia/audio/augment.h"
#include "glia/error.h"
#include "glia/io.h"
#include "glia/ops.h"

namespace glia::audio {
namespace {

constexpr int64_t kMostChannels = 1024, kMostRate = 1 << 24;

// What libsndfile reads from and writes to.
struct Memory {
  std::string_view bytes;  // read
  std::string* out = nullptr;
  int64_t at = 0;

  int64_t size() const { return static_cast<int64_t>(out ? out->size() : bytes.size()); }

  static Memory& of(void* user) { return *static_cast<Memory*>(user); }
  static sf_count_t length(void* user) { return of(user).size(); }
  static sf_count_t tell(void* user) { return of(user).at; }
  static sf_count_t seek(sf_count_t offset, int whence, void* user) {
    Memory& m = of(user);
    const int64_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? m.at : m.size();
    if (offset > INT64_MAX / 2 || from + offset < 0) return -1;
    return m.at = from + offset;
  }
  static sf_count_t read(void* to, sf_count_t count, void* user) {
    Memory& m = of(user);
    const int64_t n = std::clamp<int64_t>(m.size() - m.at, 0, count);
    if (n > 0) std::memcpy(to, m.bytes.data() + m.at, static_cast<size_t>(n));
    m.at += n;
    return n;
  }
  static sf_count_t write(const void* from, sf_count_t count, void* user) {
    Memory& m = of(user);
    const auto end = static_cast<size_t>(m.at + count);
    if (m.out->size() < end) m.out->resize(end);
    std::memcpy(m.out->data() + m.at, from, static_cast<size_t>(count));
    m.at += count;
    return count;
  }
};
SF_VIRTUAL_IO kMemory{Memory::length, Memory::seek, Memory::read, Memory::write, Memory::tell};

using Handle = std::unique_ptr<SNDFILE, int (*)(SNDFILE*)>;

// What went wrong when a file was opened, without the point at its end.
std::string opening_fault() {
  std::string fault = sf_strerror(nullptr);
  std::replace(fault.begin(), fault.end(), '\n', ' ');
  while (!fault.empty() && (fault.back() == '.' || fault.back() == ' ')) fault.pop_back();
  return fault;
}

Handle open(Memory& memory, SF_INFO* info, const std::string& name) {
  Handle file(sf_open_virtual(&kMemory, SFM_READ, info, &memory), sf_close);
  if (!file) throw IoError(name + ": no sound that can be read: " + opening_fault());
  if (info->samplerate < 1 || info->samplerate > kMostRate)
    throw IoError(name + ": a sample rate of " + std::to_string(info->samplerate));
  if (info->channels < 1 || info->channels > kMostChannels)
    throw IoError(name + ": " + std::to_string(info->channels) + " channels");
  return file;
}

uint32_t word_at(std::string_view bytes, size_t at) {
  uint32_t v = 0;
  for (size_t i = 0; i < 4; ++i) v |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return v;
}

// libsndfile takes a WAV file that is cut short for a shorter one. Programs that write to a pipe
// leave a length of 0 or of next to all that 32 bits hold, which says nothing.
void check_wav_length(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 12 || bytes.substr(0, 4) != "RIFF" || bytes.substr(8, 4) != "WAVE") return;
  for (size_t at = 12; at + 8 <= bytes.size();) {
    const uint32_t size = word_at(bytes, at + 4);
    const size_t there = bytes.size() - at - 8;
    if (bytes.substr(at, 4) == "data") {
      if (size > there && size < 0x7ffff000U)
        throw IoError(name + ": cut short: " + std::to_string(there) + " of " +
                      std::to_string(size) + " bytes of samples");
      return;
    }
    if (size > there) return;
    at += 8 + size_t{size} + size % 2;
  }
}

std::string text_of(int command, int format) {
  SF_FORMAT_INFO what{};
  what.format = format;
  sf_command(nullptr, command, &what, sizeof(what));
  return what.name ? what.name : "unknown";
}

void check_options(const ReadSoundOptions& o) {
  if (o.offset < 0) throw ValueError("read_sound: an offset of " + std::to_string(o.offset));
  if (o.most < 0) throw ValueError("read_sound: at most " + std::to_string(o.most) + " samples");
  if (o.sample_rate < 0 || o.sample_rate > kMostRate)
    throw ValueError("read_sound: a sample rate of " + std::to_string(o.sample_rate));
}

// Samples one channel behind the other, of what is interleaved.
Tensor by_channel(const std::vector<float>& all, int64_t channels, bool mono) {
  const auto frames = static_cast<int64_t>(all.size()) / channels;
  std::vector<float> out(static_cast<size_t>(mono ? frames : frames * channels));
  for (int64_t t = 0; t < frames; ++t) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c) {
      const float v = all[t * channels + c];
      if (mono)
        sum += double{v};
      else
        out[c * frames + t] = v;
    }
    if (mono) out[t] = static_cast<float>(sum / static_cast<double>(channels));
  }
  return from_vector(out, {mono ? 1 : channels, frames});
}

struct Format {
  const char* name;
  int major;
};
constexpr Format kFormats[] = {{"wav", SF_FORMAT_WAV},
                               {"flac", SF_FORMAT_FLAC},
                               {"ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS},
                               {"opus", SF_FORMAT_OGG | SF_FORMAT_OPUS},
                               {"mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III}};

int format_of(const WriteSoundOptions& o) {
  for (const Format& f : kFormats) {
    if (o.format != f.name) continue;
    if ((f.major & SF_FORMAT_SUBMASK) != 0) return f.major;
    const bool wav = f.major == SF_FORMAT_WAV;
    if (o.bits == 0 && wav) return f.major | SF_FORMAT_FLOAT;
    if (o.bits == 8) return f.major | (wav ? SF_FORMAT_PCM_U8 : SF_FORMAT_PCM_S8);
    if (o.bits == 16) return f.major | SF_FORMAT_PCM_16;
    if (o.bits == 24) return f.major | SF_FORMAT_PCM_24;
    if (o.bits == 32 && wav) return f.major | SF_FORMAT_PCM_32;
    throw ValueError("write_sound: " + o.format + " of " + std::to_string(o.bits) + " bits");
  }
  throw ValueError("write_sound: the format '" + o.format +
                   "' is none of wav, flac, ogg, opus, mp3");
}

}  // namespace

SoundInfo sound_info(const std::string& path) {
  const std::string bytes = io::read_file(path);
  Memory memory{bytes};
  SF_INFO info{};
  const Handle file = open(memory, &info, path);
  return {info.samplerate, info.channels, info.frames,
          text_of(SFC_GET_FORMAT_INFO, info.format & SF_FORMAT_TYPEMASK),
          text_of(SFC_GET_FORMAT_INFO, info.format & SF_FORMAT_SUBMASK)};
}

Sound decode_sound(std::string_view bytes, const ReadSoundOptions& options,
                   const std::string& name) {
  check_options(options);
  check_wav_length(bytes, name);
  Memory memory{bytes};
  SF_INFO info{};
  const Handle file = open(memory, &info, name);
  if (options.offset > 0 && sf_seek(file.get(), options.offset, SEEK_SET) < 0)
    throw IoError(name + ": has no sample " + std::to_string(options.offset));
  const int64_t wanted = options.frames < 0 ? INT64_MAX / kMostChannels : options.frames;
  // Read as it comes: how much there is, the header only claims.
  constexpr int64_t kTogether = 1 << 16;
  std::vector<float> all, part(static_cast<size_t>(kTogether * info.channels));
  for (int64_t done = 0; done < wanted;) {
    const auto got = sf_readf_float(file.get(), part.data(), std::min(kTogether, wanted - done));
    if (got <= 0) break;
    const auto end = part.begin() + got * info.channels;
    if (!std::all_of(part.begin(), end, [](float v) { return std::isfinite(v); }))
      throw IoError(name + ": holds samples that are no numbers");
    if (static_cast<int64_t>(all.size()) > options.most - got * info.channels)
      throw IoError(name + ": more than " + std::to_string(options.most) + " samples");
    all.insert(all.end(), part.begin(), end);
    done += got;
  }
  if (sf_error(file.get()) != SF_ERR_NO_ERROR)
    throw IoError(name + ": " + std::string(sf_strerror(file.get())));
  const int64_t frames = static_cast<int64_t>(all.size()) / info.channels;
  const bool counted = info.frames < SF_COUNT_MAX / 2;
  if (counted && frames < std::min(wanted, info.frames - options.offset))
    throw IoError(name + ": cut short: " + std::to_string(options.offset + frames) + " of " +
                  std::to_string(info.frames) + " samples");
  Sound sound{by_channel(all, info.channels, options.mono), info.samplerate};
  if (options.sample_rate > 0 && options.sample_rate != sound.sample_rate) {
    if (frames > 0) sound.samples = resample(sound.samples, sound.sample_rate, options.sample_rate);
    sound.sample_rate = options.sample_rate;
  }
  return sound;
}

Sound read_sound(const std::string& path, const ReadSoundOptions& options) {
  check_options(options);
  return decode_sound(io::read_file(path), options, path);
}

std::string encode_sound(const Tensor& samples, int64_t sample_rate,
                         const WriteSoundOptions& options) {
  if (!samples.defined() || samples.dtype() != kF32 || samples.rank() < 1 || samples.rank() > 2)
    throw ShapeError(
        "write_sound: needs f32 (channels, T) or (T), not " +
        (samples.defined() ? name(samples.dtype()) + (" " + samples.shape().str()) : "nothing"));
  const Tensor x = samples.rank() == 1 ? unsqueeze(samples, 0) : samples;
  const int64_t channels = x.size(0), frames = x.size(1);
  if (channels < 1 || channels > kMostChannels)
    throw ValueError("write_sound: " + std::to_string(channels) + " channels");
  if (sample_rate < 1 || sample_rate > kMostRate)
    throw ValueError("write_sound: a sample rate of " + std::to_string(sample_rate));
  if (!(options.quality >= 0 && options.quality <= 1))
    throw ValueError("write_sound: a quality of " + std::to_string(options.quality));
  SF_INFO info{};
  info.samplerate = static_cast<int>(sample_rate);
  info.channels = static_cast<int>(channels);
  info.format = format_of(options);
  if (!sf_format_check(&info))
    throw ValueError("write_sound: " + options.format + " takes no " + std::to_string(channels) +
                     " channels at " + std::to_string(sample_rate) + " Hz");
  const auto from = x.data<float>();
  std::vector<float> all(static_cast<size_t>(x.numel()));
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t t = 0; t < frames; ++t) {
      const float v = from[c * frames + t];
      if (!std::isfinite(v)) throw ValueError("write_sound: samples that are no numbers");
      all[t * channels + c] = v;
    }
  std::string out;
  Memory memory{.bytes = {}, .out = &out};
  Handle file(sf_open_virtual(&kMemory, SFM_WRITE, &info, &memory), sf_close);
  if (!file) throw ValueError("write_sound: " + options.format + ": " + opening_fault());
  sf_command(file.get(), SFC_SET_CLIPPING, nullptr, SF_TRUE);
  double quality = options.quality, level = 1 - options.quality;
  if ((options.format == "ogg") || options.format == "opus")
    sf_command(file.get(), SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof(quality));
  if (options.format == "mp3")
    sf_command(file.get(), SFC_SET_COMPRESSION_LEVEL, &level, sizeof(level));
  const bool whole = sf_writef_float(file.get(), all.data(), frames) == frames;
  if (!whole || sf_close(file.release()) != 0)
    throw Error("write_sound: " + options.format + " could not be encoded");
  return out;
}

void write_sound(const std::string& path, const Tensor& samples, int64_t sample_rate,
                 const WriteSoundOptions& options) {
  WriteSoundOptions how = options;
  if (how.format.empty()) {
    how.format = std::filesystem::path(path).extension().string();
    if (!how.format.empty()) how.format.erase(0, 1);
  }
  io::write_file_atomic(path, encode_sound(samples, sample_rate, how));
}

}  // namespace glia::audio
