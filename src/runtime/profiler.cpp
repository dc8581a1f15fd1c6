#include "runtime/profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "glia/runtime.h"
#include "runtime/backend.h"
#include "runtime/clock.h"
#include "runtime/settings.h"
#include "runtime/threads.h"

namespace glia {
namespace profiler {

std::atomic<bool> running{false};

namespace {

constexpr int kFirstWorker = 1000;  // workers are threads from this number on

enum class Kind : uint8_t { kRecord, kBoundary, kPlanning, kKernel, kWorker };

struct Event {
  double start, ms;
  int64_t detail;  // kKernel, kWorker: the site; else nodes of the graph
  int32_t thread;
  Kind kind;
};

struct Totals {
  Site site;
  int64_t calls = 0;
  double ms = 0;
};

struct State {
  std::mutex mutex;  // of all below
  ProfileOptions options;
  std::atomic<uint64_t> number{0};
  double start = 0;
  bool measured = false;
  bool unwritable = false;  // GLIA_PROFILE's file
  int threads = 0;          // seen so far
  std::vector<Event> events;
  std::vector<Totals> sites;
  std::unordered_map<std::string, int> known;
  Profile result;  // its sums, while they grow
};
State& state() {
  static auto* s = new State;  // used when the process ends
  return *s;
}

struct Thread {
  uint64_t profile = 0;
  int number = 0;
  double idle_since = 0;  // the end of its last boundary
};
thread_local Thread this_thread;
thread_local int current = -1;  // the step that this thread runs

// Under the mutex.
Thread& thread_of(State& s) {
  if (this_thread.profile != s.number)
    this_thread = {.profile = s.number, .number = s.threads++, .idle_since = s.start};
  return this_thread;
}

// Whether that profile has not ended.
bool is_running(const State& s, uint64_t profile) { return on() && s.number == profile; }

void add_event(State& s, const Event& event) {
  if (static_cast<int64_t>(s.events.size()) < s.options.max_events)
    s.events.push_back(event);
  else
    ++s.result.dropped;
}

// ---- What the machine can do ------------------------------------------------------------------

// The shortest of some calls, in ms.
template <class F>
double fastest(F&& f) {
  constexpr int kCalls = 5;
  constexpr double kLongEnough = 50;
  double best = 1e30;
  const double first = milliseconds();
  for (int i = 0; i < kCalls || milliseconds() - first < kLongEnough; ++i) {
    const double start = milliseconds();
    f();
    best = std::min(best, milliseconds() - start);
  }
  return best;
}

// Reading and writing an array that no cache holds.
double measured_bandwidth() {
  constexpr int64_t kWords = int64_t{1} << 24, kPieces = 64;  // 128 MiB
  std::vector<uint64_t> words(kWords);
  const double ms = fastest([&] {
    parallel_for(kPieces, [&](int64_t piece) {
      uint64_t* const p = words.data() + piece * (kWords / kPieces);
      for (int64_t i = 0; i < kWords / kPieces; ++i) p[i] += 1;
    });
  });
  return 2e-6 * kWords * sizeof(uint64_t) / ms;
}

double measured_product_rate(DType dtype) {
  constexpr int64_t kSize = 768;
  const size_t bytes = kSize * kSize * size_of(dtype);
  std::vector<MemoryRef> memory;
  for (int i = 0; i < 3; ++i) {
    memory.emplace_back(allocate_memory(bytes));
    std::fill_n(static_cast<char*>(memory.back()->data), bytes, char{0x3f});  // about 0.75
  }
  return 2e-6 * kSize * kSize * kSize / fastest([&] {
           multiply_squares(dtype, kSize, memory[0]->data, memory[1]->data, memory[2]->data);
         });
}

// Fills in what the options leave open; what that takes is no part of the profile.
void measure(State& s) {
  if (s.measured) return;
  s.measured = true;
  const double start = milliseconds();
  const auto choose = [](double given, auto&& measured) { return given > 0 ? given : measured(); };
  s.result.gb_per_s = choose(s.options.gb_per_s, measured_bandwidth);
  s.result.gflop_per_s = choose(s.options.gflop_per_s, [] { return measured_product_rate(kF32); });
  s.result.bf16_gflop_per_s =
      choose(s.options.bf16_gflop_per_s, [] { return measured_product_rate(kBF16); });
  s.start += milliseconds() - start;
}

double product_rate(const Profile& p, DType dtype) {
  return dtype == kBF16 ? p.bf16_gflop_per_s : dtype == kF64 ? p.gflop_per_s / 2 : p.gflop_per_s;
}

double floor_ms(const Profile& p, const Site& site) {
  const double memory = (site.work.read + site.work.written) / (1e6 * p.gb_per_s);
  return std::max(memory, site.work.flops / (1e6 * product_rate(p, site.dtype)));
}

// ---- Output -----------------------------------------------------------------------------------

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", c);
    else
      out += c;
  }
  return out + '"';
}

// "add, mul, add" in at most so many characters.
std::string abridged(const std::string& ops, size_t width) {
  if (ops.size() <= width) return ops;
  const size_t cut = ops.rfind(", ", width - 5);
  if (cut == std::string::npos) return ops.substr(0, width - 3) + "...";
  return fmt::format("{}, +{}", ops.substr(0, cut), std::count(ops.begin() + cut, ops.end(), ','));
}

class File {
 public:
  explicit File(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
    if (!file_) fail();
  }
  ~File() {
    if (file_) std::fclose(file_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  void write(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size()) fail();
  }
  void close() {
    if (std::fclose(std::exchange(file_, nullptr)) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const { throw IoError(path_ + ": the trace cannot be written"); }

  std::string path_;
  std::FILE* file_;
};

// The format of chrome://tracing: https://ui.perfetto.dev opens it too. Times in microseconds.
void write_trace(const State& s, const std::string& path) {
  File file(path);
  file.write("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n");
  file.write(R"({"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "glia"}})");
  std::vector<std::string> kernels;  // of each site, what all its events say
  for (const Totals& t : s.sites) {
    const Site& site = t.site;
    kernels.push_back(fmt::format(
        R"("args": {{"ops": {}, "shapes": {}, "attributes": {}, "where": {}, )"
        R"("bytes_read": {:.0f}, "bytes_written": {:.0f}, "flops": {:.0f}, "floor_us": {:.3f}}})",
        quoted(site.ops), quoted(site.shapes), quoted(site.attributes), quoted(shown(site.where)),
        site.work.read, site.work.written, site.work.flops, 1e3 * floor_ms(s.result, site)));
  }
  std::vector<int32_t> threads;
  for (const Event& e : s.events) {
    if (std::find(threads.begin(), threads.end(), e.thread) == threads.end()) {
      threads.push_back(e.thread);
      file.write(fmt::format(
          ",\n{{\"ph\": \"M\", \"pid\": 1, \"tid\": {}, \"name\": \"thread_name\", \"args\": "
          "{{\"name\": \"{} {}\"}}}}",
          e.thread, e.thread < kFirstWorker ? "thread" : "worker", e.thread % kFirstWorker));
    }
    const bool step = e.kind == Kind::kKernel || e.kind == Kind::kWorker;
    constexpr const char* kNames[] = {"record", "boundary", "planning", "kernel", "worker"};
    const char* const kind = kNames[static_cast<int>(e.kind)];
    file.write(fmt::format(
        ",\n{{\"ph\": \"X\", \"pid\": 1, \"tid\": {}, \"cat\": \"{}\", \"name\": {}, "
        "\"ts\": {:.3f}, \"dur\": {:.3f}",
        e.thread, kind, step ? quoted(abridged(s.sites[e.detail].site.ops, 60)) : quoted(kind),
        1e3 * (e.start - s.start), 1e3 * e.ms));
    if (e.kind == Kind::kKernel)
      file.write(", " + kernels[e.detail]);
    else if (e.kind == Kind::kBoundary)
      file.write(fmt::format(", \"args\": {{\"nodes\": {}}}", e.detail));
    file.write("}");
  }
  file.write(fmt::format(
      "\n], \"otherData\": {{\"version\": {}, \"threads\": {}, \"cpu\": {}, \"dropped_events\": "
      "{}, "
      "\"gb_per_s\": {:.4g}, \"gflop_per_s\": {:.4g}, \"bf16_gflop_per_s\": {:.4g}}}}}\n",
      quoted(version()), num_threads(), quoted(cpu_level()), s.result.dropped, s.result.gb_per_s,
      s.result.gflop_per_s, s.result.bf16_gflop_per_s));
  file.close();
}

// GLIA_PROFILE=FILE: from here to the end of the process.
const bool profiles_process = [] {
  const char* const path = setting("GLIA_PROFILE");
  if (!path) return false;
  profile_start();
  std::FILE* const file = std::fopen(path, "ab");
  if (file) std::fclose(file);
  state().unwritable = !file;  // said at the first boundary: nothing can be thrown here
  std::atexit([] {
    if (!profiling() || state().unwritable) return;  // the program has ended it, or knows
    try {
      fmt::print(stderr, "\n{}", profile_stop(setting("GLIA_PROFILE")).table());
    } catch (const std::exception& e) {
      fmt::print(stderr, "glia: {}\n", e.what());
    }
  });
  return true;
}();

}  // namespace

// ---- Hooks ------------------------------------------------------------------------------------

uint64_t profile_number() { return state().number; }

int add_site(const Site& site) {
  State& s = state();
  std::lock_guard hold(s.mutex);
  const std::string key = fmt::format("{}|{}|{}|{}:{}", site.ops, site.shapes, site.attributes,
                                      site.where.file_name(), site.where.line());
  const auto found = s.known.find(key);
  if (found != s.known.end()) return found->second;
  if (static_cast<int64_t>(s.sites.size()) >= s.options.max_events) return 0;
  const int index = static_cast<int>(s.sites.size());
  s.sites.push_back({site});
  s.known.emplace(key, index);
  return index;
}

void add_plan(PlanMemory memory) {
  State& s = state();
  std::lock_guard hold(s.mutex);
  Profile& p = s.result;
  if (memory.bytes <= p.plan_bytes) return;
  p.plan_bytes = memory.bytes;
  const Site& step = s.sites[memory.step].site;
  p.fullest_step = fmt::format("{} {} at {}", step.ops, step.shapes, shown(step.where));
  p.alive.clear();
  for (ProfileValue& v : memory.alive) {
    const auto like = std::ranges::find_if(p.alive, [&](const ProfileValue& o) {
      return o.op == v.op && o.shape == v.shape && o.where == v.where;
    });
    if (like == p.alive.end()) {
      p.alive.push_back(std::move(v));
    } else {
      ++like->count;
      like->bytes += v.bytes;
    }
  }
  std::ranges::stable_sort(p.alive, std::ranges::greater(), &ProfileValue::bytes);
}

namespace {

Work work_of(const Program& program, double rows, double cols) {
  using Extent = Program::Extent;
  const auto elements = [&](Extent extent) {
    return (extent == Extent::kFull || extent == Extent::kRow ? rows : 1) *
           (extent == Extent::kFull || extent == Extent::kColumn ? cols : 1);
  };
  Work work;
  for (const Program::Value& v : program.values) {
    if (v.action == Program::Action::kInput)
      work.read += elements(v.extent) * size_of(v.dtype);
    else
      work.flops += v.action == Program::Action::kReduceRow ? rows * cols : elements(v.extent);
  }
  for (const Program::Output& out : program.outputs) {
    const Program::Value& v = program.values[out.value];
    double n = elements(v.extent);
    if (out.sink != Program::Sink::kStore) work.flops += n;
    if (out.sink == Program::Sink::kReduceAll) n = 1;
    if (out.sink == Program::Sink::kReduceRows) n = rows;
    if (out.sink == Program::Sink::kReduceColumns) n = static_cast<double>(out.segments) * cols;
    work.written += n * size_of(v.dtype);
  }
  return work;
}

}  // namespace

Work work_of(const Program& program, const std::vector<int64_t>& counts) {
  if (!program.many)
    return work_of(program, static_cast<double>(program.rows), static_cast<double>(program.cols));
  Work sum;
  for (const int64_t n : counts) {
    const Work one = work_of(program, 1, static_cast<double>(n));
    sum = {sum.read + one.read, sum.written + one.written, sum.flops + one.flops};
  }
  return sum;
}

// Sources are named from where the compiler ran, and this file among them.
bool in_library(const std::source_location& where) {
  std::string_view root = std::source_location::current().file_name();
  root.remove_suffix(std::string_view("runtime/profiler.cpp").size());  // ends in "src/"
  const std::string_view file = where.file_name();
  const std::string_view top = root.substr(0, root.size() - std::string_view("src/").size());
  return where.line() == 0 || file.starts_with(root) ||
         (file.starts_with(top) && file.substr(top.size()).starts_with("include/glia/"));
}

std::string shown(const std::source_location& where) {
  if (where.line() == 0) return "";
  std::string_view file = where.file_name();
  const size_t slash = file.rfind('/');
  const size_t folder =
      slash == std::string_view::npos || slash == 0 ? slash : file.rfind('/', slash - 1);
  if (folder != std::string_view::npos) file.remove_prefix(folder + 1);
  return fmt::format("{}:{}", file, where.line());
}

void Boundary::begin() {
  State& s = state();
  std::lock_guard hold(s.mutex);
  if (s.unwritable) refuse_setting("GLIA_PROFILE", "the name of a file that can be written");
  measure(s);
  Thread& t = thread_of(s);
  profile_ = s.number;
  start_ = milliseconds();
  const double since = std::max(t.idle_since, s.start);
  add_event(s, {since, start_ - since, 0, t.number, Kind::kRecord});
}

void Boundary::end() {
  const double now = milliseconds();
  State& s = state();
  std::lock_guard hold(s.mutex);
  if (!is_running(s, profile_)) return;
  Thread& t = thread_of(s);
  add_event(s, {start_, now - start_, static_cast<int64_t>(nodes), t.number, Kind::kBoundary});
  s.result.boundaries_ms += now - start_;
  ++s.result.boundaries;
  t.idle_since = now;
}

void planned(double start) {
  const double ms = milliseconds() - start;
  State& s = state();
  std::lock_guard hold(s.mutex);
  add_event(s, {start, ms, 0, thread_of(s).number, Kind::kPlanning});
  s.result.planning_ms += ms;
  ++s.result.plans_made;
}

int current_site() { return current; }

void KernelSpan::begin() {
  profile_ = profile_number();
  current = site_;
  start_ = milliseconds();
}

void KernelSpan::end() {
  const double ms = milliseconds() - start_;
  current = -1;
  State& s = state();
  std::lock_guard hold(s.mutex);
  if (!is_running(s, profile_)) return;
  add_event(s, {start_, ms, site_, thread_of(s).number, Kind::kKernel});
  Totals& totals = s.sites[site_];
  ++totals.calls;
  totals.ms += ms;
  s.result.kernels_ms += ms;
}

void WorkerSpan::begin() {
  profile_ = profile_number();
  start_ = milliseconds();
}

void WorkerSpan::end() {
  const double ms = milliseconds() - start_;
  State& s = state();
  std::lock_guard hold(s.mutex);
  if (is_running(s, profile_))
    add_event(s, {start_, ms, site_, kFirstWorker + worker_, Kind::kWorker});
}

}  // namespace profiler

