#include "simulate.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "glia/parallel.h"
#include "kernels.h"

namespace glia::quantum {
namespace {

// A vector of so many bits stays in the cache of a core, and is computed by one thread.
constexpr int kWholeBits = 14;
// Longer ones in blocks that stay in the first cache, which have at least the lowest bits: what is
// read at once.
template <class T>
constexpr int kBlockBits = sizeof(T) == 8 ? 11 : 12;
constexpr int kLowBits = 5;

// Memory that begins where a vector of 64 bytes may, not set to anything.
template <class T>
class Space {
 public:
  T* of(int64_t count) {
    if (count > count_) {
      data_.reset(static_cast<T*>(
          ::operator new (static_cast<size_t>(count) * sizeof(T), std::align_val_t{64})));
      count_ = count;
    }
    return data_.get();
  }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<T, Free> data_;
  int64_t count_ = 0;
};

// One of the vectors: its parts.
template <class T>
struct Planes {
  T *re, *im;
};

// A step with its matrix, ready for vectors of k bits.
template <class T>
struct Ready {
  uint64_t outside = 0, outside_values = 0;  // controls that are no bits of a block
  bool unitary = true;
  std::vector<int64_t> angles;  // of the derivatives
  // What is diagonal may have targets that are no bits of a block: then there is a matrix for each
  // of the values that they may have.
  std::vector<int> targets_outside;
  Site site;
  struct Variant {
    Matrix matrix;  // on the way back its adjoint
    std::vector<Matrix> derivatives;
    Coefficients<T> how;
  };
  std::vector<Variant> variants;

  const Variant& at(int64_t base) const {
    size_t which = 0;
    for (size_t i = 0; i < targets_outside.size(); ++i)
      which |= static_cast<size_t>(base >> targets_outside[i] & 1) << i;
    return variants[which];
  }
};

template <class T>
class Runner {
 public:
  explicit Runner(const Simulation<T>& what)
      : what_(what), program_(decode(what.program)), steps_(fused(program_)) {
    size_ = int64_t{1} << program_.wires;
    unitary_ = std::ranges::all_of(steps_, &Step::unitary);
    all_.bits.resize(static_cast<size_t>(program_.wires));
    for (int i = 0; i < program_.wires; ++i) all_.bits[static_cast<size_t>(i)] = i;
    for (size_t i = 0; i < steps_.size(); ++i) all_.steps.push_back(static_cast<int>(i));
  }

  void forward(T* out) const {
    if (program_.wires <= kWholeBits) {
      parallel_for(what_.count, [&](int64_t i) {
        const Planes<T> v = planes(out, i);
        start(v, i);
        const std::vector<double> angles = angles_of(i);
        for (const Step& step : steps_)
          step_forward(ready_for(step, all_, angles, false), 0, v, program_.wires);
      });
      return;
    }
    const std::vector<Pass> passes = schedule(steps_, program_.wires, kBlockBits<T>, kLowBits);
    for (int64_t i = 0; i < what_.count; ++i) {
      const Planes<T> v = planes(out, i);
      start(v, i);
      const std::vector<double> angles = angles_of(i);
      for (const Pass& pass : passes) {
        std::vector<Ready<T>> ready;
        for (int n : pass.steps)
          ready.push_back(ready_for(steps_[static_cast<size_t>(n)], pass, angles, false));
        const Blocks blocks(pass, program_.wires);
        parallel_for(blocks.count, [&](int64_t b) {
          static thread_local Space<T> space;
          const int k = blocks.k;
          const Planes<T> own = block_in(space, 0, 1, k);
          const int64_t base = blocks.base(b);
          blocks.copy(base, v, own, true);
          for (const Ready<T>& r : ready)
            if (here(r, base)) step_forward(r, base, own, k);
          blocks.copy(base, v, own, false);
        });
      }
    }
  }

