// Glia's side of models.py: models MODEL SECONDS OUT IN.npy... writes OUT_0.npy, OUT_1.npy, ... and
// prints milliseconds: to load, of the first run, of the median one, and of the processor for one.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "glia/io.h"
#include "glia/onnx/model.h"

using namespace glia;

namespace {
double now() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
double processor() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return 1e3 * static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         1e-3 * static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}
}  // namespace

int main(int count, char** a) {
  const double start = now();
  onnx::Model model(a[1]);
  model.eval();
  const NoGrad no_grad;
  const double loaded = now();
  std::vector<Tensor> in;
  for (int i = 4; i < count; ++i) in.push_back(io::read_npy(a[i]));
  const double before = now();
  std::vector<Tensor> out = model(in);
  eval(out);
  const double first = now();
  for (size_t i = 0; i < out.size(); ++i)
    io::write_npy(std::string(a[3]) + "_" + std::to_string(i) + ".npy", out[i]);
  std::vector<double> times;
  const double until = now() + 1e3 * std::atof(a[2]), used = processor();
  while (now() < until || times.size() < 3) {
    const double t = now();
    out = model(in);
    eval(out);
    times.push_back(now() - t);
  }
  const double each = (processor() - used) / static_cast<double>(times.size());
  std::ranges::sort(times);
  std::printf("%.3f %.3f %.3f %.3f\n", loaded - start, first - before, times[times.size() / 2],
              each);
}