// ---- Public -----------------------------------------------------------------------------------

bool profiling() { return profiler::on(); }

void profile_start(const ProfileOptions& options) {
  std::lock_guard no_plan_begins(graph_lock());
  if (profiling()) throw Error("profile_start: a profile is running already");
  profiler::State& s = profiler::state();
  std::lock_guard hold(s.mutex);
  s.options = options;
  ++s.number;
  s.start = milliseconds();
  s.measured = false;
  s.threads = 0;
  s.events.clear();
  s.result = {};
  s.known.clear();
  s.sites.assign(1, {{.ops = "(others)"}});  // what finds no place of its own
  profiler::running.store(true);
}

Profile profile_stop(const std::string& trace) {
  std::lock_guard no_plan_begins(graph_lock());
  if (!profiling()) throw Error("profile_stop: no profile is running");
  profiler::State& s = profiler::state();
  std::lock_guard hold(s.mutex);
  profiler::running.store(false);
  Profile& p = s.result;
  p.ms = milliseconds() - s.start;
  p.boundaries_ms -= p.kernels_ms + p.planning_ms;
  p.events = static_cast<int64_t>(s.events.size());
  for (const profiler::Totals& t : s.sites) {
    if (t.calls == 0) continue;
    const double calls = static_cast<double>(t.calls);
    const Work& work = t.site.work;
    p.rows.push_back({.ops = t.site.ops,
                      .shapes = t.site.shapes,
                      .attributes = t.site.attributes,
                      .where = profiler::shown(t.site.where),
                      .calls = t.calls,
                      .ms = t.ms,
                      .bytes_read = calls * work.read,
                      .bytes_written = calls * work.written,
                      .flops = calls * work.flops,
                      .floor_ms = calls * profiler::floor_ms(p, t.site)});
  }
  std::stable_sort(p.rows.begin(), p.rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.ms > b.ms; });
  if (!trace.empty()) profiler::write_trace(s, trace);
  s.events = {};
  return std::move(p);
}

