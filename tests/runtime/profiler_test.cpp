// The profiler: what it counts, what it writes, that it is bounded, and that it changes nothing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "glia/glia.h"
#include "glia/runtime.h"

namespace glia {
namespace {

using Json = nlohmann::json;

constexpr double kGigabytes = 50, kGigaflops = 100;
// Nothing is measured: the floor is known.
const ProfileOptions kStated{
    .gb_per_s = kGigabytes, .gflop_per_s = kGigaflops, .bf16_gflop_per_s = 2 * kGigaflops};

Tensor ready(const Shape& shape) {
  const Tensor x = randn(shape);
  eval(x);
  return x;
}

template <class F>
Profile profile_of(F&& f, const ProfileOptions& options = kStated, const std::string& trace = "") {
  profile_start(options);
  f();
  return profile_stop(trace);
}

const ProfileRow* find(const Profile& p, const std::string& ops) {
  for (const ProfileRow& r : p.rows) {
    if (r.ops == ops) return &r;
  }
  return nullptr;
}

class Trace {
 public:
  Trace() : path_(std::filesystem::temp_directory_path() / ("glia-" + std::to_string(getpid()))) {}
  ~Trace() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }
  Json read() const { return Json::parse(std::ifstream(path_)); }

 private:
  std::string path_;
};

TEST(Profiler, IsOffUntilStarted) {
  EXPECT_FALSE(profiling());
  EXPECT_THROW(profile_stop(), Error);
  profile_start(kStated);
  EXPECT_TRUE(profiling());
  EXPECT_THROW(profile_start(), Error);
  const Profile p = profile_stop();
  EXPECT_FALSE(profiling());
  EXPECT_EQ(p.boundaries, 0);
  EXPECT_TRUE(p.rows.empty());
  EXPECT_NE(p.table().find("no plan ran"), std::string::npos);
}

TEST(Profiler, CountsWorkByShape) {
  const Tensor a = ready({33, 20}), b = ready({20, 7}), x = ready({50, 8}),
               table = ready({1000, 8});
  const Tensor image = ready({2, 9, 9, 3}), kernel = trainable(ready({5, 3, 3, 3}));
  const Tensor heads = ready({2, 3, 5, 4});
  const Tensor rows = tensor<int64_t>({3, 1, 4});
  const Profile p = profile_of([&] {
    for (int i = 0; i < 3; ++i) eval(matmul(a, b));
    const Tensor y = relu(x + 1), z = sum(square(x), {1});
    eval(y);
    eval(z);
    eval(take(table, rows));
    eval(gradients(sum(conv2d(image, kernel)), {kernel}));
    eval(scaled_dot_product_attention(heads, heads, heads, {.is_causal = true}));
  });
  const auto expect = [&](const std::string& ops, int64_t calls, double read, double written,
                          double flops) {
    const ProfileRow* r = find(p, ops);
    ASSERT_NE(r, nullptr) << ops << "\n" << p.table(100);
    EXPECT_EQ(r->calls, calls) << ops;
    EXPECT_EQ(r->bytes_read, read) << ops;
    EXPECT_EQ(r->bytes_written, written) << ops;
    EXPECT_EQ(r->flops, flops) << ops;
    const double memory = (read + written) / (1e6 * kGigabytes);
    EXPECT_NEAR(r->floor_ms, std::max(memory, flops / (1e6 * kGigaflops)), 1e-12) << ops;
    EXPECT_GT(r->ms, 0) << ops;
    EXPECT_TRUE(r->where.starts_with("runtime/profiler_test.cpp:")) << ops << " at " << r->where;
  };
  expect("matmul", 3, 3 * 4 * (33 * 20 + 20 * 7), 3 * 4 * 33 * 7, 3 * 2 * 33 * 20 * 7);
  expect("add, relu", 1, 4 * 400 + 4, 4 * 400, 2 * 400);
  expect("square, sum", 1, 4 * 400, 4 * 50, 2 * 400);
  expect("take", 1, 4 * 3 * 8 + 8 * 3, 4 * 3 * 8, 0);
  expect("conv2d_backward_weight", 1, 4 * (2 * 81 * 3 + 2 * 49 * 5), 4 * 135,
         2.0 * 2 * 49 * 5 * 27);
  // Query i sees i + 1 of the keys, and goes over key and value of each.
  const ProfileRow* attention = find(p, "attention");
  ASSERT_NE(attention, nullptr);
  EXPECT_EQ(attention->flops, 2.0 * 6 * (5 * 6 / 2) * (4 + 4));
  EXPECT_EQ(find(p, "matmul")->shapes, "(33, 20), (20, 7) -> (33, 7)");
  EXPECT_EQ(find(p, "square, sum")->shapes, "(50, 8)");
  EXPECT_EQ(find(p, "matmul")->attributes, "transpose_a=false, transpose_b=false");
  EXPECT_EQ(find(p, "take")->attributes, "axis=0");
  EXPECT_EQ(find(p, "square, sum")->attributes, "");
  EXPECT_EQ(p.plans_made, 6);
  EXPECT_EQ(p.boundaries, 8);
}

TEST(Profiler, AnOptimizerStepCountsEachTensor) {
  std::vector<Parameter> parameters;
  ParameterList list;
  std::vector<Tensor> grads;
  for (const int64_t n : {10, 100, 1000}) {
    list.push_back(parameters.emplace_back(ready({n})));
    grads.push_back(ready({n}));
  }
  optim::AdamW optimizer(list, {});
  optimizer.step(grads);
  const Profile p = profile_of([&] { optimizer.step(grads); });
  const ProfileRow* r = find(p, "foreach");
  ASSERT_NE(r, nullptr);
  EXPECT_EQ(r->shapes, "3 tensors");
  EXPECT_EQ(r->bytes_written, 3 * 4 * 1110);
  EXPECT_GE(r->bytes_read, 4 * 4 * 1110);
  EXPECT_LE(r->bytes_read, 4 * 4 * 1110 + 3 * 4 * 9) << "more than nine numbers for each";
}

TEST(Profiler, ShowsTheFullestStep) {
  const Tensor a = ready({64, 64}), w = trainable(ready({64, 64}));
  const Profile p = profile_of([&] {
    Tensor h = a;
    for (int i = 0; i < 6; ++i) h = relu(matmul(h, w));
    eval(gradients(sum(h), {w}));
    EXPECT_EQ(graph_stats().plan_bytes, graph_stats().plan_bytes_least);
  });
  int64_t bytes = 0;
  for (const ProfileValue& v : p.alive) bytes += v.bytes;
  EXPECT_EQ(bytes, p.plan_bytes);
  ASSERT_FALSE(p.alive.empty());
  EXPECT_EQ(p.alive[0].op, "relu");
  EXPECT_EQ(p.alive[0].shape, "(64, 64)");
  EXPECT_GE(p.alive[0].count, 4);
  EXPECT_EQ(p.alive[0].bytes, p.alive[0].count * 4 * 64 * 64);
  EXPECT_TRUE(p.alive[0].where.starts_with("runtime/profiler_test.cpp:")) << p.alive[0].where;
  EXPECT_NE(p.table().find("The fullest plan takes"), std::string::npos) << p.table();
}

TEST(Profiler, AddsUp) {
  const Tensor a = ready({64, 64});
  const int64_t before = graph_stats().kernels_run;
  const Profile p = profile_of([&] {
    for (int i = 0; i < 20; ++i) eval(matmul(softmax(matmul(a, a) * 0.01), a));
  });
  double ms = 0;
  int64_t calls = 0;
  for (size_t i = 0; i < p.rows.size(); ++i) {
    ms += p.rows[i].ms;
    calls += p.rows[i].calls;
    EXPECT_LE(p.rows[i].ms, p.rows[0].ms) << "not the costliest first";
  }
  EXPECT_NEAR(ms, p.kernels_ms, 1e-9);
  EXPECT_EQ(calls, graph_stats().kernels_run - before);
  EXPECT_EQ(p.boundaries, 20);
  EXPECT_EQ(p.plans_made, 1);
  EXPECT_GT(p.boundaries_ms, 0);
  EXPECT_GT(p.planning_ms, 0);
  EXPECT_LE(p.kernels_ms + p.planning_ms + p.boundaries_ms, p.ms);

  const std::string whole = p.table(100), first = p.table(1);
  for (const ProfileRow& r : p.rows)
    EXPECT_NE(whole.find(r.where), std::string::npos) << r.where << "\n" << whole;
  EXPECT_NE(first.find(std::to_string(p.rows.size() - 1) + " more kernels"), std::string::npos)
      << first;
}

TEST(Profiler, WritesATraceOfEveryKernel) {
  const Tensor a = ready({300, 300}), big = ready({2000, 2000});
  const int threads = num_threads();
  set_num_threads(2);
  Trace trace;
  const Profile p = profile_of(
      [&] {
        for (int i = 0; i < 5; ++i) eval(matmul(a, a));
        for (int i = 0; i < 200; ++i) eval(relu(big + 1));
      },
      kStated, trace.path());
  set_num_threads(threads);
  const Json json = trace.read();
  std::map<std::string, int> kinds;
  std::vector<std::pair<double, double>> boundaries;
  for (const Json& e : json.at("traceEvents")) {
    if (e.at("ph") == "M") continue;
    ASSERT_EQ(e.at("ph"), "X");
    const std::string kind = e.at("cat");
    ++kinds[kind];
    EXPECT_GE(e.at("ts"), 0);
    EXPECT_GE(e.at("dur"), 0);
    if (kind == "boundary")
      boundaries.emplace_back(e.at("ts"), double(e.at("ts")) + double(e.at("dur")));
  }
  EXPECT_EQ(kinds["kernel"], 205);
  EXPECT_EQ(kinds["boundary"], 205);
  EXPECT_EQ(kinds["record"], 205);
  EXPECT_EQ(kinds["planning"], 2);
  EXPECT_GT(kinds["worker"], 0) << "four million elements, and no second thread took part";
  int64_t events = 0;
  for (const auto& [kind, count] : kinds) events += count;
  EXPECT_EQ(events, p.events);
  EXPECT_EQ(p.dropped, 0);

  constexpr double kRounding = 0.01;  // times are written in thousandths of a microsecond
  for (const Json& e : json.at("traceEvents")) {
    if (e.value("cat", "") != "kernel") continue;
    const double start = e.at("ts"), end = start + double(e.at("dur"));
    EXPECT_TRUE(std::any_of(boundaries.begin(), boundaries.end(), [&](const auto& b) {
      return b.first <= start + kRounding && end <= b.second + kRounding;
    })) << e;
    const Json& args = e.at("args");
    if (e.at("name") != "matmul") continue;
    EXPECT_EQ(args.at("shapes"), "(300, 300), (300, 300) -> (300, 300)");
    EXPECT_EQ(args.at("attributes"), "transpose_a=false, transpose_b=false");
    EXPECT_EQ(args.at("flops"), 2.0 * 300 * 300 * 300);
    EXPECT_EQ(args.at("bytes_read"), 8 * 90000);
    EXPECT_EQ(args.at("bytes_written"), 4 * 90000);
    EXPECT_NE(args.at("where").get<std::string>().find("profiler_test.cpp:"), std::string::npos);
  }
}

TEST(Profiler, IsBounded) {
  const Tensor a = ready({16});
  Trace trace;
  ProfileOptions options = kStated;
  options.max_events = 10;
  const Profile p = profile_of(
      [&] {
        for (int i = 0; i < 100; ++i) eval(a + i);
        for (int64_t n = 1; n <= 30; ++n) eval(full({n}, 2) * 3);
      },
      options, trace.path());
  EXPECT_EQ(p.events, 10);
  EXPECT_GT(p.dropped, 2 * 130);
  EXPECT_LE(p.rows.size(), 10u);
  EXPECT_NE(find(p, "(others)"), nullptr);
  int64_t calls = 0;
  for (const ProfileRow& r : p.rows) calls += r.calls;
  EXPECT_GE(calls, 130) << "the table counts what the trace has no room for";
  EXPECT_NE(p.table().find("The trace holds the first 10 events"), std::string::npos);
  const Json json = trace.read();
  EXPECT_EQ(json.at("otherData").at("dropped_events"), p.dropped);
}

TEST(Profiler, ASecondProfileStartsFromNothing) {
  const Tensor a = ready({16});
  for (int i = 0; i < 2; ++i) {
    const Profile p = profile_of([&] { eval(a * 2); });
    ASSERT_EQ(p.rows.size(), 1u);
    EXPECT_EQ(p.rows[0].calls, 1);
    EXPECT_EQ(p.boundaries, 1);
  }
}

TEST(Profiler, ChangesNoResult) {
  const Tensor a = ready({70, 50});
  const auto work = [&] { return (softmax(matmul(a, transpose(a))) * 3).to_vector<float>(); };
  const auto plain = work();
  std::vector<float> profiled;
  profile_of([&] { profiled = work(); });
  EXPECT_EQ(plain, profiled);
}

TEST(Profiler, MeasuresTheMachine) {
  const Tensor a = ready({16});
  const Profile p = profile_of([&] { eval(a * 2); }, {});
  EXPECT_GT(p.gb_per_s, 0.1);
  EXPECT_LT(p.gb_per_s, 1e5);
  EXPECT_GT(p.gflop_per_s, 0.1);
  EXPECT_GT(p.bf16_gflop_per_s, 0.1);
  EXPECT_LT(p.kernels_ms, 100) << "the measurement is part of the profile";
}

TEST(Profiler, ATraceThatCannotBeWrittenIsAnError) {
  profile_start(kStated);
  EXPECT_THROW(profile_stop("/nowhere/trace.json"), IoError);
  EXPECT_FALSE(profiling());
}

}  // namespace
}  // namespace glia