  void backward(const T* final, const T* grad, T* angle_grads, T* initial_grads) const {
    std::memcpy(initial_grads, grad, static_cast<size_t>(2 * size_ * what_.count) * sizeof(T));
    if (program_.wires <= kWholeBits || !unitary_) {
      parallel_for(what_.count, [&](int64_t i) {
        back_whole(i, final, planes(initial_grads, i), angle_grads + i * what_.angle_count);
      });
      return;
    }
    const std::vector<Pass> passes = schedule(steps_, program_.wires, kBlockBits<T>, kLowBits);
    Space<T> copy;
    for (int64_t i = 0; i < what_.count; ++i) {
      const Planes<T> psi{copy.of(2 * size_), copy.of(2 * size_) + size_};
      std::memcpy(psi.re, final + 2 * size_ * i, static_cast<size_t>(2 * size_) * sizeof(T));
      const Planes<T> lambda = planes(initial_grads, i);
      std::vector<double> grads(static_cast<size_t>(what_.angle_count), 0.0);
      const std::vector<double> angles = angles_of(i);
      for (size_t p = passes.size(); p-- > 0;) back_pass(passes[p], angles, psi, lambda, grads);
      std::ranges::copy(grads, angle_grads + i * what_.angle_count);
    }
  }

 private:
  // How the blocks of a pass lie in the vector.
  struct Blocks {
    Blocks(const Pass& pass, int wires) : k(static_cast<int>(pass.bits.size())), bits(pass.bits) {
      count = int64_t{1} << (wires - k);
      int low = 0;
      while (low < k && bits[static_cast<size_t>(low)] == low) ++low;
      run = int64_t{1} << low;
      offset.resize(size_t{1} << (k - low));
      for (size_t r = 0; r < offset.size(); ++r)
        for (int j = low; j < k; ++j)
          if (r >> (j - low) & 1) offset[r] |= int64_t{1} << bits[static_cast<size_t>(j)];
    }
    // Where block b begins: its number's bits are those that are not the pass's.
    int64_t base(int64_t b) const {
      for (int bit : bits) {
        const int64_t low = (int64_t{1} << bit) - 1;
        b = ((b & ~low) << 1) | (b & low);
      }
      return b;
    }
    void copy(int64_t base, const Planes<T>& all, const Planes<T>& own, bool in) const {
      const size_t bytes = static_cast<size_t>(run) * sizeof(T);
      for (size_t r = 0; r < offset.size(); ++r) {
        const int64_t at = static_cast<int64_t>(r) * run, from = base + offset[r];
        if (in) {
          std::memcpy(own.re + at, all.re + from, bytes);
          std::memcpy(own.im + at, all.im + from, bytes);
        } else {
          std::memcpy(all.re + from, own.re + at, bytes);
          std::memcpy(all.im + from, own.im + at, bytes);
        }
      }
    }
    int k;
    std::vector<int> bits;
    int64_t count, run;
    std::vector<int64_t> offset;
  };

  Planes<T> planes(T* vectors, int64_t i) const {
    return {vectors + 2 * size_ * i, vectors + 2 * size_ * i + size_};
  }
  // The parts of block `which` of `count`, apart from each other by no power of two.
  static Planes<T> block_in(Space<T>& space, int which, int count, int k) {
    const int64_t stride = (int64_t{1} << k) + 2 * kLanes<T>;
    T* const first = space.of(2 * count * stride);
    return {first + 2 * which * stride, first + (2 * which + 1) * stride};
  }

  void start(const Planes<T>& v, int64_t i) const {
    const auto bytes = static_cast<size_t>(2 * size_) * sizeof(T);
    if (what_.initials > 0) {
      std::memcpy(v.re, what_.initial + (what_.initials > 1 ? 2 * size_ * i : 0), bytes);
    } else {
      std::memset(v.re, 0, bytes);
      v.re[0] = 1;
    }
  }
  std::vector<double> angles_of(int64_t i) const {
    const T* first = what_.angles + i * what_.angle_count;
    return std::vector<double>(first, first + what_.angle_count);
  }

