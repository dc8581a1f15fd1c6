// Glia's side of the comparison of linear algebra and Fourier transforms with PyTorch.
//   math IN OUT       reads "CASE.0", "CASE.1", ...; writes "CASE.y" and "CASE.g0", ...
//   math time ROUNDS  prints a line "NAME<tab>seconds" for each benchmark: the least
//                     processor time of the rounds, on one thread
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <map>
#include <string>

#include "glia/autodiff.h"
#include "glia/fft.h"
#include "glia/glia.h"
#include "glia/io.h"
#include "glia/linalg.h"

using namespace glia;
using namespace glia::linalg;

namespace {

using In = std::vector<Tensor>;
using Function = std::function<Tensor(const In&)>;

Tensor t(const Tensor& x) { return transpose(x); }
Tensor flat(const std::vector<Tensor>& all) {
  std::vector<Tensor> parts;
  for (const Tensor& x : all) parts.push_back(reshape(x, {x.numel()}));
  return concat(parts);
}
Tensor parts(const Complex& x) { return flat({x.re, x.im}); }
Tensor symmetric(const Tensor& a) { return (a + t(a)) * 0.5; }
Tensor definite(const Tensor& a) {
  return matmul(a, t(a)) + eye(a.size(-1), a.dtype()) * static_cast<double>(a.size(-1));
}

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> all{
      {"solve", [](const In& x) { return solve(x[0], x[1]); }},
      {"solve_right", [](const In& x) { return solve(x[0], t(x[1]), false); }},
      {"solve_triangular",
       [](const In& x) { return linalg::solve_triangular(x[0], x[1], {.upper = true}); }},
      {"inv", [](const In& x) { return inv(x[0]); }},
      {"det", [](const In& x) { return det(x[0]); }},
      {"slogdet", [](const In& x) { return slogdet(x[0]).logabsdet; }},
      {"cholesky", [](const In& x) { return cholesky(definite(x[0])); }},
      {"lu",
       [](const In& x) {
         const auto [p, l, u] = lu(x[0]);
         return flat({l, u});
       }},
      {"lu_factor", [](const In& x) { return lu_factor(x[0]).LU; }},
      {"qr",
       [](const In& x) {
         const auto [q, r] = qr(x[0]);
         return flat({q, r});
       }},
      {"svdvals", [](const In& x) { return svdvals(x[0]); }},
      {"svd",
       [](const In& x) {
         const auto [u, s, vh] = svd(x[0], false);
         return flat({square(u), s, square(vh)});
       }},
      {"eigvalsh", [](const In& x) { return eigvalsh(symmetric(x[0])); }},
      {"eigh",
       [](const In& x) {
         const auto [w, v] = eigh(symmetric(x[0]));
         return flat({w, square(v)});
       }},
      {"eigvals",
       [](const In& x) {
         const Complex w = eigvals(x[0]);
         return flat({sum(w.re * w.re * w.re), sum(square(w.im))});
       }},
      {"eig",
       [](const In& x) {
         const Complex v = eig(x[0]).eigenvectors;
         return sum(square(square(v.re) + square(v.im)), {-2, -1});
       }},
      {"pinv", [](const In& x) { return pinv(x[0]); }},
      {"lstsq", [](const In& x) { return lstsq(x[0], x[1]).solution; }},
      {"matrix_exp", [](const In& x) { return matrix_exp(x[0]); }},
      {"sqrtm", [](const In& x) { return sqrtm(definite(x[0])); }},
      {"sqrtm_turned", [](const In& x) { return sqrtm(x[0]); }},
      {"logm", [](const In& x) { return logm(definite(x[0])); }},
      {"logm_turned", [](const In& x) { return logm(x[0]); }},
      {"eigvalsh_pair", [](const In& x) { return eigvalsh(symmetric(x[0]), definite(x[1])); }},
      {"eigh_pair",
       [](const In& x) { return square(eigh(symmetric(x[0]), definite(x[1])).eigenvectors); }},
      {"eigvals_pair",
       [](const In& x) {
         const Complex w = eigvals(x[0], definite(x[1]));
         return flat({sum(w.re * w.re * w.re), sum(square(w.im))});
       }},
      {"eig_pair",
       [](const In& x) {
         const Complex v = eig(x[0], definite(x[1])).eigenvectors;
         return sum(square(square(v.re) + square(v.im)), {-2, -1});
       }},
      {"null_space",
       [](const In& x) {
         const Tensor z = null_space(x[0]);
         return matmul(z, t(z));
       }},
      {"orth",
       [](const In& x) {
         const Tensor q = orth(matmul(x[0], x[1]));
         return matmul(q, t(q));
       }},
      {"householder_product", [](const In& x) { return householder_product(x[0], x[1]); }},
      {"matrix_power", [](const In& x) { return linalg::matrix_power(x[0], 5); }},
      {"matrix_rank", [](const In& x) { return cast(matrix_rank(x[0]), kF64); }},
      {"vector_norm", [](const In& x) { return linalg::vector_norm(x[0], 3, {-1}); }},
      {"fro", [](const In& x) { return matrix_norm(x[0]); }},
      {"nuc", [](const In& x) { return matrix_norm(x[0], NormOrder::kNuc); }},
      {"norm_2", [](const In& x) { return matrix_norm(x[0], 2); }},
      {"norm_inf", [](const In& x) { return matrix_norm(x[0], INFINITY); }},
      {"cond", [](const In& x) { return cond(x[0]); }},
      {"cond_1", [](const In& x) { return cond(x[0], 1); }},
      {"multi_dot",
       [](const In& x) {
         return multi_dot({x[0], x[1], x[2]});
       }},
      {"cross", [](const In& x) { return linalg::cross(x[0], x[1]); }},
      {"vander", [](const In& x) { return linalg::vander(x[0], 4); }},
      {"cholesky_inverse", [](const In& x) { return cholesky_inverse(cholesky(definite(x[0]))); }},
      {"cholesky_solve",
       [](const In& x) { return cholesky_solve(x[1], cholesky(definite(x[0]))); }},
      {"tensorinv", [](const In& x) { return tensorinv(x[0], 2); }},
      {"tensorsolve", [](const In& x) { return tensorsolve(x[0], x[1]); }},
      {"fft",
       [](const In& x) {
         return parts(fft::fft(Complex{x[0], x[1]}, 11));
       }},
      {"ifft",
       [](const In& x) {
         return parts(fft::ifft(Complex{x[0], x[1]}, {}, 0, fft::Norm::kOrtho));
       }},
      {"fft2",
       [](const In& x) {
         return parts(fft::fft2(Complex{x[0], x[1]}));
       }},
      {"rfft", [](const In& x) { return parts(fft::rfft(x[0])); }},
      {"irfft",
       [](const In& x) {
         return fft::irfft({x[0], x[1]});
       }},
      {"irfft_odd",
       [](const In& x) {
         return fft::irfft({x[0], x[1]}, 15);
       }},
      {"hfft",
       [](const In& x) {
         return fft::hfft({x[0], x[1]});
       }},
      {"ihfft", [](const In& x) { return parts(fft::ihfft(x[0])); }},
      {"rfftn",
       [](const In& x) {
         return parts(fft::rfftn(x[0], {5, 8}, {}, fft::Norm::kForward));
       }},
      {"irfftn",
       [](const In& x) {
         return fft::irfftn({x[0], x[1]});
       }},
      {"fftshift", [](const In& x) { return fft::fftshift(x[0]); }},
      {"stft",
       [](const In& x) {
         return parts(stft(
             x[0], 16, {.hop_length = 5, .win_length = 12, .window = x[1], .normalized = true}));
       }},
      {"istft",
       [](const In& x) {
         return istft({x[0], x[1]}, 16, {.hop_length = 4, .window = x[2]});
       }},
      {"windows", [](const In& x) {
         return flat({hann_window(9, true, kF64), hamming_window(9, false, 0.5, 0.4, kF64),
                      blackman_window(9, true, kF64), bartlett_window(9, true, kF64),
                      kaiser_window(9, true, 7, kF64)}) +
                sum(x[0]) * 0;
       }}};
  for (int type : {1, 2, 3, 4})
    for (bool ortho : {false, true})
      const_cast<std::map<std::string, Function>&>(
          all)["dct" + std::to_string(type) + (ortho ? "o" : "")] = [=](const In& x) {
        return fft::dct(x[0], type, {}, -1, ortho ? fft::Norm::kOrtho : fft::Norm::kBackward);
      };
  return all;
}

