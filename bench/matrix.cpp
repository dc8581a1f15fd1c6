// glia-bench-matrix: the own matrix kernel beside oneDNN, shape by shape.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "backend/cpu/matrix.h"
#include "glia/runtime.h"

namespace {

using namespace glia;
using cpu::Carrier;

int64_t spread = 0;  // bytes that the operands of one row rotate through, as in a larger program

// How many copies of operands of so many elements that makes.
int64_t copies(int64_t elements) { return std::max<int64_t>(1, spread / (4 * elements)); }

// So many values of a dtype, as bytes.
std::vector<char> filled(int64_t n, DType dtype) {
  const size_t size = size_of(dtype);
  std::vector<char> bytes(n * size);
  uint32_t state = 1;
  for (int64_t i = 0; i < n; ++i) {
    const float value =
        static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) / (1 << 24) - 0.5f;
    const bfloat16 half(value);
    std::memcpy(&bytes[i * size], dtype == kBF16 ? static_cast<const void*>(&half) : &value, size);
  }
  return bytes;
}

struct Row {
  std::string name;
  double flops;
  std::function<void()> call;
};

std::string prefix(DType dtype) { return dtype == kBF16 ? "bf16 " : ""; }

// (m x k) (k x n); letters as in BLAS: T is stored transposed.
Row product(DType dtype, int64_t batch, int64_t m, int64_t k, int64_t n,
            const char* layout = "NN") {
  const bool ta = layout[0] == 'T', tb = layout[1] == 'T';
  cpu::MatmulShape s{.dtype = dtype, .m = m, .n = n, .k = k};
  s.a_row = ta ? 1 : k;
  s.a_col = ta ? m : 1;
  s.b_row = tb ? 1 : n;
  s.b_col = tb ? k : 1;
  std::vector<int64_t> a_offsets, b_offsets;
  for (int64_t i = 0; i < batch; ++i) {
    a_offsets.push_back(i * m * k);
    b_offsets.push_back(i * k * n);
  }
  std::string name = prefix(dtype) + (batch > 1 ? std::to_string(batch) + " x " : "") +
                     std::to_string(m) + " x " + std::to_string(k) + " x " + std::to_string(n) +
                     " " + layout;
  const int64_t as = batch * m * k, bs = batch * k * n, cs = batch * m * n;
  const int64_t count = copies(as + bs + cs), size = static_cast<int64_t>(size_of(dtype));
  return {name, 2.0 * batch * m * n * k,
          [=, a = filled(count * as, dtype), b = filled(count * bs, dtype),
           c = std::vector<char>(count * cs * size), at = int64_t{0}]() mutable {
            at = (at + 1) % count;
            cpu::matmul(s, a_offsets, b_offsets, &a[at * as * size], &b[at * bs * size],
                        &c[at * cs * size]);
          }};
}

// One pass of a square convolution: 'f'orward, 'd'ata or 'w'eights.
Row convolution(DType dtype, char pass, int64_t n, int64_t size, int64_t c, int64_t o,
                int64_t kernel = 3, int64_t stride = 1, int64_t groups = 1) {
  ConvShape s{
      .dtype = dtype, .n = n, .h = size, .w = size, .c = c, .o = o, .kh = kernel, .kw = kernel};
  s.stride_h = s.stride_w = stride;
  s.pad_h = s.pad_w = kernel / 2;
  s.oh = s.ow = (size + 2 * s.pad_h - kernel) / stride + 1;
  s.groups = groups;
  const std::string name = prefix(dtype) + "conv " + pass + " " + std::to_string(n) + " x " +
                           std::to_string(size) + "^2 " + std::to_string(c) + "->" +
                           std::to_string(o) + " k" + std::to_string(kernel) +
                           (stride > 1 ? " s" + std::to_string(stride) : "") +
                           (groups > 1 ? " g" + std::to_string(groups) : "");
  const double flops = 2.0 * n * s.oh * s.ow * o * (c / groups) * kernel * kernel;
  return {name, flops,
          [=, x = filled(n * size * size * c, dtype),
           w = filled(o * kernel * kernel * (c / groups), dtype),
           y = filled(n * s.oh * s.ow * o, dtype)]() mutable {
            if (pass == 'f') cpu::conv2d(s, x.data(), w.data(), y.data());
            if (pass == 'd') cpu::conv2d_backward_data(s, y.data(), w.data(), x.data());
            if (pass == 'w') cpu::conv2d_backward_weight(s, x.data(), y.data(), w.data());
          }};
}

using Make = std::function<Row()>;

