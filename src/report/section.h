// What stands in a section below its title and note, for each kind of section.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "glia/report.h"

namespace glia::report {

std::string html_of(const Curves& curves, const std::string& title);
std::string html_of(const Bars& bars, const std::string& title);
std::string html_of(const Table& table, const std::string& title);
std::string html_of(const Matrix& matrix, const std::string& title);
std::string html_of(const Images& images, const std::string& title);
std::string html_of(const Texts& texts, const std::string& title);
std::string html_of(const Scatter& scatter, const std::string& title);
std::string html_of(const Histogram& histogram, const std::string& title);
std::string html_of(const Trajectories& trajectories, const std::string& title);

// Throws a ShapeError unless `count` is `expected`: "WHAT: 3 values for 4 points".
void check_count(const std::string& what, size_t count, const char* noun, size_t expected,
                 const char* of);

// The columns of an (N, 2) tensor.
struct Points {
  std::vector<double> x, y;
};
Points points_of(const Tensor& points, const std::string& what);

// At most about `most` of the indices 0 to n - 1 of a line, in order: of each stretch those of its
// lowest and highest value, and the first and the last of all.
std::vector<size_t> thinned(const std::vector<double>& values, size_t most);

// "3 values cannot be drawn: NaN or infinite."; empty if there are none.
std::string left_out(int64_t count, bool log);

}  // namespace glia::report
