// Passes over a source, and the threads that run ahead of them.
#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <system_error>
#include <thread>
#include <typeinfo>

#include "core/node.h"
#include "core/variable.h"
#include "glia/data.h"
#include "glia/random.h"
#include "ops/autocast.h"

namespace glia::data {
namespace {

// While a process is copied no thread is within a source, whose locks the child could never get. A
// thread that forks within one of its own stages does not wait for itself.
class ForkGate {
 public:
  ForkGate() {
    [[maybe_unused]] static const int once = pthread_atfork(before, in_parent, in_child);
    if (depth_++ == 0) gate().lock_shared();
  }
  ~ForkGate() {
    if (--depth_ == 0) gate().unlock_shared();
  }
  ForkGate(const ForkGate&) = delete;
  ForkGate& operator=(const ForkGate&) = delete;

 private:
  static std::shared_mutex& gate() {
    static auto* mutex = new std::shared_mutex;
    return *mutex;
  }
  static void before() {
    if (depth_ == 0) gate().lock();
  }
  static void in_parent() {
    if (depth_ == 0) gate().unlock();
  }
  static void in_child() {
    ::new (&gate()) std::shared_mutex;
    if (depth_ > 0) gate().lock_shared();
  }
  static thread_local int depth_;
};
thread_local int ForkGate::depth_ = 0;

template <class E>
void add_place(const Error& error, State at) {
  if (typeid(error) != typeid(E)) return;
  throw E(std::string(error.what()) + " (epoch " + std::to_string(at.epoch) + ", position " +
          std::to_string(at.position) + ")");
}

// What the source gives there. Random tensors that its functions draw come from a stream of its
// own, whatever the thread; the thread's is left as it was.
std::optional<Sample> sample_at(const Source& source, uint64_t seed, State at) {
  const ForkGate gate;
  const struct Stream {
    RandomState before = random_state();
    ~Stream() { set_random_state(before); }
  } kept;
  Random random(seed, at.epoch, at.position);
  const uint64_t high = random.bits();
  manual_seed(high << 32 | random.bits());
  try {
    return source.find(at.epoch, at.position);
  } catch (const Error& error) {
    add_place<Error>(error, at);
    add_place<ShapeError>(error, at);
    add_place<ValueError>(error, at);
    add_place<IoError>(error, at);
    throw;
  }
}

}  // namespace

// Holds at most `limit` samples, those being made included.
class Pipeline::Pass::Workers {
 public:
  Workers(SourcePtr source, uint64_t seed, State from, int64_t limit, int64_t count)
      : source_(std::move(source)),
        seed_(seed),
        epoch_(from.epoch),
        limit_(limit),
        gradients_(grad_enabled()),
        precision_(autocast_on() ? kBF16 : kF32),
        taken_(from.position),
        claimed_(from.position) {
    try {
      for (int64_t i = 0; i < std::min(count, limit); ++i) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error& error) {
      end();
      throw Error(std::string("prefetch: no thread can be started: ") + error.what());
    }
  }
  ~Workers() { end(); }

  bool of_this_process() const { return generation_ == process_generation; }

  // The next in order; nothing at the end.
  std::optional<Sample> next() {
    if (!of_this_process())
      throw Error("prefetch: this pass was begun before fork(): the child must begin its own");
    std::unique_lock hold(mutex_);
    changed_.wait(hold, [&] { return ready_.contains(taken_); });
    Made& made = ready_[taken_];
    if (made.error) std::rethrow_exception(made.error);
    if (!made.sample) return std::nullopt;
    std::optional<Sample> sample = std::move(made.sample);
    ready_.erase(taken_++);
    changed_.notify_all();
    return sample;
  }

 private:
  struct Made {
    std::optional<Sample> sample;
    std::exception_ptr error;
  };

  void end() {
    {
      std::lock_guard hold(mutex_);
      abandoned_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  void run() {
    // Functions of stages compute as they would on the thread that takes the samples.
    set_grad_enabled(gradients_);
    const Autocast precision(precision_);
    for (;;) {
      int64_t position;
      {
        std::unique_lock hold(mutex_);
        changed_.wait(hold, [&] { return abandoned_ || ended_ || claimed_ - taken_ < limit_; });
        if (abandoned_ || ended_) return;
        position = claimed_++;
      }
      Made made;
      try {
        made.sample = sample_at(*source_, seed_, {epoch_, position});
        if (made.sample) compute(*made.sample);
      } catch (...) {
        made.error = std::current_exception();
      }
      std::lock_guard hold(mutex_);
      ended_ |= !made.sample;
      ready_.emplace(position, std::move(made));
      changed_.notify_all();
    }
  }
  // What has a gradient belongs to the graph of the thread that takes it.
  static void compute(const Sample& sample) {
    std::vector<Tensor> pending;
    for (size_t i = 0; i < sample.size(); ++i)
      if (const Tensor* t = sample.value(i).tensor(); t && t->defined() && !t->requires_grad())
        pending.push_back(*t);
    eval(pending);
  }

  const SourcePtr source_;
  const uint64_t seed_;
  const int64_t epoch_, limit_;
  const bool gradients_;
  const DType precision_;
  const uint32_t generation_ = process_generation;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<int64_t, Made> ready_;  // by position
  int64_t taken_, claimed_;        // the positions that are next given and made
  bool abandoned_ = false, ended_ = false;
  std::vector<std::thread> threads_;
};

Pipeline::Pipeline(SourcePtr source, int64_t prefetch, int64_t workers)
    : source_(std::move(source)), prefetch_(prefetch), workers_(workers) {
  if (!source_) throw Error("Pipeline: there is no source");
  if (prefetch < 0) throw Error("prefetch: a negative count");
  constexpr int64_t kMostWorkers = 1024;
  if (workers < 1 || workers > kMostWorkers)
    throw Error("prefetch: " + std::to_string(workers) + " workers");
}

void Pipeline::set_state(State state) {
  const int64_t n = size();
  const bool beyond = n != Source::kUnsized && state.position > n;
  if (state.epoch < 0 || state.epoch == INT64_MAX || state.position < 0 || beyond ||
      state.position == INT64_MAX)
    throw Error("set_state: epoch " + std::to_string(state.epoch) + ", position " +
                std::to_string(state.position) + " is none" +
                (beyond ? ": an epoch has " + std::to_string(n) + " samples or batches" : ""));
  state_ = state;
}

Pipeline::Pass::Pass(Pipeline& pipeline)
    : pipeline_(&pipeline), at_(pipeline.state_), seed_(random_state().seed) {
  if (pipeline.prefetch_ > 0)
    workers_ = std::make_unique<Workers>(pipeline.source_, seed_, at_, pipeline.prefetch_,
                                         pipeline.workers_);
}
Pipeline::Pass::~Pass() {
  // In a child process there are no threads that would end it.
  if (workers_ && !workers_->of_this_process()) (void)workers_.release();
}
Pipeline::Pass::Pass(Pass&& other) noexcept = default;

bool Pipeline::Pass::next(Sample& sample) {
  std::optional<Sample> found =
      workers_ ? workers_->next() : sample_at(*pipeline_->source_, seed_, at_);
  if (found) {
    sample = std::move(*found);
    ++at_.position;
  } else {
    at_ = {at_.epoch + 1, 0};
  }
  pipeline_->state_ = at_;
  return found.has_value();
}

}  // namespace glia::data
