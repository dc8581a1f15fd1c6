// The threads that every operation shares, for kernels and loops of your own.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace glia {

// Calls body(context, i) once for each i < count, on up to num_threads() threads, the calling one
// among them, fewer while other threads of the program compute. Inside such a call, or if none is
// left, it runs in order on the calling thread. The first exception thrown is thrown again here.
void parallel_for(int64_t count, void (*body)(void* context, int64_t i), void* context);

// body(i) likewise. Cut work by its size, never by the number of threads, and results do not depend
// on that.
template <class F>
void parallel_for(int64_t count, F&& body) {
  parallel_for(
      count, [](void* f, int64_t i) { (*static_cast<std::remove_reference_t<F>*>(f))(i); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

}  // namespace glia
