// Of which instruction set the instructions are that a piece of code runs, one by one as the
// processor takes them: what cpu_level() says of loops is held against what they do.
#pragma once

#include <gtest/gtest.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "glia/runtime.h"

namespace glia::test {

#if defined(__x86_64__)
struct Watch {
  const char* library = nullptr;  // whose instructions count, or nothing; "": the program's own
  uintptr_t begin = 0, end = 0;   // its code
  bool on = false;                // whether to go on step by step
  int64_t vex = 0, evex = 0;      // how many were as AVX writes them, and as AVX-512 does
};
inline Watch watch;

inline void watch_step(int, siginfo_t*, void* context) {
  greg_t* const registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto at = static_cast<uintptr_t>(registers[REG_RIP]);
  if (at >= watch.begin && at < watch.end) {
    const uint8_t first = *reinterpret_cast<const uint8_t*>(at);
    watch.evex += first == 0x62;
    watch.vex += first == 0xC4 || first == 0xC5;
  }
  constexpr greg_t kTrap = 0x100;  // the flag by which a processor stops after each instruction
  if (watch.on)
    registers[REG_EFL] |= kTrap;
  else
    registers[REG_EFL] &= ~kTrap;
}

// From here on each instruction is looked at, or none: what takes long may say so of its parts.
inline void watch_from_here(bool on) {
  watch.on = on;
  if (watch.library) raise(SIGTRAP);
}

// "avx512", "avx2" or "baseline", of what `run` does in this thread within this library's code.
inline std::string instructions_of(const char* library, const std::function<void()>& run) {
  watch = {library};
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void*) {
        const bool named = *watch.library ? strstr(object->dlpi_name, watch.library) != nullptr
                                          : !*object->dlpi_name;
        for (int i = 0; named && !watch.begin && i < object->dlpi_phnum; ++i) {
          const auto& segment = object->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X)) continue;
          watch.begin = object->dlpi_addr + segment.p_vaddr;
          watch.end = watch.begin + segment.p_memsz;
        }
        return 0;
      },
      nullptr);
  struct sigaction action = {}, before;
  action.sa_sigaction = watch_step;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGTRAP, &action, &before);
  watch_from_here(true);
  run();
  watch_from_here(false);
  sigaction(SIGTRAP, &before, nullptr);
  return watch.evex ? "avx512" : watch.vex ? "avx2" : "baseline";
}
#else
inline void watch_from_here(bool) {}
#endif

// In a process for each value of GLIA_CPU: `check` expects nothing that is not so, and `loops`,
// which should be short, run instructions of cpu_level() within this library.
inline void expect_each_level(const char* library, const std::function<void()>& check,
                              const std::function<void()>& loops) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto child = [&](const char* level) {
    setenv("GLIA_CPU", level, 1);
    setenv("GLIA_NUM_THREADS", "1", 1);
    check();
    loops();  // once before, so that only they are left to do
    const bool right = !testing::Test::HasFailure();
    std::string seen = cpu_level();
#if defined(__x86_64__)
    seen = instructions_of(library, loops);
#endif
    std::fprintf(stderr, "[%s at %s, %s]", seen.c_str(), cpu_level().c_str(),
                 right ? "right" : "wrong");
    _exit(right && seen == cpu_level() ? 0 : 1);
  };
  for (const char* level : {"avx512", "avx2", "baseline"})
    EXPECT_EXIT(child(level), testing::ExitedWithCode(0), "right") << level;
}

}  // namespace glia::test