std::vector<Make> rows(DType dtype) {
  std::vector<Make> all;
  const auto add = [&](auto... x) { all.push_back([=] { return product(dtype, x...); }); };
  for (int64_t n : {16, 32, 64, 128, 256, 512, 1024, 2048}) add(1, n, n, n);
  for (const char* layout : {"NT", "TN", "TT"})
    for (int64_t n : {64, 256, 1024}) add(1, n, n, n, layout);
  const int64_t layers[][3] = {{128, 784, 512},   {128, 512, 10},   {128, 4, 120},
                               {128, 120, 84},    {128, 84, 2},     {32, 256, 1024},
                               {2048, 128, 384},  {2048, 128, 512}, {2048, 512, 128},
                               {256, 4096, 4096}, {32, 128, 1024}};
  for (auto [m, k, n] : layers) {
    add(1, m, k, n, "NT");  // forward
    add(1, m, n, k, "NN");  // gradient of the input
    add(1, n, m, k, "TN");  // of the weight
  }
  add(1, 1, 128, 384, "NT");
  add(1, 1, 128, 384, "NN");
  add(1, 1, 128, 512, "NT");
  add(1, 1, 512, 128, "NT");
  add(1, 1, 128, 128, "NT");
  add(1, 1, 784, 512, "NT");
  add(1, 1, 4096, 4096, "NT");
  add(1, 1, 4096, 4096, "NN");
  add(1, 4096, 4096, 1, "NN");
  add(1, 4096, 4096, 1, "TN");
  add(1, 4, 1024, 1024, "NT");
  add(1, 4, 1024, 1024, "NN");
  add(1, 1024, 1024, 4, "NN");
  add(64, 128, 32, 128, "NT");  // attention: scores, values and their gradients
  add(64, 128, 128, 32, "NN");
  add(64, 128, 128, 32, "TN");
  add(256, 16, 16, 16, "NN");
  add(1, 128, 16384, 128, "TN");
  const auto conv = [&](auto... x) {
    for (char pass : {'f', 'd', 'w'}) all.push_back([=] { return convolution(dtype, pass, x...); });
  };
  conv(128, 32, 3, 16);
  conv(128, 32, 16, 16);
  conv(128, 32, 16, 32, 3, 2);
  conv(128, 16, 32, 32);
  conv(128, 16, 32, 64, 3, 2);
  conv(128, 8, 64, 64);
  conv(1, 32, 16, 16);
  conv(1, 16, 32, 32);
  conv(1, 8, 64, 64);
  conv(1, 32, 16, 32, 3, 2);
  conv(1, 16, 32, 64, 3, 2);
  conv(8, 8, 64, 64);
  conv(32, 5, 64, 64);
  conv(32, 32, 8, 8);
  conv(128, 28, 1, 32);
  conv(128, 28, 32, 32);
  conv(128, 14, 32, 48);
  conv(128, 7, 48, 80);
  conv(64, 32, 64, 64);
  conv(16, 56, 64, 128, 1);
  conv(16, 56, 64, 128, 1, 2);
  conv(16, 28, 128, 128);
  conv(4, 112, 3, 64, 7, 2);
  conv(64, 8, 256, 256);
  conv(16, 56, 64, 64, 3, 1, 64);
  conv(16, 56, 144, 144, 3, 2, 144);
  conv(32, 14, 192, 192, 5, 1, 192);
  conv(1, 28, 96, 96, 3, 1, 96);
  conv(16, 14, 512, 512, 3, 1, 512);
  conv(8, 64, 12, 12, 3, 1, 12);
  return all;
}

double seconds_of(const std::function<void()>& call, int64_t times) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  for (int64_t i = 0; i < times; ++i) call();
  return std::chrono::duration<double>(Clock::now() - start).count() / times;
}

// The least of own and of oneDNN's times, taken in turn: other work on the machine only adds.
struct Pair {
  double own, onednn;
};
Pair compare(const std::function<void()>& call, Carrier mine, double seconds) {
  std::vector<double> times[2];
  const Carrier carriers[] = {mine, Carrier::kOnednn};
  const auto run = [&](int side, int64_t n) {
    cpu::set_carrier_for_test(carriers[side]);
    return seconds_of(call, n);
  };
  int64_t count[2];
  for (int side : {0, 1}) {
    run(side, 2);
    count[side] = std::max<int64_t>(1, static_cast<int64_t>(0.003 / run(side, 1)));
    count[side] = std::max<int64_t>(1, static_cast<int64_t>(0.003 / run(side, count[side])));
  }
  double spent = 0;
  while (spent < seconds || times[0].size() < 3) {
    for (int side : {0, 1}) {
      times[side].push_back(run(side, count[side]));
      spent += times[side].back() * count[side];
    }
  }
  const auto least = [](const std::vector<double>& t) {
    return *std::min_element(t.begin(), t.end());
  };
  return {least(times[0]), least(times[1])};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times the own matrix kernel against oneDNN: GFLOP/s of both, and their ratio.",
               "glia-bench-matrix");
  std::string filter;
  double seconds = 0.1;
  std::vector<int> threads{1, 2};
  bool own = false, bf16 = false;
  double megabytes = 0;
  app.add_option("filter", filter, "only shapes whose name contains this");
  app.add_option("--seconds", seconds, "how long to time each shape")->capture_default_str();
  app.add_option("--threads", threads, "numbers of threads")->capture_default_str();
  app.add_flag("--own", own, "the own kernel also where oneDNN would be called");
  app.add_flag("--bf16", bf16, "in bf16 instead of f32");
  app.add_option("--spread", megabytes, "MB that the operands of products rotate through");
  CLI11_PARSE(app, argc, argv);

  spread = static_cast<int64_t>(megabytes * 1e6);
  std::printf("%-36s", cpu_level().c_str());
  for (int t : threads)
    std::printf("%9s us%12s%12s%8s", ("own " + std::to_string(t) + "t").c_str(), "own GF/s",
                "oneDNN", "ratio");
  std::puts("");
  for (const Make& make : rows(bf16 ? kBF16 : kF32)) {
    const Row row = make();
    if (row.name.find(filter) == std::string::npos) continue;
    std::printf("%-36s", row.name.c_str());
    for (int t : threads) {
      set_num_threads(t);
      const Pair p = compare(row.call, own ? Carrier::kOwn : Carrier::kBest, seconds);
      std::printf("%12.2f%12.1f%12.1f%8.2f", p.own * 1e6, row.flops / p.own * 1e-9,
                  row.flops / p.onednn * 1e-9, p.onednn / p.own);
    }
    std::puts("");
    std::fflush(stdout);
  }
  return 0;
}
