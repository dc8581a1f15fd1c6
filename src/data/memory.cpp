// Samples that lie in memory.
#include "data/bytes.h"
#include "data/stage.h"

namespace glia::data {
namespace {

// Rows of columns: tensors, and lists of texts.
class InMemory : public Source {
 public:
  explicit InMemory(Sample columns) : columns_(std::move(columns)) {
    for (size_t k = 0; k < columns_.size(); ++k) {
      const Value& column = columns_.value(k);
      const Tensor* t = column.tensor();
      const bool has_rows = column.texts() || (t && t->defined() && t->rank() > 0);
      const int64_t rows = !has_rows ? -1 : t ? t->size(0) : column.texts()->size();
      if (k == 0) rows_ = rows;
      if (!has_rows || rows != rows_)
        throw ShapeError("from_tensors: axis 0 differs: " + columns_.value(0).str() + " and " +
                         column.str());
      bytes_.push_back(t ? bytes_of(*t) : nullptr);
    }
  }
  int64_t size() const override { return rows_; }
  Sample get(int64_t, int64_t position) const override {
    return rows_at(
        {&position, 1},
        [](const Tensor& stacked) {
          return leaf(stacked.node()->memory, 0, without_first(stacked.shape()), stacked.dtype());
        },
        [](Texts texts) { return std::move(texts[0]); });
  }
  Sample gather(int64_t, std::span<const int64_t> positions) const override {
    return rows_at(
        positions, [](Tensor stacked) { return stacked; }, [](Texts texts) { return texts; });
  }
  uint64_t fingerprint() const override {
    uint64_t hash = columns_.size();
    for (size_t k = 0; k < columns_.size(); ++k) {
      if (const Texts* texts = columns_.value(k).texts()) {
        for (const std::string& text : *texts) hash = mixed(hash, io::bytes_of(text));
        continue;
      }
      const Tensor& t = *columns_.value(k).tensor();
      hash = mixed(hash, static_cast<uint64_t>(t.dtype()));
      for (const int64_t size : t.shape()) hash = mixed(hash, size);
      const auto bytes = static_cast<size_t>(t.shape().numel()) * size_of(t.dtype());
      hash = mixed(hash, io::Bytes(reinterpret_cast<const uint8_t*>(bytes_[k]), bytes));
    }
    return hash;
  }

 private:
  template <class OfTensor, class OfTexts>
  Sample rows_at(std::span<const int64_t> positions, OfTensor&& of_tensor,
                 OfTexts&& of_texts) const {
    check_positions(positions, rows_);
    std::vector<Value> out;
    for (size_t k = 0; k < columns_.size(); ++k) {
      if (const Texts* texts = columns_.value(k).texts()) {
        Texts some;
        for (const int64_t p : positions) some.push_back((*texts)[p]);
        out.emplace_back(of_texts(std::move(some)));
        continue;
      }
      const Tensor& t = *columns_.value(k).tensor();
      const Shape row = without_first(t.shape());
      const size_t bytes = static_cast<size_t>(row.numel()) * size_of(t.dtype());
      out.emplace_back(
          of_tensor(stack_rows(static_cast<int64_t>(positions.size()), row, t.dtype(),
                               [&](int64_t i) { return bytes_[k] + positions[i] * bytes; })));
    }
    return Sample(std::move(out), columns_.names());
  }

  Sample columns_;
  std::vector<const char*> bytes_;  // of the tensors
  int64_t rows_ = 0;
};

// Samples that need have nothing in common.
class Listed : public Source {
 public:
  explicit Listed(std::vector<Sample> samples) : samples_(std::move(samples)) {}
  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  Sample get(int64_t, int64_t position) const override {
    check_positions({&position, 1}, size());
    return samples_[position];
  }
  uint64_t fingerprint() const override {
    uint64_t hash = samples_.size();
    for (const Sample& sample : samples_) hash = mixed(hash, fingerprint_of(sample));
    return hash;
  }

 private:
  const std::vector<Sample> samples_;
};

}  // namespace

SourcePtr in_memory(const Sample& columns) { return std::make_shared<InMemory>(columns); }
SourcePtr in_memory(std::vector<Sample> samples) {
  return std::make_shared<Listed>(std::move(samples));
}

}  // namespace glia::data
