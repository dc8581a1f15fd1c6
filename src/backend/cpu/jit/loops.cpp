#include "backend/cpu/jit/loops.h"

#include "backend/cpu/jit/generator.h"

namespace glia::cpu::jit {

std::unique_ptr<Loops> Generator::make() {
  if (!choose_kind() || !find_levels()) return nullptr;
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

std::unique_ptr<Loops> generate(const Program& program, bool avx512) {
  try {
    return Generator(program, avx512).make();
  } catch (const TooManyValues&) {
    return nullptr;
  }
}

}  // namespace glia::cpu::jit
