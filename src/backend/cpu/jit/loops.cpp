#include "backend/cpu/jit/loops.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "backend/cpu/jit/generator.h"
#include "backend/cpu/jit/kernel.h"

namespace glia::cpu::jit {

std::unique_ptr<Loops> Generator::make() {
  if (!find_levels()) return nullptr;
  choose_kept();
  find_leaving();
  find_grouped_columns();
  if (!choose_running() || !write_bodies()) return nullptr;
  Emitter::Needs needs{.avx512 = avx512_,
                       .f64 = f64_,
                       .running = running_,
                       .row_slots = static_cast<int>(slots_.size()),
                       .arrays = arrays() + static_cast<int>(loops_->made.size()),
                       .kept_bytes = kept_stride()};
  loops_->kept_bytes = kept_stride() * (static_cast<int64_t>(kept_.size()) + kept_sums_);
  std::vector<const Body*> bodies;
  for (const Stage& s : stages_) {
    for (const Body* b : {&s.rows, &s.whole, &s.part}) bodies.push_back(b);
  }
  for (const auto* more : {&put_aside_, &start_kept_}) {
    for (const Body& b : *more) bodies.push_back(&b);
  }
  loops_->emitter = std::make_unique<Emitter>(needs, bodies);
  emit();
  return std::move(loops_);
}

namespace {

constexpr size_t kMostForms = 1024;  // that are kept although no kernel may have them

// Code by the form of what it computes; null: it cannot be generated.
class CodeCache {
 public:
  std::optional<std::shared_ptr<const Loops>> find(const std::string& form) {
    std::lock_guard hold(mutex_);
    const auto found = known_.find(form);
    if (found == known_.end()) return std::nullopt;
    return found->second;
  }
  void add(const std::string& form, std::shared_ptr<const Loops> loops) {
    std::lock_guard hold(mutex_);
    if (known_.size() >= most_) {
      forget_unused();
      most_ = std::max(kMostForms, 2 * known_.size());
    }
    known_.emplace(form, std::move(loops));
  }
  void trim() {
    std::lock_guard hold(mutex_);
    forget_unused();
  }

 private:
  void forget_unused() {
    std::erase_if(known_, [](const auto& entry) { return entry.second.use_count() <= 1; });
  }

  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const Loops>> known_;
  size_t most_ = kMostForms;
};

CodeCache& cache() {
  static auto* const cache = new CodeCache;
  return *cache;
}

std::shared_ptr<const Loops> make(Generator* generator) {
  try {
    return generator->make();
  } catch (const TooManyValues&) {
    return nullptr;
  }
}

}  // namespace

std::shared_ptr<const Loops> generate(const Program& program, bool avx512) {
  Generator generator(program, avx512);
  if (!generator.choose_kind()) return nullptr;
  const std::string form = generator.form();
  if (const auto known = cache().find(form)) return *known;
  std::shared_ptr<const Loops> loops = make(&generator);
  cache().add(form, loops);
  return loops;
}

void trim_code() { cache().trim(); }

}  // namespace glia::cpu::jit