int compare(const char* from, const char* to) {
  std::map<std::string, In> cases;
  for (auto& [name, value] : io::read_safetensors(from)) {
    const size_t dot = name.rfind('.');
    In& in = cases[name.substr(0, dot)];
    const size_t at = std::stoul(name.substr(dot + 1));
    if (in.size() <= at) in.resize(at + 1);
    in[at] = trainable(value);
  }
  io::NamedTensors out;
  for (const auto& [name, in] : cases) {
    const std::string function = name.substr(0, name.find(' '));
    const Tensor y = functions().at(function)(in);
    out.emplace_back(name + ".y", y);
    if (!y.requires_grad()) continue;
    const std::vector<Tensor> g = gradients(sum(sin(y)), in);
    for (size_t i = 0; i < g.size(); ++i) out.emplace_back(name + ".g" + std::to_string(i), g[i]);
  }
  io::write_safetensors(to, out);
  return 0;
}

int time_all(int rounds) {
  set_num_threads(1);
  const auto time = [rounds](const std::string& name,
                             const std::function<std::vector<Tensor>()>& f) {
    double least = INFINITY;
    for (int r = 0; r < rounds + 1; ++r) {
      const std::clock_t start = std::clock();
      eval(f());
      const double taken = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      if (r > 0) least = std::min(least, taken);
    }
    std::printf("%s\t%.9f\n", name.c_str(), least);
  };
  for (const auto& [batch, n] : {std::pair<int64_t, int64_t>{1, 1000}, {100, 64}, {10000, 8}}) {
    const Shape shape = batch == 1 ? Shape{n, n} : Shape{batch, n, n};
    const Tensor a = randn(shape), d = definite(a), s = symmetric(a), b = randn(shape);
    eval({a, d, s, b});
    const std::string of = " " + std::to_string(batch) + " x " + std::to_string(n);
    time("solve" + of, [&] { return In{solve(a, b)}; });
    time("inv" + of, [&] { return In{inv(a)}; });
    time("det" + of, [&] { return In{det(a)}; });
    time("cholesky" + of, [&] { return In{cholesky(d)}; });
    time("lu" + of, [&] { return In{lu_factor(a).LU}; });
    time("qr" + of, [&] {
      const auto [q, r] = qr(a);
      return In{q, r};
    });
    time("matrix_exp" + of, [&] { return In{matrix_exp(a * 0.01)}; });
    if (batch == 1) continue;
    time("svd" + of, [&] {
      const auto [u, w, v] = svd(a);
      return In{u, w, v};
    });
    time("eigh" + of, [&] {
      const auto [w, v] = eigh(s);
      return In{w, v};
    });
    time("eig" + of, [&] {
      const auto [w, v] = eig(a);
      return In{w.re, w.im, v.re, v.im};
    });
  }
  for (const auto& [lines, n] : {std::pair<int64_t, int64_t>{1000, 1024},
                                 {1000, 1000},
                                 {4000, 256},
                                 {100, 16384},
                                 {1, 1 << 20},
                                 {1, 1024},
                                 {300, 1009},
                                 {1, 100003}}) {
    const Complex x{randn({lines, n}), randn({lines, n})};
    eval({x.re, x.im});
    const std::string of = " " + std::to_string(lines) + " x " + std::to_string(n);
    time("fft" + of, [&] {
      const Complex y = fft::fft(x);
      return In{y.re, y.im};
    });
    time("rfft" + of, [&] {
      const Complex y = fft::rfft(x.re);
      return In{y.re, y.im};
    });
    if (lines > 1 && n < 2000)
      time("fft of columns" + of, [&] {
        const Complex y = fft::fft(x, {}, 0);
        return In{y.re, y.im};
      });
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  return std::string(arguments[1]) == "time" ? time_all(std::atoi(arguments[2]))
                                             : compare(arguments[1], arguments[2]);
}
