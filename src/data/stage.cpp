#include "data/stage.h"

#include "data/bytes.h"

namespace glia::data {

void check_positions(std::span<const int64_t> positions, int64_t size) {
  for (const int64_t p : positions)
    if (p < 0 || p >= size)
      throw Error("data: there is no sample " + std::to_string(p) + " among " +
                  std::to_string(size));
}

SourcePtr sized(SourcePtr source, const char* stage) {
  if (source->size() == Source::kUnsized)
    throw Error(std::string(stage) + ": needs to know how many samples there are");
  return source;
}

SourcePtr ordered(SourcePtr source, const char* stage) {
  if (source->changes() == Changes::kOrder)
    throw Error(std::string(stage) +
                ": goes by positions, which mean other samples in each epoch: shuffle behind it");
  return sized(std::move(source), stage);
}

uint64_t fingerprint_of(const SourcePtr& inner, StageId stage,
                        std::initializer_list<uint64_t> settings) {
  uint64_t hash = mixed(inner->fingerprint(), static_cast<uint64_t>(stage));
  for (const uint64_t value : settings) hash = mixed(hash, value);
  return hash;
}

uint64_t fingerprint_of(const Sample& sample) {
  uint64_t hash = sample.size();
  for (size_t i = 0; i < sample.size(); ++i) {
    const Value& value = sample.value(i);
    hash = mixed(hash, static_cast<uint64_t>(value.kind()));
    if (sample.names()) hash = mixed(hash, io::bytes_of((*sample.names())[i]));
    if (const int64_t* n = value.integer()) hash = mixed(hash, static_cast<uint64_t>(*n));
    if (const double* n = value.number()) hash = mixed(hash, std::bit_cast<uint64_t>(*n));
    if (const std::string* text = value.text()) hash = mixed(hash, io::bytes_of(*text));
    if (value.texts())
      for (const std::string& text : *value.texts()) hash = mixed(hash, io::bytes_of(text));
    if (const Tensor* t = value.tensor(); t && t->defined()) {
      hash = mixed(hash, static_cast<uint64_t>(t->dtype()));
      for (const int64_t size : t->shape()) hash = mixed(hash, size);
      hash = mixed(hash, io::Bytes(reinterpret_cast<const uint8_t*>(bytes_of(*t)),
                                   static_cast<size_t>(t->node()->bytes())));
    }
  }
  return hash;
}

uint64_t fingerprint_of(const BatchOptions& options) {
  uint64_t hash = options.ragged.size();
  for (const Pad& p : options.pad) {
    hash = mixed(mixed(hash, io::bytes_of(p.field)), io::bytes_of(p.value.str()));
    hash = mixed(hash, static_cast<uint64_t>(p.multiple));
    hash = mixed(mixed(hash, io::bytes_of(p.lengths)), io::bytes_of(p.mask));
  }
  for (const std::string& name : options.ragged) hash = mixed(hash, io::bytes_of(name));
  return hash;
}

Sample Reindexed::get(int64_t epoch, int64_t position) const {
  check_positions({&position, 1}, size());
  translate(epoch, {&position, 1});
  return inner_->get(epoch, position);
}

Sample Reindexed::gather(int64_t epoch, std::span<const int64_t> positions) const {
  check_positions(positions, size());
  std::vector<int64_t> inner(positions.begin(), positions.end());
  translate(epoch, inner);
  return inner_->gather(epoch, inner);
}

void check_order(const char* stage, int64_t size) {
  if (size > UINT32_MAX)
    throw Error(std::string(stage) + ": " + std::to_string(size) + " samples are more than the " +
                std::to_string(UINT32_MAX) + " that can be put in order");
}

void shuffle_range(Random* random, std::span<uint32_t> range) {
  for (auto i = static_cast<int64_t>(range.size()) - 1; i > 0; --i)
    std::swap(range[i], range[random->below(i + 1)]);
}

// ---- What sources have in common --------------------------------------------------------------

std::optional<Sample> Source::find(int64_t epoch, int64_t position) const {
  if (position < 0 || position >= size()) return std::nullopt;
  return get(epoch, position);
}

Sample Source::gather(int64_t epoch, std::span<const int64_t> positions) const {
  std::vector<Sample> samples;
  for (const int64_t p : positions) samples.push_back(get(epoch, p));
  return collate(samples);
}

uint64_t Source::fingerprint() const { return mixed(0, static_cast<uint64_t>(size())); }

Sample Unsized::get(int64_t epoch, int64_t position) const {
  std::optional<Sample> sample = find(epoch, position);
  if (!sample) throw Error("data: there is no sample " + std::to_string(position));
  return std::move(*sample);
}

}  // namespace glia::data
