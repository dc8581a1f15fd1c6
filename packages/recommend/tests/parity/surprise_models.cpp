// A model by name for surprise_models.py: reads the fold and first values, writes what it foretells
// and prints the seconds of processor time of learning and foretelling.
#include <sys/resource.h>

#include <cstdio>
#include <fstream>
#include <iterator>

#include "glia/recommend/explicit.h"
using namespace glia;
using namespace glia::recommend;

template <class T>
std::vector<T> values(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
  const T* at = reinterpret_cast<const T*>(bytes.data());
  return {at, at + bytes.size() / sizeof(T)};
}

double seconds() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return static_cast<double>(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int, char** argv) {
  const std::string folder = std::string(argv[1]) + "/", name = argv[2];
  Interactions train, test;
  train.user = values<int32_t>(folder + "user");
  train.item = values<int32_t>(folder + "item");
  train.rating = values<double>(folder + "rating");
  train.rating_scale = {1, 5};
  test.user = values<int32_t>(folder + "test_user");
  test.item = values<int32_t>(folder + "test_item");
  for (const int32_t u : train.user)
    if (u >= train.n_users()) train.users.resize(static_cast<size_t>(u) + 1);
  for (const int32_t i : train.item)
    if (i >= train.n_items()) train.items.resize(static_cast<size_t>(i) + 1);

  const double start = seconds();
  ModelOptions options;
  if (name == "svdpp") options.epochs = 3;
  const auto made = make_recommender(name, options);
  auto& model = dynamic_cast<RatingModel&>(*made);
  model.initialise(train);
  StateDict first = model.state_dict();
  const bool clusters = name == "co-clustering";
  int k = 0;
  for (auto& [field, value] : first)
    if (clusters)
      value = from_vector(values<int64_t>(folder + "first" + std::to_string(k++)), value.shape());
    else if (field == "pu" || field == "qi" || field == "yj")
      value = from_vector(values<double>(folder + "first" + std::to_string(k++)), value.shape());
  model.load_state_dict(first);
  model.learn();
  const std::vector<double> said = model.predict(test);
  std::printf("%.4f\n", seconds() - start);
  std::ofstream(folder + "said", std::ios::binary)
      .write(reinterpret_cast<const char*>(said.data()),
             static_cast<std::streamsize>(said.size() * sizeof(double)));
}