  Ready<T> ready_for(const Step& step, const Pass& pass, const std::vector<double>& angles,
                     bool back) const {
    Ready<T> out;
    const int k = static_cast<int>(pass.bits.size());
    uint64_t inside = 0;
    for (int j = 0; j < k; ++j) {
      const uint64_t bit = uint64_t{1} << pass.bits[static_cast<size_t>(j)];
      inside |= bit;
      if (step.controls & bit) out.site.controls |= uint64_t{1} << j;
      if (step.values & bit) out.site.values |= uint64_t{1} << j;
    }
    out.outside = step.controls & ~inside;
    out.outside_values = step.values & ~inside;
    out.unitary = step.unitary;
    // Places in the matrix's index of what is outside, and of what is inside.
    const int targets = static_cast<int>(step.bits.size());
    std::vector<int> far, near;
    for (int t = 0; t < targets; ++t) {
      const int bit = step.bits[static_cast<size_t>(t)];
      if (inside >> bit & 1) {
        near.push_back(targets - 1 - t);
        out.site.bits.push_back(
            static_cast<int>(std::ranges::lower_bound(pass.bits, bit) - pass.bits.begin()));
      } else {
        far.push_back(targets - 1 - t);
        out.targets_outside.push_back(bit);
      }
    }
    const Bound bound = bind(program_, step, angles, back);
    for (const auto& [angle, matrix] : bound.derivatives) out.angles.push_back(angle);
    for (int which = 0; which < 1 << far.size(); ++which) {
      const auto reduced = [&](const Matrix& m) {
        if (far.empty()) return m;
        Matrix part(1 << near.size());
        for (int i = 0; i < part.size(); ++i) {
          int at = 0;
          for (size_t f = 0; f < far.size(); ++f) at |= (which >> f & 1) << far[f];
          for (size_t n = 0; n < near.size(); ++n)
            at |= (i >> (near.size() - 1 - n) & 1) << near[n];
          part(i, i) = m(at, at);
        }
        return part;
      };
      typename Ready<T>::Variant v;
      v.matrix = reduced(bound.matrix);
      for (const auto& [angle, matrix] : bound.derivatives)
        v.derivatives.push_back(reduced(matrix));
      if (back) v.matrix = dagger(v.matrix);
      prepare(v.how, out.site, v.matrix, k);
      out.variants.push_back(std::move(v));
    }
    return out;
  }
  static bool here(const Ready<T>& r, int64_t base) {
    return (static_cast<uint64_t>(base) & r.outside) == r.outside_values;
  }
  static void step_forward(const Ready<T>& r, int64_t base, const Planes<T>& v, int k) {
    const auto& variant = r.at(base);
    apply(variant.how, r.site, variant.matrix, v.re, v.im, k);
  }

  // Goes back over one step, whose vectors lie in psi (behind it) and lambda; f(which of the step's
  // angles, derivative).
  template <class F>
  static void step_back(const Ready<T>& r, int64_t base, const Planes<T>& psi,
                        const Planes<T>& lambda, int k, F&& f) {
    const auto& v = r.at(base);
    if (r.unitary) apply(v.how, r.site, v.matrix, psi.re, psi.im, k);
    if (!r.angles.empty()) {
      const int size = v.matrix.size();
      std::vector<Cx> sums(static_cast<size_t>(size * size));
      cross<T>(v.how, r.site, lambda.re, lambda.im, psi.re, psi.im, k, sums);
      for (size_t d = 0; d < r.angles.size(); ++d) {
        double total = 0;
        for (int n = 0; n < size * size; ++n) {
          const Cx m = v.derivatives[d].data()[n], s = sums[static_cast<size_t>(n)];
          total += m.re * s.re - m.im * s.im;
        }
        f(d, total);
      }
    }
    apply(v.how, r.site, v.matrix, lambda.re, lambda.im, k);
  }

