// The one pool of threads that every operation shares.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace glia {

// Calls body(context, i) once for each i < count, on up to num_threads() threads, the calling one
// among them. Inside such a call, or while another thread uses the pool, it runs in order on the
// calling thread. The first exception thrown is thrown again here.
void parallel_for(int64_t count, void (*body)(void* context, int64_t i), void* context);

template <class F>
void parallel_for(int64_t count, F&& body) {
  parallel_for(
      count, [](void* f, int64_t i) { (*static_cast<std::remove_reference_t<F>*>(f))(i); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

// In a child process: the threads of the pool are not there.
void renew_pool();

// How often this thread's calls have been given to the pool.
int64_t jobs_shared();

// While it lives, if `alone`, the calling thread's parallel_for runs in order.
class Alone {
 public:
  explicit Alone(bool alone);
  ~Alone();
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  const bool before_;
};

}  // namespace glia
