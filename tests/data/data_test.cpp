// Pipelines: order, batches, randomness, prefetching and resuming; Fashion-MNIST's files.
#include "glia/data.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "glia/io.h"
#include "glia/ops.h"
#include "glia/random.h"

namespace glia::data {
namespace {

using Numbers = std::vector<int64_t>;

Dataset<2> counted(int64_t n) {
  return from_tensors(arange(n), reshape(cast(remainder(arange(2 * n), 256), kU8), {n, 2}));
}

Numbers labels_of_pass(Dataset<2>& dataset) {
  Numbers all;
  for (auto [label, pair] : dataset) {
    const auto batch = label.to_vector<int64_t>();
    const auto values = pair.to_vector<int64_t>();
    for (size_t i = 0; i < batch.size(); ++i) {
      all.push_back(batch[i]);
      EXPECT_EQ(values[2 * i], (2 * batch[i]) % 256) << "rows of one sample come apart";
      EXPECT_EQ(values[2 * i + 1], (2 * batch[i] + 1) % 256);
    }
  }
  return all;
}

Numbers labels_of_pass(Dataset<2>&& dataset) { return labels_of_pass(dataset); }

TEST(Data, SamplesAreRows) {
  int64_t i = 0;
  for (auto [label, pair] : counted(5)) {
    EXPECT_EQ(label.shape(), Shape({}));
    EXPECT_EQ(pair.shape(), Shape({2}));
    EXPECT_EQ(label.item<int64_t>(), i++);
  }
  EXPECT_EQ(i, 5);
}

TEST(Data, BatchesKeepTheOrderAndTheRest) {
  std::vector<Shape> shapes;
  for (auto [label, pair] : counted(10).batch(4)) shapes.push_back(pair.shape());
  EXPECT_EQ(shapes, (std::vector<Shape>{{4, 2}, {4, 2}, {2, 2}}));
  EXPECT_EQ(labels_of_pass(counted(10).batch(4)), (Numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(labels_of_pass(counted(10).batch(4, true)), (Numbers{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(counted(10).batch(4).size(), 3);
  EXPECT_EQ(counted(10).batch(4, true).size(), 2);
  EXPECT_THROW(counted(10).batch(0), Error);
}

TEST(Data, ShufflesAnewEachEpochAndTheSameForASeed) {
  auto a = counted(100).shuffle(1).batch(7), b = counted(100).shuffle(1).batch(7);
  auto other = counted(100).shuffle(2).batch(7);
  const Numbers first = labels_of_pass(a), second = labels_of_pass(a);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 100u);
  EXPECT_EQ(std::set(second.begin(), second.end()).size(), 100u);
  EXPECT_NE(first, second);
  EXPECT_EQ(labels_of_pass(b), first);
  EXPECT_EQ(labels_of_pass(b), second);
  EXPECT_NE(labels_of_pass(other), first);
}

TEST(Data, ShuffleIsUniform) {
  // Each of 5 samples in each of 5 places, 2,000 times: 400 expected, 6 sigma is 107.
  int counts[5][5] = {};
  auto dataset = counted(5).shuffle(3).batch(5);
  for (int epoch = 0; epoch < 2000; ++epoch) {
    const Numbers order = labels_of_pass(dataset);
    for (int i = 0; i < 5; ++i) ++counts[i][order[i]];
  }
  for (const auto& row : counts)
    for (const int count : row) EXPECT_NEAR(count, 400, 107);
}

TEST(Data, RandomIsPhilox) {
  // The known answer of Philox 4x32-10 for a zero key and counter.
  Random random(0);
  EXPECT_EQ(random.bits(), 0x9b00dbd8u);
  EXPECT_EQ(random.bits(), 0xbc57ac4cu);
  EXPECT_EQ(random.bits(), 0xe169c58du);
  EXPECT_EQ(random.bits(), 0x6627e8d5u);
}

TEST(Data, SkipTakeRepeat) {
  EXPECT_EQ(labels_of_pass(counted(10).skip(7).batch(2)), (Numbers{7, 8, 9}));
  EXPECT_EQ(labels_of_pass(counted(10).take(3).batch(2)), (Numbers{0, 1, 2}));
  EXPECT_EQ(labels_of_pass(counted(10).skip(2).take(3).batch(9)), (Numbers{2, 3, 4}));
  EXPECT_EQ(counted(10).skip(11).size(), 0);
  EXPECT_EQ(counted(10).take(11).size(), 10);
  EXPECT_EQ(labels_of_pass(counted(2).batch(2).repeat(2)), (Numbers{0, 1, 0, 1}));
  const Numbers twice = labels_of_pass(counted(50).shuffle(1).repeat(2).batch(10));
  EXPECT_NE(Numbers(twice.begin(), twice.begin() + 50), Numbers(twice.begin() + 50, twice.end()));
  EXPECT_EQ(labels_of_pass(counted(0).batch(4)), Numbers{});
  EXPECT_THROW(counted(3).skip(-1), Error);
}

TEST(Data, MapChangesTensorsAndTheirNumber) {
  auto dataset = counted(6).batch(4).map([](const Tensor& label, const Tensor& pair) {
    return std::array{label + 1, pair, sum(pair, {1})};
  });
  Numbers labels;
  for (auto [label, pair, total] : dataset) {
    for (int64_t l : label.to_vector<int64_t>()) labels.push_back(l);
    EXPECT_EQ(total.rank(), 1);
  }
  EXPECT_EQ(labels, (Numbers{1, 2, 3, 4, 5, 6}));
}

TEST(Data, MappedSamplesAreStacked) {
  auto doubled = counted(5).map([](const Tensor& label, const Tensor& pair) {
    return std::array{label * 2, pair};
  });
  Numbers labels;
  for (auto [label, pair] : doubled.batch(3))
    for (int64_t l : label.to_vector<int64_t>()) labels.push_back(l);
  EXPECT_EQ(labels, (Numbers{0, 2, 4, 6, 8}));

  auto ragged = counted(5).map([](const Tensor& label, const Tensor&) {
    return std::array{label, zeros({label.item<int64_t>()})};
  });
  try {
    for (auto [label, pair] : ragged.batch(3)) FAIL() << "ragged samples were stacked";
  } catch (const ShapeError& e) {
    EXPECT_STREQ(e.what(), "batch: samples differ: f32 (0,) and f32 (1,) (epoch 0, position 0)");
  }
}

// What augmentation gives: the seed, the epoch and the position decide, and nothing else.
Numbers noise(Dataset<2> dataset, State from = {}) {
  auto noisy = dataset.augment(5, [](Random& random, const Tensor& label, const Tensor&) {
    return std::array{label * 1000 + random.below(1000)};
  });
  noisy.set_state(from);
  Numbers all;
  for (auto [value] : noisy)
    for (int64_t v : value.to_vector<int64_t>()) all.push_back(v);
  return all;
}

TEST(Data, AugmentationDependsOnThePositionAlone) {
  const auto dataset = counted(20).batch(4);
  const Numbers all = noise(dataset);
  EXPECT_EQ(all, noise(dataset.prefetch(3)));
  EXPECT_EQ(Numbers(all.begin() + 8, all.end()), noise(dataset, {0, 2}));
  EXPECT_NE(all, noise(dataset, {1, 0}));
}

TEST(Data, PrefetchGivesTheSame) {
  auto plain = counted(100).shuffle(4).batch(8), ahead = plain.prefetch(3);
  for (int epoch = 0; epoch < 3; ++epoch) EXPECT_EQ(labels_of_pass(plain), labels_of_pass(ahead));
}

TEST(Data, StateResumesInMidEpoch) {
  for (const int ahead : {0, 2}) {
    auto whole = counted(40).shuffle(9).batch(4).prefetch(ahead);
    labels_of_pass(whole);
    const Numbers second = labels_of_pass(whole);
    EXPECT_EQ(whole.state(), (State{2, 0}));

    auto cut = counted(40).shuffle(9).batch(4).prefetch(ahead);
    labels_of_pass(cut);
    Numbers seen;
    for (auto [label, pair] : cut) {
      for (int64_t l : label.to_vector<int64_t>()) seen.push_back(l);
      if (cut.state().position == 3) break;
    }
    EXPECT_EQ(cut.state(), (State{1, 3}));
    auto resumed = counted(40).shuffle(9).batch(4).prefetch(ahead);
    resumed.set_state(cut.state());
    for (auto [label, pair] : resumed)
      for (int64_t l : label.to_vector<int64_t>()) seen.push_back(l);
    EXPECT_EQ(seen, second);
    EXPECT_EQ(resumed.state(), (State{2, 0}));
  }
}

// Counts how many samples exist at once.
class Counting : public Source {
 public:
  explicit Counting(std::atomic<int>& made) : made_(made) {}
  int64_t size() const override { return 1000; }
  Sample get(int64_t, int64_t position) const override {
    if (position == 500) throw ValueError("sample 500 is broken");
    ++made_;
    return {tensor(position)};
  }

 private:
  std::atomic<int>& made_;
};

TEST(Data, PrefetchIsBoundedAndStopsWhenAbandoned) {
  std::atomic<int> made = 0;
  Dataset<1> dataset(std::make_shared<Counting>(made), 2);
  int taken = 0;
  for (auto [x] : dataset) {
    ++taken;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_LE(made, taken + 2);
    if (taken == 10) break;
  }
  EXPECT_LE(made, 12);
  const int after = made;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(made, after) << "an abandoned pass goes on";
}

TEST(Data, ExceptionsReachTheConsumerInTheirPlace) {
  for (const int ahead : {0, 4}) {
    std::atomic<int> made = 0;
    Dataset<1> dataset(std::make_shared<Counting>(made), ahead);
    int taken = 0;
    try {
      for (auto [x] : dataset) taken += x.defined();
      FAIL() << "nothing was thrown";
    } catch (const ValueError& e) {
      EXPECT_STREQ(e.what(), "sample 500 is broken (epoch 0, position 500)");
    }
    EXPECT_EQ(taken, 500);
    EXPECT_EQ(dataset.state(), (State{0, 500}));
  }
}

TEST(Data, TensorsMustAgree) {
  EXPECT_THROW(from_tensors(arange(3), arange(4)), ShapeError);
  EXPECT_THROW(from_tensors(tensor(1.0)), ShapeError);
}

// ---- Random tensors in stages -----------------------------------------------------------------

// One pass over a pipeline that adds noise drawn by the library's own random tensors.
Numbers drawn(int64_t ahead, State from = {}, uint64_t seed = 0) {
  manual_seed(seed);
  auto dataset = from_tensors(zeros({24}, kI64))
                     .map([](const Tensor& x) { return std::array{x + randint(0, 1 << 30, {})}; })
                     .batch(4)
                     .map([](const Tensor& x) { return std::array{x + randint(0, 1 << 30, {4})}; })
                     .prefetch(ahead);
  dataset.set_state(from);
  Numbers all;
  for (auto [x] : dataset)
    for (const int64_t value : x.to_vector<int64_t>()) all.push_back(value);
  return all;
}

TEST(Data, RandomTensorsInAMapDependOnSeedEpochAndPosition) {
  const Numbers first = drawn(0);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 24u) << "samples share their numbers";
  for (const int64_t ahead : {0, 1, 5}) {
    EXPECT_EQ(drawn(ahead), first) << ahead << " ahead";
    EXPECT_NE(drawn(ahead, {1, 0}), first) << "epochs repeat";
    EXPECT_EQ(drawn(ahead, {1, 0}), drawn(0, {1, 0}));
    EXPECT_NE(drawn(ahead, {}, 1), first) << "the seed is ignored";
    EXPECT_EQ(drawn(ahead, {}, 1), drawn(0, {}, 1));
    EXPECT_EQ(drawn(ahead, {0, 2}), Numbers(first.begin() + 8, first.end())) << "resumed";
  }
}

TEST(Data, APassLeavesTheThreadsOwnStream) {
  manual_seed(5);
  const auto want = rand({4}).to_vector<float>();
  for (const int64_t ahead : {0, 3}) {
    drawn(ahead, {}, 5);
    EXPECT_EQ(rand({4}).to_vector<float>(), want);
  }
}

TEST(Data, AMapComputesInTheModeOfTheThreadThatTakesItsSamples) {
  const Parameter w(full({2, 2}, 1.001));
  for (const int64_t ahead : {0, 2}) {
    auto dataset = from_tensors(ones({4, 1, 2}))
                       .map([&](const Tensor& x) { return std::array{matmul(x, w)}; })
                       .prefetch(ahead);
    for (auto [x] : dataset) {
      EXPECT_TRUE(x.requires_grad());
      EXPECT_EQ(x.dtype(), kF32);
    }
    const NoGrad off;
    const Autocast half(kBF16);
    for (auto [x] : dataset) {
      EXPECT_FALSE(x.requires_grad()) << ahead << " ahead";
      EXPECT_EQ(x.dtype(), kBF16) << ahead << " ahead";
    }
  }
}

// ---- Hostile counts ---------------------------------------------------------------------------

constexpr int64_t kHuge[] = {INT64_MAX, INT64_MAX - 1, int64_t{1} << 62, int64_t{1} << 32};

TEST(Data, HugeCountsGiveEverythingOrAnError) {
  for (const int64_t n : kHuge) {
    EXPECT_EQ(labels_of_pass(counted(3).batch(n)), (Numbers{0, 1, 2})) << n;
    EXPECT_EQ(counted(3).batch(n, true).size(), 0) << n;
    EXPECT_EQ(labels_of_pass(counted(3).take(n).batch(2)), (Numbers{0, 1, 2})) << n;
    EXPECT_EQ(counted(3).skip(n).size(), 0) << n;
    EXPECT_EQ(counted(3).skip(1).skip(n).size(), 0) << n;
    EXPECT_EQ(labels_of_pass(counted(1).repeat(n).take(2).batch(2)), (Numbers{0, 0})) << n;
    EXPECT_EQ(counted(0).repeat(n).size(), 0);
    if (n > INT64_MAX / 3) {
      EXPECT_THROW(counted(3).repeat(n), Error) << n;
    }
    EXPECT_THROW(counted(1).repeat(n).shuffle(1), Error) << n;
    for (const int64_t bad : {-n, INT64_MIN, int64_t{-1}}) {
      EXPECT_THROW(counted(3).batch(bad), Error) << bad;
      EXPECT_THROW(counted(3).take(bad), Error) << bad;
      EXPECT_THROW(counted(3).skip(bad), Error) << bad;
      EXPECT_THROW(counted(3).repeat(bad), Error) << bad;
      EXPECT_THROW(counted(3).prefetch(bad), Error) << bad;
    }
  }
  auto endless = counted(1).repeat(INT64_MAX).batch(INT64_MAX);
  EXPECT_THROW(labels_of_pass(endless), Error) << "a batch that no memory holds";
  auto far = counted(2).repeat(int64_t{1} << 61).batch(2);
  far.set_state({1 << 20, 0});
  EXPECT_THROW(labels_of_pass(far), Error) << "an epoch that cannot be counted";
}

TEST(Data, NoPositionOutsideTheDataIsRead) {
  const Dataset<2> stages[] = {counted(6),
                               counted(6).shuffle(1),
                               counted(6).batch(2),
                               counted(3).repeat(2),
                               counted(9).skip(3),
                               counted(9).take(6),
                               counted(6).batch(2).map([](const Tensor& a, const Tensor& b) {
                                 return std::array{a, b};
                               })};
  for (const Dataset<2>& dataset : stages) {
    const int64_t n = dataset.size();
    for (const int64_t at : {n, n + 1, int64_t{-1}, INT64_MAX, INT64_MIN}) {
      EXPECT_THROW(dataset.source()->get(0, at), Error);
      EXPECT_THROW(dataset.source()->gather(0, std::vector<int64_t>{0, at}), Error);
    }
    for (const State bad : {State{0, n + 1}, State{0, -1}, State{-1, 0}, State{0, INT64_MAX},
                            State{INT64_MIN, 0}, State{INT64_MAX, 0}, State{0, INT64_MIN}}) {
      auto copy = dataset;
      EXPECT_THROW(copy.set_state(bad), Error);
      EXPECT_EQ(copy.state(), State{});
    }
    auto at_end = dataset;
    at_end.set_state({3, n});
    EXPECT_FALSE(at_end.begin() != at_end.end());
    EXPECT_EQ(at_end.state(), (State{4, 0}));
  }
}

TEST(Data, ImagesAreChangedWithinReason) {
  Random random(1);
  const Tensor images = ones({2, 3, 4, 1}, kU8);
  for (const int64_t padding : {int64_t{-1}, INT64_MIN, INT64_MAX, int64_t{1} << 62})
    EXPECT_THROW(augment_images(random, images, {.padding = padding}), ShapeError) << padding;
  for (const double std : {0.0, -1.0, double{NAN}})
    EXPECT_THROW(augment_images(random, images, {.std = {std}}), ValueError) << std;
  const Tensor far = augment_images(random, images, {.padding = int64_t{1} << 30});
  EXPECT_EQ(sum(far).item(), 0) << "a crop far outside shows zeros";
  EXPECT_THROW(Pipeline(nullptr), Error);
}

TEST(Data, RandomBelowKnowsItsRange) {
  Random random(1);
  for (const int64_t bad : {int64_t{0}, int64_t{-1}, INT64_MIN})
    EXPECT_THROW(random.below(bad), Error);
  for (const int64_t n : {int64_t{1}, (int64_t{1} << 32) + 1, (int64_t{3} << 61), INT64_MAX}) {
    int64_t upper = 0;
    for (int i = 0; i < 400; ++i) {
      const int64_t value = random.below(n);
      ASSERT_TRUE(value >= 0 && value < n) << value << " of " << n;
      upper += value >= n / 2 && n > 1;
    }
    if (n > 1) {
      EXPECT_NEAR(upper, 200, 60) << n;  // 6 sigma
    }
  }
  // Counters differ above 32 bits too.
  std::set<uint32_t> first;
  for (const uint64_t high : {0, 1, 2}) {
    first.insert(Random(0, high << 32, 0).bits());
    first.insert(Random(0, 0, high << 32).bits());
  }
  EXPECT_EQ(first.size(), 5u);
}

// Notes which samples are asked for.
class Asked : public Source {
 public:
  explicit Asked(int64_t n) : times(n) {}
  int64_t size() const override { return static_cast<int64_t>(times.size()); }
  Sample get(int64_t, int64_t position) const override {
    ++times[position];
    return {};
  }
  mutable std::vector<int> times;
};

// With an order made anew for each position this takes minutes.
TEST(Data, ShufflesAroundEachOtherKeepTheirOrders) {
  constexpr int64_t kSamples = 20000, kTimes = 20;
  const auto asked = std::make_shared<Asked>(kSamples);
  const SourcePtr all = shuffled(repeated(shuffled(asked, 1), kTimes), 2);
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::ranges::fill(asked->times, 0);
    for (int64_t i = 0; i < all->size(); ++i) all->get(epoch, i);
    EXPECT_EQ(std::ranges::count(asked->times, kTimes), kSamples);
  }
  // More orders than are kept, from several threads at once.
  const SourcePtr source = shuffled(repeated(shuffled(counted(300000).source(), 3), 100), 4);
  const auto labels_at = [&](int64_t start) {
    Numbers out;
    for (int64_t i = start; i < start + 20; ++i)
      out.push_back(source->get(0, i * 997)[0].item<int64_t>());
    return out;
  };
  std::vector<Numbers> together(4), again;
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t) threads.emplace_back([&, t] { together[t] = labels_at(20 * t); });
  for (std::thread& thread : threads) thread.join();
  for (int64_t t = 0; t < 4; ++t) EXPECT_EQ(together[t], labels_at(20 * t));
}

TEST(Data, FingerprintsTellDataApart) {
  std::set<uint64_t> seen;
  const Dataset<1> a = from_tensors(cast(arange(10), kF32));
  const Dataset<1> all[] = {
      a,
      from_tensors(cast(arange(11), kF32)),
      from_tensors(cast(arange(10), kF64)),
      from_tensors(cast(arange(10), kF32) * 2),
      from_tensors(reshape(cast(arange(10), kF32), {10, 1})),
      a.shuffle(1),
      a.shuffle(2),
      a.batch(2),
      a.batch(3),
      a.batch(3, true),
      a.skip(1),
      a.take(9),
      a.repeat(2),
      a.augment(1, [](Random&, const Tensor& x) { return std::array{x}; }),
  };
  for (const Dataset<1>& dataset : all) seen.insert(dataset.source()->fingerprint());
  EXPECT_EQ(seen.size(), std::size(all));
  EXPECT_EQ(from_tensors(cast(arange(10), kF32)).source()->fingerprint(),
            a.source()->fingerprint());
  // One byte of many, wherever it is among the pieces that are looked at.
  Tensor many = zeros({1 << 20, 65}, kU8);
  const uint64_t before = from_tensors(many).source()->fingerprint();
  many = concat({index(many, {Slice{0, (1 << 20) - 1}}), ones({1, 65}, kU8)});
  EXPECT_NE(from_tensors(many).source()->fingerprint(), before);
}

class FashionFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() /
        ("glia-data-" + std::to_string(std::hash<std::thread::id>()(std::this_thread::get_id())));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  std::string error() const {
    try {
      fashion_mnist(data::Test, folder_);
    } catch (const IoError& e) {
      return e.what();
    }
    return "";
  }
  std::string folder_;
};

TEST_F(FashionFiles, AreReadGzippedOrNot) {
  io::write_idx(file("t10k-images-idx3-ubyte.gz"), zeros({3, 28, 28}, kU8));
  io::write_idx(file("t10k-labels-idx1-ubyte"), cast(arange(3), kU8));
  auto [images, labels] = *fashion_mnist(data::Test, folder_).batch(8).begin();
  EXPECT_EQ(images.shape(), Shape({3, 28, 28, 1}));
  EXPECT_EQ(images.dtype(), kU8);
  EXPECT_EQ(labels.to_vector<int64_t>(), (Numbers{0, 1, 2}));
}

TEST_F(FashionFiles, BothHalvesComeFromOnePlace) {
  std::filesystem::create_directories(file("fashion-mnist"));
  const char* before = std::getenv("GLIA_DATA");
  const std::string kept = before ? before : "";
  setenv("GLIA_DATA", folder_.c_str(), 1);
  const auto fault = [](Split split) -> std::string {
    try {
      fashion_mnist(split);
    } catch (const IoError& e) {
      return e.what();
    }
    return "";
  };
  // Whatever else is installed: the place that has some of the files must have all.
  io::write_idx(file("fashion-mnist/t10k-images-idx3-ubyte"), zeros({3, 28, 28}, kU8));
  EXPECT_EQ(fault(data::Test), file("fashion-mnist/t10k-labels-idx1-ubyte.gz: is missing"));
  EXPECT_EQ(fault(data::Train), file("fashion-mnist/train-images-idx3-ubyte.gz: is missing"));
  io::write_idx(file("fashion-mnist/t10k-labels-idx1-ubyte"), zeros({3}, kU8));
  EXPECT_EQ(fault(data::Test), "");
  setenv("GLIA_DATA", file("nowhere").c_str(), 1);
  EXPECT_EQ(fault(data::Test), "GLIA_DATA is \"" + file("nowhere") + "\", which is no folder");
  // An empty variable is one that is not set: what is then missing is looked for where it would
  // be installed.
  setenv("GLIA_DATA", "", 1);
  EXPECT_EQ(fault(data::Test).find("in /fashion-mnist"), std::string::npos);
  before ? setenv("GLIA_DATA", kept.c_str(), 1) : unsetenv("GLIA_DATA");
}

TEST_F(FashionFiles, FaultsNameTheFile) {
  EXPECT_NE(error().find(folder_), std::string::npos) << error();
  EXPECT_NE(error().find("dataset-fashion-mnist"), std::string::npos) << error();
  io::write_idx(file("t10k-images-idx3-ubyte.gz"), zeros({3, 28, 28}, kU8));
  io::write_idx(file("t10k-labels-idx1-ubyte.gz"), zeros({4}, kU8));
  EXPECT_NE(error().find("t10k-labels-idx1-ubyte.gz: "), std::string::npos) << error();
  io::write_idx(file("t10k-labels-idx1-ubyte.gz"), full({3}, 10, kU8));
  EXPECT_NE(error().find("label 10"), std::string::npos) << error();
  io::write_idx(file("t10k-images-idx3-ubyte.gz"), zeros({3, 28, 27}, kU8));
  EXPECT_NE(error().find("t10k-images-idx3-ubyte.gz: "), std::string::npos) << error();
  io::write_idx(file("t10k-images-idx3-ubyte.gz"), zeros({0, 28, 28}, kU8));
  io::write_idx(file("t10k-labels-idx1-ubyte.gz"), zeros({0}, kU8));
  EXPECT_NE(error().find("holds no images"), std::string::npos) << error();
}

TEST_F(FashionFiles, APipeIsNotWaitedFor) {
  ASSERT_EQ(mkfifo(file("t10k-images-idx3-ubyte").c_str(), 0600), 0);
  io::write_idx(file("t10k-labels-idx1-ubyte"), zeros({3}, kU8));
  EXPECT_EQ(error(), file("t10k-images-idx3-ubyte: is not a regular file"));
}

}  // namespace
}  // namespace glia::data
