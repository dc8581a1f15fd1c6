// Lines of text files, and what is in them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace glia::graphs {

struct Line {
  std::string text;
  int64_t number;  // from 1
};
// Of a file, gzipped or not; without empty ones and those that begin with # or %.
std::vector<Line> lines_of(const std::string& path);
// The parts between any of these characters, without empty ones.
std::vector<std::string_view> split(std::string_view text, std::string_view separators);
// Throws IoError, "PATH: line N: FAULT".
[[noreturn]] void fail_at(const std::string& path, const Line& line, const std::string& fault);
// A whole number from low to high, or that error.
int64_t whole(const std::string& path, const Line& line, std::string_view cell, int64_t low,
              int64_t high);

}  // namespace glia::graphs
