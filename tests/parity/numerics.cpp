// Glia's side of the comparison of minima, roots, integrals and differential equations with SciPy.
//   numerics IN OUT
// Reads arrays "x", "y", ... of numerics.py; writes a tensor for each answer, named as there.
#include <cmath>
#include <cstdio>
#include <string>

#include "glia/autodiff.h"
#include "glia/glia.h"
#include "glia/io.h"
#include "glia/math/calculus.h"
#include "glia/math/integrate.h"
#include "glia/math/least_squares.h"
#include "glia/math/ode.h"
#include "glia/math/optimize.h"
#include "glia/math/roots.h"
#include "glia/op.h"
#include "glia/ops/special.h"

using namespace glia;
namespace opt = glia::optimize;
namespace igr = glia::integrate;

namespace {

io::NamedTensors in, out;
Tensor given(const std::string& name) {
  for (const auto& [key, value] : in) {
    if (key == name) return value;
  }
  throw ValueError("no " + name);
}
void put(const std::string& name, const Tensor& value) {
  out.emplace_back(name, cast(value, kF64));
}
void put(const std::string& name, const std::vector<double>& value) {
  put(name, from_vector(value, {static_cast<int64_t>(value.size())}));
}
double d(int64_t n) { return static_cast<double>(n); }
Tensor of(const Tensor& x, int64_t i) { return index(x, {i}); }
Tensor line(const std::vector<double>& v) {
  return from_vector(v, {static_cast<int64_t>(v.size())});
}

// ---- Minima ----

Tensor beale(const Tensor& x) {
  return sum(square(line({1.5, 2.25, 2.625}) - of(x, 0) * (1 - pow(of(x, 1), line({1, 2, 3})))));
}
Tensor himmelblau(const Tensor& x) {
  return square(square(of(x, 0)) + of(x, 1) - 11) + square(of(x, 0) + square(of(x, 1)) - 7);
}

void minima() {
  const std::vector<std::pair<std::string, opt::Method>> methods{
      {"BFGS", opt::Method::kBFGS},
      {"CG", opt::Method::kCG},
      {"L-BFGS-B", opt::Method::kLBFGSB},
      {"Newton-CG", opt::Method::kNewtonCG},
      {"dogleg", opt::Method::kDogleg},
      {"trust-ncg", opt::Method::kTrustNCG},
      {"trust-exact", opt::Method::kTrustExact},
      {"Newton", opt::Method::kNewton},
      {"SPG", opt::Method::kProjectedGradient}};
  struct Problem {
    std::string name;
    opt::Function f;
    std::vector<double> start;
  };
  const std::vector<Problem> problems{
      {"rosen", [](const Tensor& x) { return opt::rosen(x); }, {1.3, 0.7, 0.8, 1.9, 1.2}},
      {"beale", beale, {1, 1}},
      {"himmelblau", himmelblau, {1, 1}}};
  for (const Problem& p : problems) {
    for (const auto& [name, method] : methods) {
      const opt::OptimizeResult r =
          opt::minimize(p.f, line(p.start),
                        {.method = method, .gtol = 1e-10, .ftol = 0, .xtol = 0, .maxiter = 20000});
      put("minimize." + p.name + "." + name + ".x", r.x);
      put("minimize." + p.name + "." + name + ".success", {r.success ? 1.0 : 0.0});
    }
    for (bool adaptive : {false, true}) {
      const opt::OptimizeResult r = opt::minimize(p.f, line(p.start),
                                                  {.method = opt::Method::kNelderMead,
                                                   .xatol = 1e-8,
                                                   .fatol = 1e-8,
                                                   .maxiter = 5000,
                                                   .maxfev = 5000,
                                                   .adaptive = adaptive});
      const std::string name = "simplex." + p.name + (adaptive ? ".adaptive" : ".plain");
      put(name + ".x", r.x);
      put(name + ".counts", {d(r.nit), d(r.nfev)});
    }
  }
  const opt::OptimizeResult bounded =
      opt::minimize(problems[0].f, line(problems[0].start),
                    {.bounds = {{-1, 0.5}, {0.6, 2}, {-5, 5}, {1.5, 1.8}, {-INFINITY, INFINITY}},
                     .gtol = 1e-10,
                     .ftol = 0});
  put("bounds.x", bounded.x);
  const opt::OptimizeResult hs71 = opt::minimize(
      [](const Tensor& x) {
        return of(x, 0) * of(x, 3) * (of(x, 0) + of(x, 1) + of(x, 2)) + of(x, 2);
      },
      line({1, 5, 5, 1}),
      {.bounds = std::vector<std::pair<double, double>>(4, {1, 5}),
       .constraints = {{opt::ConstraintType::kInequality,
                        [](const Tensor& x) { return prod(x) - 25; }},
                       {opt::ConstraintType::kEquality,
                        [](const Tensor& x) { return sum(square(x)) - 40; }}},
       .gtol = 1e-8});
  put("constraints.x", hs71.x);
  const opt::RealFunction f = [](double x) {
    return (x - 2) * x * (x + 2) * (x + 2) + std::sin(3 * x);
  };
  const auto scalar = [&](const std::string& name, const opt::MinimizeScalarOptions& o) {
    const opt::MinimizeScalarResult r = opt::minimize_scalar(f, o);
    put("scalar." + name + ".x", {r.x});
    put("scalar." + name + ".nfev", {d(r.nfev)});
  };
  scalar("brent", {});
  scalar("golden", {.method = opt::ScalarMethod::kGolden});
  scalar("bounded", {.bounds = std::pair{-3.0, 0.5}});
}

// ---- Roots ----

void roots() {
  const std::vector<opt::RealFunction> functions{
      [](double x) { return std::cos(x) - x; }, [](double x) { return x * x * x - 2 * x - 5; },
      [](double x) { return std::exp(x) - 100; }, [](double x) { return std::atan(x - 1.5); }};
  const std::vector<std::pair<double, double>> brackets{{0, 1}, {2, 3}, {0, 10}, {-3, 9}};
  const std::vector<std::pair<std::string, opt::ScalarRootMethod>> methods{
      {"brentq", opt::ScalarRootMethod::kBrentq},
      {"bisect", opt::ScalarRootMethod::kBisect},
      {"ridder", opt::ScalarRootMethod::kRidder},
      {"toms748", opt::ScalarRootMethod::kToms748}};
  for (size_t i = 0; i < functions.size(); ++i) {
    for (const auto& [name, method] : methods) {
      const opt::RootScalarResult r =
          opt::root_scalar(functions[i], {.method = method, .bracket = brackets[i]});
      put("root." + std::to_string(i) + "." + name, {r.root, d(r.iterations), d(r.function_calls)});
    }
    const opt::RootScalarResult secant = opt::root_scalar(
        functions[i], {.x0 = brackets[i].second * 0.6, .x1 = brackets[i].second * 0.7});
    put("root." + std::to_string(i) + ".secant",
        {secant.root, d(secant.iterations), d(secant.function_calls)});
  }
  const opt::Function system = [](const Tensor& x) {
    return (3 - 2 * x) * x - concat({zeros({1}, kF64), slice(x, 0, {0, -1})}) -
           2 * concat({slice(x, 0, {1}), zeros({1}, kF64)}) + 1;
  };
  const std::vector<std::pair<std::string, opt::RootMethod>> all{
      {"hybr", opt::RootMethod::kHybr},
      {"lm", opt::RootMethod::kLm},
      {"broyden1", opt::RootMethod::kBroyden1},
      {"krylov", opt::RootMethod::kKrylov}};
  for (const auto& [name, method] : all)
    put("system." + name,
        opt::root(system, full({12}, -1, kF64), {.method = method, .tol = 1e-11}).x);
}

// ---- Least squares ----

void squares() {
  const Tensor t = given("t"), y = given("y"), sigma = given("sigma");
  const opt::CurveFunction decay = [](const Tensor& x, const Tensor& p) {
    return of(p, 0) * exp(-of(p, 1) * x) + of(p, 2);
  };
  const opt::Function residuals = [&](const Tensor& p) { return decay(t, p) - y; };
  const std::vector<std::pair<std::string, opt::Loss>> losses{{"linear", opt::Loss::kLinear},
                                                              {"soft_l1", opt::Loss::kSoftL1},
                                                              {"huber", opt::Loss::kHuber},
                                                              {"cauchy", opt::Loss::kCauchy},
                                                              {"arctan", opt::Loss::kArctan}};
  for (const auto& [name, loss] : losses) {
    for (bool bounds : {false, true}) {
      opt::LeastSquaresOptions o{
          .loss = loss, .f_scale = 0.1, .ftol = 1e-14, .xtol = 1e-14, .gtol = 1e-12};
      if (bounds) o.bounds = {{0, 2}, {0, 5}, {0.6, 1}};
      const opt::LeastSquaresResult r = opt::least_squares(residuals, line({1, 1, 0.7}), o);
      const std::string key = "lsq." + name + (bounds ? ".bounds" : ".free");
      put(key + ".x", r.x);
      put(key + ".cost", {r.cost});
      put(key + ".grad", r.grad);
    }
  }
  const auto fit = [&](const std::string& name, const opt::CurveFitOptions& o) {
    const opt::CurveFitResult r = opt::curve_fit(decay, t, y, line({1, 1, 1}), o);
    put("curve." + name + ".popt", r.popt);
    put("curve." + name + ".pcov", r.pcov);
  };
  const double tight = 1e-14;
  fit("plain", {.ftol = tight, .xtol = tight, .gtol = tight});
  fit("sigma", {.sigma = sigma, .ftol = tight, .xtol = tight, .gtol = tight});
  fit("absolute",
      {.sigma = sigma, .absolute_sigma = true, .ftol = tight, .xtol = tight, .gtol = tight});
  fit("covariance", {.sigma = given("covariance"),
                     .absolute_sigma = true,
                     .ftol = tight,
                     .xtol = tight,
                     .gtol = tight});
}

// ---- Integrals ----

void integrals() {
  const auto quad = [](const std::string& name, const igr::RealFunction& f, double a, double b,
                       const igr::QuadOptions& o = {}) {
    const igr::QuadResult r = igr::quad(f, a, b, o);
    put("quad." + name, {r.value, r.abserr, d(r.neval)});
  };
  quad(
      "gamma", [](double x) { return std::pow(x, 1.5) * std::exp(-x); }, 0, INFINITY);
  quad(
      "normal", [](double x) { return std::exp(-x * x / 2); }, -INFINITY, INFINITY);
  quad(
      "tail", [](double x) { return std::exp(-x * x / 2); }, 3, INFINITY);
  quad(
      "below", [](double x) { return 1 / (1 + x * x); }, -INFINITY, -2);
  quad(
      "bessel", [](double x) { return std::cos(3 * std::sin(x) - 2 * x); }, 0, 3.141592653589793);
  quad(
      "root", [](double x) { return 1 / std::sqrt(x); }, 0, 1);
  quad(
      "log", [](double x) { return std::log(x) * std::sqrt(x); }, 0, 2);
  quad(
      "kink", [](double x) { return std::abs(std::sin(x)); }, 0, 10);
  quad("points", [](double x) { return std::floor(x); }, 0, 3, {.points = {1, 2}});
  using enum igr::Weight;
  quad("cos", [](double x) { return std::exp(x); }, 0, 2, {.weight = kCos, .wvar = {30}});
  quad("sin", [](double x) { return 1 / (1 + x); }, 0, INFINITY, {.weight = kSin, .wvar = {2}});
  quad("cosinf", [](double x) { return 1 / (1 + x * x); }, 1, INFINITY,
       {.weight = kCos, .wvar = {1.5}});
  quad("alg", [](double x) { return std::exp(x); }, -1, 2, {.weight = kAlg, .wvar = {-0.5, -0.3}});
  quad("alg-loga", [](double x) { return std::cos(x); }, 0, 2,
       {.weight = kAlgLogA, .wvar = {0.5, 0}});
  quad("alg-logb", [](double x) { return std::cos(x); }, 0, 2,
       {.weight = kAlgLogB, .wvar = {0.5, -0.5}});
  quad("alg-log", [](double x) { return std::cos(x); }, 0, 2,
       {.weight = kAlgLog, .wvar = {0.2, 0.1}});
  quad("cauchy", [](double x) { return std::exp(-x); }, -1, 5, {.weight = kCauchy, .wvar = {0.7}});
  for (int64_t n : {1, 2, 5, 16, 45, 120}) {
    const auto rule = [&](const std::string& name, const igr::GaussRule& r) {
      put("gauss." + name + "." + std::to_string(n) + ".x", r.nodes);
      put("gauss." + name + "." + std::to_string(n) + ".w", r.weights);
    };
    rule("legendre", igr::roots_legendre(n));
    rule("hermite", igr::roots_hermite(n));
    rule("laguerre", igr::roots_laguerre(n));
    rule("genlaguerre", igr::roots_laguerre(n, 1.7));
    rule("jacobi", igr::roots_jacobi(n, 0.4, -0.6));
    rule("chebyt", igr::roots_chebyt(n));
  }
  const Tensor m = given("matrix"), x = given("places");
  for (int axis : {0, 1}) {
    const std::string at = std::to_string(axis);
    const Tensor p = axis == 1 ? x : slice(x, 0, {0, m.size(0)});
    put("trapezoid." + at, igr::trapezoid(m, {.x = p, .axis = axis}));
    put("cumulative." + at, igr::cumulative_trapezoid(m, {.x = p, .axis = axis}, 0));
    put("simpson." + at, igr::simpson(m, {.x = p, .axis = axis}));
    put("simpson.dx." + at, igr::simpson(m, {.dx = 0.3, .axis = axis}));
  }
  put("romb", igr::romb(slice(m, 1, {0, 9}), 0.3));
  const igr::Function peak = [](const Tensor& p) {
    return exp(-sum(square(p), {1})) * (1 + cos(sum(p, {1})));
  };
  put("cubature", igr::cubature(peak, {-1, 0, 0.5}, {2, 1, 3}).estimate);
  put("cubature.infinite", igr::cubature(peak, {-INFINITY, 0}, {INFINITY, 2}).estimate);
  const glia::calculus::RealFunction g = [](double v) { return std::exp(std::sin(3 * v)); };
  put("derivative", {glia::calculus::derivative(g, 0.4).df, glia::calculus::derivative(g, -2).df});
}

// ---- Differential equations ----

void equations() {
  struct Problem {
    std::string name;
    igr::OdeFunction f;
    std::vector<double> y0;
    double end;
    bool stiff;
  };
  const std::vector<Problem> problems{
      {"lotka",
       [](const Tensor&, const Tensor& y) {
         return stack({1.5 * of(y, 0) - of(y, 0) * of(y, 1), -3 * of(y, 1) + of(y, 0) * of(y, 1)});
       },
       {10, 5},
       8,
       false},
      {"lorenz",
       [](const Tensor&, const Tensor& y) {
         return stack({10 * (of(y, 1) - of(y, 0)), of(y, 0) * (28 - of(y, 2)) - of(y, 1),
                       of(y, 0) * of(y, 1) - 8.0 / 3 * of(y, 2)});
       },
       {1, 1, 1},
       3,
       false},
      {"forced",
       [](const Tensor& t, const Tensor& y) {
         return -0.5 * y + sin(2 * t + line({0, 1, 2}));
       },
       {2, -1, 0.5},
       10,
       false},
      {"robertson",
       [](const Tensor&, const Tensor& y) {
         const Tensor a = 0.04 * of(y, 0), b = 1e4 * of(y, 1) * of(y, 2),
                      c = 3e7 * square(of(y, 1));
         return stack({b - a, a - b - c, c});
       },
       {1, 0, 0},
       100,
       true},
      {"vdp",
       [](const Tensor&, const Tensor& y) {
         return stack({of(y, 1), 100 * (1 - square(of(y, 0))) * of(y, 1) - of(y, 0)});
       },
       {2, 0},
       200,
       true}};
  const std::vector<std::pair<std::string, igr::OdeMethod>> methods{
      {"RK23", igr::OdeMethod::kRK23},
      {"RK45", igr::OdeMethod::kRK45},
      {"DOP853", igr::OdeMethod::kDOP853},
      {"Radau", igr::OdeMethod::kRadau},
      {"BDF", igr::OdeMethod::kBDF}};
  for (const Problem& p : problems) {
    for (const auto& [name, method] : methods) {
      const bool implicit = method == igr::OdeMethod::kRadau || method == igr::OdeMethod::kBDF;
      if (p.stiff && !implicit) continue;
      for (double rtol : {1e-3, 1e-6}) {
        igr::SolveIvpOptions o{.method = method, .rtol = rtol, .atol = {rtol * 1e-3}};
        const std::string key = "ivp." + p.name + "." + name + "." + (rtol == 1e-3 ? "3" : "6");
        const igr::SolveIvpResult own = igr::solve_ivp(p.f, 0, p.end, line(p.y0), o);
        put(key + ".counts", {d(own.nsteps), d(own.nfev), d(own.njev), d(own.nlu)});
        put(key + ".t", own.t);
        put(key + ".y", own.y);
        for (int i = 0; i <= 20; ++i) o.t_eval.push_back(p.end * i / 20);
        o.events = {{.fun = [](const Tensor&, const Tensor& y) { return of(y, 0) - 1; }}};
        const igr::SolveIvpResult at = igr::solve_ivp(p.f, 0, p.end, line(p.y0), o);
        put(key + ".at", at.y);
        put(key + ".events", at.t_events[0]);
      }
    }
  }
  // With gradients.
  const Tensor a = trainable(given("a")), y0 = trainable(given("y0"));
  const igr::OdeFunction f = [&](const Tensor& t, const Tensor& y) {
    return matmul(tanh(y), a) + 0.1 * t;
  };
  const Tensor times = line({0, 0.4, 1, 2.5});
  const std::vector<std::pair<std::string, igr::OdeintMethod>> with{
      {"dopri5", igr::OdeintMethod::kDopri5},
      {"bosh3", igr::OdeintMethod::kBosh3},
      {"rk4", igr::OdeintMethod::kRk4},
      {"midpoint", igr::OdeintMethod::kMidpoint},
      {"euler", igr::OdeintMethod::kEuler}};
  for (const auto& [name, method] : with) {
    const Tensor y = igr::odeint(f, y0, times, {.method = method, .rtol = 1e-9, .atol = 1e-11});
    const std::vector<Tensor> g = gradients(sum(square(y)), {a, y0});
    put("odeint." + name + ".y", y);
    put("odeint." + name + ".ga", g[0]);
    put("odeint." + name + ".gy", g[1]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  in = io::read_safetensors(argv[1]);
  minima();
  roots();
  squares();
  integrals();
  equations();
  io::write_safetensors(argv[2], out);
  return 0;
}