  void back_whole(int64_t i, const T* final, const Planes<T>& lambda, T* angle_grads) const {
    const int k = program_.wires;
    const std::vector<double> angles = angles_of(i);
    static thread_local Space<T> space;
    T* const own = space.of(2 * size_);
    const Planes<T> psi{own, own + size_};
    std::vector<Ready<T>> ready;
    for (const Step& step : steps_) ready.push_back(ready_for(step, all_, angles, true));
    const auto bytes = static_cast<size_t>(2 * size_) * sizeof(T);
    std::vector<std::vector<T>> before;  // channels
    if (!unitary_) {
      start(psi, i);
      for (size_t s = 0; s < ready.size(); ++s) {
        if (!ready[s].unitary) before.emplace_back(psi.re, psi.re + 2 * size_);
        step_forward(ready_for(steps_[s], all_, angles, false), 0, psi, k);
      }
    } else {
      std::memcpy(psi.re, final + 2 * size_ * i, bytes);
    }
    std::vector<double> grads(static_cast<size_t>(what_.angle_count), 0.0);
    for (size_t s = ready.size(); s-- > 0;) {
      if (!ready[s].unitary) {
        std::memcpy(psi.re, before.back().data(), bytes);
        before.pop_back();
      }
      step_back(ready[s], 0, psi, lambda, k, [&](size_t d, double value) {
        grads[static_cast<size_t>(ready[s].angles[d])] += value;
      });
    }
    std::ranges::copy(grads, angle_grads);
  }

  void back_pass(const Pass& pass, const std::vector<double>& angles, const Planes<T>& psi,
                 const Planes<T>& lambda, std::vector<double>& grads) const {
    std::vector<Ready<T>> ready;
    std::vector<size_t> first;  // of the derivatives of each step
    std::vector<int64_t> angle_of;
    for (int n : pass.steps) {
      ready.push_back(ready_for(steps_[static_cast<size_t>(n)], pass, angles, true));
      first.push_back(angle_of.size());
      angle_of.insert(angle_of.end(), ready.back().angles.begin(), ready.back().angles.end());
    }
    const Blocks blocks(pass, program_.wires);
    const size_t count = angle_of.size();
    std::vector<double> parts(static_cast<size_t>(blocks.count) * count, 0.0);
    parallel_for(blocks.count, [&](int64_t b) {
      static thread_local Space<T> space;
      const int k = blocks.k;
      const Planes<T> own_psi = block_in(space, 0, 2, k), own_lambda = block_in(space, 1, 2, k);
      const int64_t base = blocks.base(b);
      blocks.copy(base, psi, own_psi, true);
      blocks.copy(base, lambda, own_lambda, true);
      double* const part = parts.data() + static_cast<size_t>(b) * count;
      for (size_t s = ready.size(); s-- > 0;)
        if (here(ready[s], base))
          step_back(ready[s], base, own_psi, own_lambda, k,
                    [&](size_t d, double value) { part[first[s] + d] += value; });
      blocks.copy(base, psi, own_psi, false);
      blocks.copy(base, lambda, own_lambda, false);
    });
    for (int64_t b = 0; b < blocks.count; ++b)
      for (size_t j = 0; j < count; ++j)
        grads[static_cast<size_t>(angle_of[j])] += parts[static_cast<size_t>(b) * count + j];
  }

  const Simulation<T>& what_;
  Program program_;
  std::vector<Step> steps_;
  int64_t size_ = 1;
  bool unitary_ = true;
  Pass all_;  // of a vector that is no block
};

}  // namespace

template <class T>
void run_forward(const Simulation<T>& what, T* out) {
  Runner<T>(what).forward(out);
}
template <class T>
void run_backward(const Simulation<T>& what, const T* final, const T* grad, T* angle_grads,
                  T* initial_grads) {
  Runner<T>(what).backward(final, grad, angle_grads, initial_grads);
}

template void run_forward<float>(const Simulation<float>&, float*);
template void run_forward<double>(const Simulation<double>&, double*);
template void run_backward<float>(const Simulation<float>&, const float*, const float*, float*,
                                  float*);
template void run_backward<double>(const Simulation<double>&, const double*, const double*, double*,
                                   double*);

}  // namespace glia::quantum