std::string Profile::table(int top) const {
  if (boundaries == 0) return fmt::format("Profile of {:.1f} ms: no plan ran.\n", ms);
  std::string out = fmt::format(
      "Profile of {:.1f} ms: {} boundaries, {} plans made. Floors: {:.1f} GB/s, {:.0f} GFLOP/s in "
      "f32, {:.0f} in bf16.\n\n",
      ms, boundaries, plans_made, gb_per_s, gflop_per_s, bf16_gflop_per_s);
  out += "   calls  total ms   share    GB/s GFLOP/s   floor  what\n";
  const auto share = [&](double part) { return ms > 0 ? 100 * part / ms : 0; };
  const size_t shown = std::min(rows.size(), static_cast<size_t>(std::max(top, 0)));
  double rest = kernels_ms;
  for (const ProfileRow& r : std::span(rows).first(shown)) {
    const double seconds = std::max(r.ms, 1e-6) * 1e-3;
    out += fmt::format("{:8} {:9.2f} {:5.1f} % {:7.1f} {:7.1f} {:5.0f} %  {}{}{}{}{}\n", r.calls,
                       r.ms, share(r.ms), (r.bytes_read + r.bytes_written) * 1e-9 / seconds,
                       r.flops * 1e-9 / seconds, 0.1 * r.floor_ms / seconds,
                       profiler::abridged(r.ops, 48), r.shapes.empty() ? "" : " ", r.shapes,
                       r.where.empty() ? "" : " at ", r.where);
    rest -= r.ms;
  }
  const auto line = [&](double part, const std::string& what) {
    out += fmt::format("{:18.2f} {:5.1f} %  {}\n", part, share(part), what);
  };
  if (shown < rows.size()) line(rest, fmt::format("{} more kernels", rows.size() - shown));
  line(planning_ms, "planning");
  line(boundaries_ms, "boundaries: finding plans, handing out memory, freeing nodes");
  line(ms - kernels_ms - planning_ms - boundaries_ms, "outside: the program itself, recording");
  if (!alive.empty()) {
    out += fmt::format("\nThe fullest plan takes {:.4g} MB, most of it at {}:\n", 1e-6 * plan_bytes,
                       fullest_step);
    for (const ProfileValue& v : std::span(alive).first(std::min(alive.size(), shown / 2)))
      out += fmt::format("{:18.2f} {:5.1f} %  {} x {} {} at {}\n", 1e-6 * v.bytes,
                         100. * v.bytes / plan_bytes, v.count, v.op, v.shape, v.where);
  }
  if (dropped > 0)
    out += fmt::format("The trace holds the first {} events; {} more were counted only.\n", events,
                       dropped);
  return out;
}

}  // namespace glia
