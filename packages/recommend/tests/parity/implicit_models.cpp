// Models for implicit_models.py: prints the seconds of processor time of ALS and its losses, writes
// the weights of EASE and SLIM.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "glia/recommend/implicit.h"
using namespace glia;
using namespace glia::recommend;

template <class T>
std::vector<T> values(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
  const T* at = reinterpret_cast<const T*>(bytes.data());
  return {at, at + bytes.size() / sizeof(T)};
}
void write(const std::string& path, const Tensor& x) {
  const std::vector<float> all = x.to_vector<float>();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(all.data()),
             static_cast<std::streamsize>(all.size() * sizeof(float)));
}
double seconds() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int, char** argv) {
  const std::string folder = std::string(argv[1]) + "/";
  Interactions all;
  all.user = values<int32_t>(folder + "user");
  all.item = values<int32_t>(folder + "item");
  all.rating = values<double>(folder + "rating");
  all.users.resize(static_cast<size_t>(std::ranges::max(all.user)) + 1);
  all.items.resize(static_cast<size_t>(std::ranges::max(all.item)) + 1);

  ALS als;
  const auto begin = [&] {
    als.initialise(all);
    als.load_state_dict(
        {{"user_factors", from_vector(values<float>(folder + "first0"), {all.n_users(), 64})},
         {"item_factors", from_vector(values<float>(folder + "first1"), {all.n_items(), 64})}});
  };
  double best = 1e9;
  for (int k = 0; k < 3; ++k) {
    begin();
    const double start = seconds();
    als.learn();
    best = std::min(best, seconds() - start);
  }
  std::printf("%.6f\n", best);
  als.on_epoch = [](int64_t, double loss) {
    std::printf("%.9f\n", loss);
    return true;
  };
  begin();
  als.learn();

  EASE ease;
  ease.fit(all);
  write(folder + "ease", ease.weights);
  SLIM slim({.alpha = 0.02, .l1_ratio = 0.1, .max_iter = 2000, .tol = 1e-9});
  slim.fit(all);
  write(folder + "slim", slim.weights);
}
