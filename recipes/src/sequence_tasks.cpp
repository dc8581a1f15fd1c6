#include "recipes/src/sequence_tasks.h"

#include <cmath>
#include <memory>

#include "glia/ops.h"
#include "glia/random.h"

namespace glia::recipes {
namespace {

constexpr int64_t kTests = 1000, kSymbols = 8, kCopied = 10;
constexpr uint64_t kTestSeed = 1 << 20;

SequenceBatch adding(int64_t count, int64_t length) {
  const Tensor values = rand({count, length});
  // One in each half.
  const Tensor first = randint(0, length / 2, {count}),
               second = randint(length / 2, length, {count});
  const Tensor marked = one_hot(first, length) + one_hot(second, length);
  return {stack({values, marked}, 2), sum(values * marked, {1})};
}

// Symbols 0 to 7, blanks, and a sign after which the symbols are wanted.
SequenceBatch copying(int64_t count, int64_t length) {
  const Tensor symbols = randint(0, kSymbols, {count, kCopied});
  const auto blanks = [&](int64_t n) { return full({count, n}, kSymbols, kI64); };
  const Tensor sign = full({count, 1}, kSymbols + 1, kI64);
  const Tensor steps = concat({symbols, blanks(length - 1), sign, blanks(kCopied)}, 1);
  return {one_hot(steps, kSymbols + 2), symbols};
}

// Always the same numbers, whatever was drawn before; what is drawn afterwards is not changed.
SequenceBatch drawn_apart(const std::function<SequenceBatch(int64_t)>& draw) {
  const RandomState before = random_state();
  manual_seed(kTestSeed);
  SequenceBatch batch = draw(kTests);
  eval({batch.x, batch.target});
  set_random_state(before);
  return batch;
}

// All pictures of a part, each row a step.
std::shared_ptr<SequenceBatch> rows_of(data::Split split) {
  const auto set = data::fashion_mnist(split);
  auto whole = set.batch(set.size());
  const auto [images, labels] = *whole.begin();
  const Tensor rows = squeeze(cast(images, kF32) / 255, -1);
  eval(rows);
  return std::make_shared<SequenceBatch>(SequenceBatch{rows, labels});
}

}  // namespace

SequenceTask sequence_task(const std::string& name, int64_t length) {
  SequenceTask task;
  if (name == "row-fashion-mnist") {
    const auto all = rows_of(data::Train), test = rows_of(data::Test);
    task.steps = all->x.size(1);
    task.inputs = all->x.size(2);
    task.outputs = 10;
    task.trivial_loss = std::log(10.0);
    task.draw = [all](int64_t count) -> SequenceBatch {
      const Tensor at = randint(0, all->x.size(0), {count});
      return {take(all->x, at), take(all->target, at)};
    };
    task.test = [test] { return *test; };
    return task;
  }
  if (name == "adding") {
    task.steps = length;
    task.inputs = 2;
    task.outputs = 1;
    task.regression = true;
    task.trivial_loss = 1.0 / 6;
    task.draw = [length](int64_t count) { return adding(count, length); };
  } else {
    task.steps = length + 2 * kCopied;
    task.inputs = kSymbols + 2;
    task.outputs = kSymbols;
    task.answers = kCopied;
    task.trivial_loss = std::log(static_cast<double>(kSymbols));
    task.draw = [length](int64_t count) { return copying(count, length); };
  }
  task.test = [draw = task.draw] { return drawn_apart(draw); };
  return task;
}

}  // namespace glia::recipes
