// The `glia` program as a user meets it: help, errors, a training run, its files, interruptions.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "glia/io.h"
#include "glia/ops.h"
#include "tests/cli/support.h"
#include "tests/support/files.h"

namespace glia {
namespace {

TEST_F(Cli, HelpIsComplete) {
  for (const char* arguments : {"--help", "", "train --help", "predict --help", "profile --help"})
    EXPECT_EQ(glia(arguments).status, 0) << arguments;
  const std::string train = glia("train fashion-mnist --help").out;
  for (const char* option : {"--model", "--epochs", "--batch", "--lr", "--seed", "--threads",
                             "--out", "--resume", "--overwrite", "--checkpoint-steps", "--bf16"})
    EXPECT_NE(train.find(option), std::string::npos) << option;
  const std::string predict = glia("predict fashion-mnist --help").out;
  EXPECT_NE(predict.find("inverted"), std::string::npos);
  EXPECT_NE(glia("list").out.find("fashion-mnist"), std::string::npos);
  EXPECT_TRUE(glia("--version").out.starts_with("Glia "));
}

TEST_F(Cli, DataSets) {
  for (const char* arguments : {"data --help", "data list --help", "data fetch --help"})
    EXPECT_EQ(glia(arguments).status, 0) << arguments;
  const std::string here = folder_ + "/data/fashion-mnist";
  EXPECT_NE(glia("data list").out.find(here + "\n"), std::string::npos);
  const auto all = nlohmann::json::parse(glia("data list --json").out);
  EXPECT_GE(all.size(), 5u);
  const auto set = nlohmann::json::parse(glia("data show fashion-mnist --json").out);
  EXPECT_EQ(set["folder"], here);
  EXPECT_EQ(set["files"].size(), 4u);
  EXPECT_EQ(set["classes"].size(), 10u);
  EXPECT_NE(glia("data show mnist").out.find("not verified"), std::string::npos);
  EXPECT_EQ(glia("data fetch fashion-mnist").out, "Fashion-MNIST: is in " + here + "\n");
  expect_error("data", "data: no command is named");
  expect_error("data bogus", "data: unknown command 'bogus'");
  expect_error("data show", "name is required");
  expect_error("data show bogus", "unknown data set 'bogus' (known: ");
  expect_error("data fetch bogus", "unknown data set 'bogus'");
  expect_error("data fetch cifar10", "CIFAR-10: cannot be downloaded; ");
  expect_error("data list", "GLIA_DATA is \"/nowhere\"", "GLIA_DATA=/nowhere");
}

TEST_F(Cli, EntropyOfAFile) {
  if (glia("math --help").status != 0) GTEST_SKIP() << "built without glia_math";
  const std::string path = folder_ + "/text";
  std::ofstream(path) << "abracadabra";
  const auto found = nlohmann::json::parse(glia("math entropy --json " + path).out);
  EXPECT_EQ(found["bytes"], 11);
  EXPECT_NEAR(found["bits_per_byte"][0].get<double>(), 2.0403733936884962, 1e-12);
  EXPECT_GT(found["huffman_bytes"], 3);
  EXPECT_NE(glia("math entropy " + path).out.find("order 0      2.0404 bits per byte\n"),
            std::string::npos);
  std::ofstream(folder_ + "/none");
  EXPECT_EQ(glia("math entropy " + folder_ + "/none").status, 0);
  expect_error("math", "math: no command is named");
  expect_error("math bogus", "math: unknown command 'bogus'");
  expect_error("math entropy", "file is required");
  expect_error("math entropy " + folder_ + "/nowhere", folder_ + "/nowhere");
}

TEST_F(Cli, WrongUseIsOneLineAndStatus2) {
  expect_error("bogus", "bogus");
  expect_error("train", "fashion-mnist");
  expect_error("train mnist", "unknown recipe 'mnist'");
  expect_error("predict mnist", "unknown recipe 'mnist'");
  expect_error("train fashion-mnist --bogus 3", "--bogus");
  expect_error("train fashion-mnist --epochs many", "--epochs: 'many'");
  expect_error("train fashion-mnist --epochs 0", "--epochs: '0'");
  expect_error("train fashion-mnist --lr nan", "--lr: 'nan'");
  expect_error("train fashion-mnist --model vgg", "--model: 'vgg'");
  expect_error("train fashion-mnist --threads 0", "--threads: '0'");
  // What is refused is told what is allowed.
  expect_error("train fashion-mnist --epochs 1e3", "'1e3' is no whole number from 1 to 100000");
  expect_error("train fashion-mnist --batch 1", "'1' is no whole number from 2 to 60000");
  for (const char* lr : {"1e30", "1e999", "-1", "inf", "nan", "0x1", "1e", "0,1"})
    expect_error(std::string("train fashion-mnist --lr ") + lr,
                 std::string("'") + lr + "' is no number from 0 to 1000");
  for (const char* seed : {"-1", "18446744073709551616", "1.0"})
    expect_error(std::string("train fashion-mnist --seed ") + seed,
                 "is no whole number from 0 to 1000000000000000000");
  expect_error("train fashion-mnist --threads 1025", "is no whole number from 1 to 1024");
  expect_error("train fashion-mnist --model MLP", "'MLP' is none of mlp, cnn");
  expect_error("train fashion-mnist --checkpoint-steps -1", "is no whole number from 0 to");
  expect_error("profile --top 0 list", "'0' is no whole number from 1 to 1000000");
  expect_error("predict fashion-mnist --model '' x.png", "--model: no folder is named");
  expect_error("train fashion-mnist --resume a --out b", "--out");
  expect_error("predict fashion-mnist x.png", "--model");
  expect_error("profile", "no command");
  expect_error("profile --top none list", "--top: 'none'");
  expect_error("profile --top 3 bogus", "bogus");
  expect_error("profile --floor 40 list", "--floor: '' is");
  expect_error("profile --trace nowhere/trace.json list", "nowhere/trace.json: ");
}

TEST_F(Cli, BadFilesAreNamed) {
  expect_error("train fashion-mnist --resume nowhere", "nowhere/checkpoint.safetensors: ");
  expect_error("predict fashion-mnist --model nowhere x.png", "nowhere: ");
  std::ofstream("plain") << "text";
  expect_error(kQuick + "--out plain/run", "plain/run: ");
  expect_error("predict fashion-mnist --model plain x.png", "plain: ");
  setenv("GLIA_DATA", (folder_ + "/data").c_str(), 1);
  const std::string labels = "data/fashion-mnist/train-labels-idx1-ubyte.gz";
  fs::resize_file(labels, fs::file_size(labels) / 2);
  expect_error(kQuick + "--out run", "train-labels-idx1-ubyte.gz: ");
  EXPECT_FALSE(fs::exists("run"));
}

TEST_F(Cli, NonsenseInTheEnvironmentIsOneLine) {
  const std::string predict = "predict fashion-mnist --model nowhere x.png";
  for (const auto& [variable, text] : std::initializer_list<std::pair<std::string, std::string>>{
           {"GLIA_NUM_THREADS=many", "may be a whole number from 1 to 1024"},
           {"GLIA_NUM_THREADS=0", "may be a whole number from 1 to 1024"},
           {"GLIA_EAGER=yes", "may be 0 or 1"},
           {"GLIA_CPU=fast", "may be avx512, avx2 or baseline"}}) {
    const std::string line = variable.substr(0, variable.find('=')) + " is \"" +
                             variable.substr(variable.find('=') + 1) + "\"; it " + text;
    expect_error(kQuick, line, variable);
    expect_error(predict, line, variable);
    expect_error("profile " + kQuick, line, variable);
  }
  expect_error(kQuick, "GLIA_DATA is \"/nowhere\", which is no folder", "GLIA_DATA=/nowhere");
  EXPECT_FALSE(fs::exists("runs"));
  expect_error(kQuick, "GLIA_PROFILE is \"nowhere/p.json\"; it may be the name of a file",
               "GLIA_PROFILE=nowhere/p.json");
}

TEST_F(Cli, WhatIsEmptyIsNotSet) {
  const Output o = glia(kQuick + "--lr '' --seed= --threads '' --checkpoint-steps '' --out ''",
                        "GLIA_NUM_THREADS= GLIA_CPU= GLIA_EAGER= GLIA_PROFILE=");
  ASSERT_EQ(o.status, 0) << o.err;
  ASSERT_EQ(glia(kQuick + "--resume '' --out plain").status, 2) << "both are given";
  ASSERT_EQ(glia(kQuick + "--resume ''").status, 0);
  EXPECT_EQ(io::read_file("runs/fashion-mnist-mlp/model.safetensors"),
            io::read_file("runs/fashion-mnist-mlp-2/model.safetensors"));
  ASSERT_EQ(glia("profile --trace '' --top '' --floor 40,200 list").status, 0);
}

TEST_F(Cli, DataThatDoNotBelongTogether) {
  const std::string data = "data/fashion-mnist/";
  const auto replace = [&](const char* name, auto&& use) {
    const std::string whole = io::read_file(data + name);
    fs::remove(data + name);
    use();
    io::write_file_atomic(data + name, whole);
  };
  // Whatever is installed elsewhere.
  for (const char* name : {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                           "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"})
    replace(name, [&] { expect_error(kQuick, data + name + ": is missing"); });
  replace("t10k-images-idx3-ubyte.gz", [&] {
    replace("t10k-labels-idx1-ubyte.gz", [&] {
      io::write_idx(data + "t10k-images-idx3-ubyte", zeros({0, 28, 28}, kU8));
      io::write_idx(data + "t10k-labels-idx1-ubyte", zeros({0}, kU8));
      expect_error(kQuick, "t10k-images-idx3-ubyte: holds no images");
      fs::remove(data + "t10k-images-idx3-ubyte");
      fs::remove(data + "t10k-labels-idx1-ubyte");
    });
  });
  EXPECT_FALSE(fs::exists("runs"));

  ASSERT_EQ(glia(kQuick + "--out run").status, 0);
  const std::string resume = "train fashion-mnist --resume run";
  const std::string model = io::read_file("run/model.safetensors");
  ASSERT_EQ(glia(resume).status, 0);
  write_set(data + "train", 500, false);
  expect_error(resume, "training data have 8 batches in an epoch, these have 10");
  write_set(data + "train", 400, true);
  expect_error(resume, "training data are others");
  write_set(data + "train", 400, false);
  write_set(data + "t10k", 100, false);
  expect_error(resume, "test data are others");
  write_set(data + "t10k", 100, true);
  EXPECT_EQ(glia(resume).status, 0);
  EXPECT_EQ(io::read_file("run/model.safetensors"), model);
}

TEST_F(Cli, SettingsOfACheckpointAreChecked) {
  ASSERT_EQ(glia(kQuick + "--out run").status, 0);
  const std::string path = "run/checkpoint.safetensors";
  io::Metadata metadata;
  auto tensors = io::read_safetensors(path, &metadata);
  for (auto& [name, value] : tensors) value = value + zeros_like(value);  // no longer the file's
  eval(tensors[0].second);
  const auto facts = nlohmann::ordered_json::parse(metadata[0].second);
  const auto note = nlohmann::ordered_json::parse(facts.at("note").get<std::string>());
  for (const auto& [name, value, text] :
       std::initializer_list<std::tuple<const char*, nlohmann::ordered_json, const char*>>{
           {"batch", INT64_MAX, "is no whole number from 2 to 60000"},
           {"batch", 0, "is no whole number from 2 to 60000"},
           {"batch", "many", "is no whole number from 2 to 60000"},
           {"epochs", -1, "is no whole number from 1 to 100000"},
           {"lr", nullptr, "is no number from 0 to 1000"},
           {"model", 3, "is none of mlp, cnn"},
           {"model", "cnn", "does not fit this run"},
           {"bf16", "yes", "is neither true nor false"}}) {
    auto changed = note;
    changed["settings"][name] = value;
    auto said = facts;
    said["note"] = changed.dump();
    io::write_safetensors("bad", tensors, {{metadata[0].first, said.dump()}});
    fs::rename("bad", path);
    expect_error("train fashion-mnist --resume run", text);
  }
}

// Pictures in every kind of PNG: class 7's two bright rows, which any of them must show.
TEST_F(Cli, PredictsFromEveryKindOfPicture) {
  ASSERT_EQ(glia(kTrain + "--epochs 12 --out run").status, 0);
  const auto bright = [](int64_t y) { return y == 18 || y == 19; };
  const auto rows = [&](int64_t width, auto&& pixel) {
    std::string out;
    for (int64_t y = 0; y < 28; ++y) {
      out += '\0';
      for (int64_t x = 0; x < width; ++x) out += pixel(bright(y));
    }
    return out;
  };
  const auto text = [](std::initializer_list<int> bytes) {
    std::string out;
    for (const int byte : bytes) out += static_cast<char>(byte);
    return out;
  };
  std::string packed, interlaced;
  for (int64_t y = 0; y < 28; ++y) packed += '\0' + std::string(4, bright(y) ? '\xff' : '\0');
  const int passes[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                            {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};  // x, y, their steps
  for (const auto& [left, top, right, down] : passes)
    for (int y = top; y < 28; y += down) {
      interlaced += '\0';
      for (int x = left; x < 28; x += right) interlaced += bright(y) ? '\xb4' : '\x10';
    }
  const std::pair<const char*, std::string> pictures[] = {
      {"grey8", io::png(28, 28, 8, 0, rows(28, [&](bool b) { return text({b ? 180 : 16}); }))},
      {"grey16", io::png(28, 28, 16, 0,
                         rows(28,
                              [&](bool b) {
                                return text({b ? 180 : 16, 7});
                              }))},
      {"grey1", io::png(28, 28, 1, 0, packed)},
      {"alpha8", io::png(28, 28, 8, 4,
                         rows(28,
                              [&](bool b) {
                                return text({b ? 180 : 16, 255});
                              }))},
      // Black where it is opaque: what is transparent lies on white, and it is inverted.
      {"alpha16", io::png(28, 28, 16, 4,
                          rows(28,
                               [&](bool b) {
                                 return text({0, 0, b ? 200 : 0, 0});
                               }))},
      {"rgb16", io::png(28, 28, 16, 2,
                        rows(28,
                             [&](bool b) {
                               const int v = b ? 180 : 16;
                               return text({v, 1, v, 2, v, 3});
                             }))},
      {"rgba8", io::png(28, 28, 8, 6,
                        rows(28,
                             [&](bool b) {
                               const int v = b ? 180 : 16;
                               return text({v, v, v, 255});
                             }))},
      {"palette", io::png(28, 28, 8, 3, rows(28, [&](bool b) { return text({b}); }),
                          text({16, 16, 16, 180, 180, 180}))},
      {"interlaced", io::png(28, 28, 8, 0, interlaced, "", "", 1)},
  };
  std::string inputs;
  for (const auto& [name, bytes] : pictures) {
    io::write_file_atomic(std::string(name) + ".png", bytes);
    inputs += std::string(" ") + name + ".png";
  }
  const Output o = glia("predict fashion-mnist --model run" + inputs);
  ASSERT_EQ(o.status, 0) << o.err;
  for (const auto& [name, bytes] : pictures)
    EXPECT_NE(o.out.find(std::string(name) + ".png: Sneaker"), std::string::npos) << name << o.out;

  // One row or one pixel, and as many as fit: 16 million columns, in a file of a few kilobytes.
  io::write_png("row.png", zeros({1, 30000}, kU8));
  io::write_png("column.png", zeros({30000, 1}, kU8));
  io::write_png("pixel.png", zeros({1, 1}, kU8));
  // The square around the row would take 3.6 GB.
  const Output wide =
      glia("predict fashion-mnist --model run row.png column.png pixel.png", "ulimit -v 2000000;");
  EXPECT_EQ(wide.status, 0) << wide.err;
  EXPECT_NE(wide.out.find("resized from 30000 x 1\n"), std::string::npos) << wide.out;
  io::write_file_atomic("bomb.png", io::png(100000, 1000, 1, 0, std::string(12501000, '\0')));
  expect_error("predict fashion-mnist --model run bomb.png",
               "bomb.png: 100000 x 1000 pixels are more than the 67,108,864 that are read");
  ASSERT_EQ(mkfifo("pipe", 0600), 0);
  expect_error("predict fashion-mnist --model run pipe", "pipe: is not a regular file");
  expect_error("predict fashion-mnist --model pipe grey8.png", "pipe: is not a regular file");
}

TEST_F(Cli, BrokenModelsAreNamed) {
  ASSERT_EQ(glia(kQuick + "--out run").status, 0);
  io::write_png("x.png", zeros({28, 28}, kU8));
  const std::string path = "run/model.safetensors";
  const std::string whole = io::read_file(path);
  io::Metadata metadata;
  io::NamedTensors tensors = io::read_safetensors(path, &metadata);
  const auto says = [&](auto&& change, const std::string& text) {
    io::NamedTensors changed = tensors;
    io::Metadata said = metadata;
    change(changed, said);
    io::write_safetensors("other.safetensors", changed, said);
    expect_error("predict fashion-mnist --model other.safetensors x.png", text);
  };
  using Tensors = io::NamedTensors;
  using Texts = io::Metadata;
  for (const double value : {NAN, INFINITY})
    says([&](Tensors& t, Texts&) { t.back().second = t.back().second + value; },
         "other.safetensors: gives no numbers for x.png: its weights are broken");
  says([](Tensors& t, Texts&) { t.back().second = zeros({7}); }, "other.safetensors: ");
  says([](Tensors& t, Texts&) { t.pop_back(); }, "other.safetensors: ");
  says([](Tensors& t, Texts&) { t.emplace_back("more", zeros({7})); }, "other.safetensors: ");
  says([](Tensors&, Texts& m) { m.clear(); }, "other.safetensors: is no model of fashion-mnist");
  says(
      [](Tensors&, Texts& m) {
        for (auto& [key, value] : m)
          if (key == "model") value = "cnn";
      },
      "other.safetensors: ");
  for (const size_t size : {size_t{0}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    io::write_file_atomic(path, whole.substr(0, size));
    expect_error("predict fashion-mnist --model run x.png", path + ": ");
  }
  fs::remove(path);
  expect_error("predict fashion-mnist --model run x.png", path + ": No such file or directory");
  expect_error("predict fashion-mnist --model run/checkpoint.safetensors x.png",
               "checkpoint.safetensors: is no model of fashion-mnist");
}

TEST_F(Cli, TrainsAndLeavesItsFiles) {
  const Output o = glia(kTrain + "--epochs 12");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(o.err, "");
  EXPECT_EQ(o.out.find('\r'), std::string::npos) << "a bar where output is no terminal";
  EXPECT_NE(o.out.find("epoch 12/12"), std::string::npos) << o.out;

  const std::string run = "runs/fashion-mnist-mlp/";
  const auto summary = nlohmann::json::parse(io::read_file(run + "summary.json"));
  EXPECT_GT(summary.at("test_accuracy"), 0.9);
  EXPECT_EQ(summary.at("seed"), 0);
  EXPECT_EQ(summary.at("epochs"), 12);
  EXPECT_EQ(summary.at("steps"), 96);
  for (const char* key : {"version", "seconds", "lr", "batch", "model", "parameters"})
    EXPECT_TRUE(summary.contains(key)) << key;

  std::ifstream metrics(run + "metrics.csv");
  std::string line;
  std::getline(metrics, line);
  EXPECT_EQ(line, "epoch,step,seconds,lr,train_loss,train_accuracy,test_loss,test_accuracy");
  int rows = 0;
  while (std::getline(metrics, line)) ++rows;
  EXPECT_EQ(rows, 12);

  const std::string report = io::read_file(run + "report.html");
  for (const char* part : {"<svg", "Confusion matrix", "data:image/png;base64,", "Ankle boot"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
  EXPECT_EQ(report.find("http"), std::string::npos) << "the page needs something from outside";

  io::Metadata metadata;
  const auto weights = io::read_safetensors(run + "model.safetensors", &metadata);
  ASSERT_FALSE(weights.empty());
  EXPECT_EQ(weights[0].first, "fc1.weight");
  EXPECT_EQ(weights[0].second.shape(), Shape({256, 784}));
  int events = 0;
  for (const auto& entry : fs::directory_iterator(run))
    events += entry.path().filename().string().starts_with("events.out.tfevents.");
  EXPECT_EQ(events, 1);

  // The data set's own picture, and the same enlarged, in colour and on white.
  const Tensor image = index(io::read_idx("data/fashion-mnist/t10k-images-idx3-ubyte.gz"), {7});
  io::write_png("small.png", image);
  const Tensor grey = 255 - cast(image, kI32);
  const Tensor large =
      reshape(expand(reshape(grey, {28, 1, 28, 1, 1}), {28, 3, 28, 3, 3}), {84, 84, 3});
  io::write_png("large.png", cast(large, kU8));
  const Output p = glia("predict fashion-mnist --model " + run + " small.png large.png");
  ASSERT_EQ(p.status, 0) << p.err;
  EXPECT_NE(p.out.find("small.png: Sneaker\n"), std::string::npos) << p.out;
  EXPECT_NE(p.out.find("large.png: Sneaker, inverted because its background is bright, resized "
                       "from 84 x 84\n"),
            std::string::npos)
      << p.out;
  EXPECT_NE(p.out.find("Ankle boot"), std::string::npos) << "probabilities are missing";
  expect_error("predict fashion-mnist --model " + run + " small.png missing.png", "missing.png: ");
}

TEST_F(Cli, NeedsNoOption) {
  const Output o = glia("train fashion-mnist");
  ASSERT_EQ(o.status, 0) << o.err;
  const auto summary = nlohmann::json::parse(io::read_file("runs/fashion-mnist-cnn/summary.json"));
  EXPECT_EQ(summary.at("model"), "cnn");
  EXPECT_LT(summary.at("parameters"), 100000);
}

TEST_F(Cli, TrainsInBf16) {
  const Output o = glia(kTrain + "--epochs 12 --bf16 --out half", "GLIA_CPU=avx2");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_EQ(std::count(o.err.begin(), o.err.end(), '\n'), 1) << "slow is not said once: " << o.err;
  EXPECT_NE(o.err.find("no bf16 instructions"), std::string::npos) << o.err;
  const auto summary = nlohmann::json::parse(io::read_file("half/summary.json"));
  EXPECT_EQ(summary.at("bf16"), true);
  EXPECT_GT(summary.at("test_accuracy"), 0.9);
  for (const auto& [key, weight] : io::read_safetensors("half/model.safetensors"))
    EXPECT_EQ(weight.dtype(), kF32) << key;

  ASSERT_EQ(glia(kQuick + "--out whole").status, 0);
  expect_error("train fashion-mnist --resume whole --bf16", "--bf16 true: ");
}

TEST_F(Cli, Profiles) {
  const auto events = [](const std::string& path) {
    return nlohmann::json::parse(io::read_file(path)).at("traceEvents").size();
  };
  ASSERT_EQ(glia(kQuick + "--out plain").status, 0);
  const Output o =
      glia("profile --trace trace.json --top 3 --floor 40,200 " + kQuick + "--out run");
  ASSERT_EQ(o.status, 0) << o.err;
  EXPECT_NE(o.out.find("Floors: 40.0 GB/s, 200 GFLOP/s"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("matmul"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("more kernels"), std::string::npos) << o.out;
  EXPECT_GT(events("trace.json"), 500u);
  EXPECT_EQ(io::read_file("run/model.safetensors"), io::read_file("plain/model.safetensors"));

  const Output p = glia(kQuick + "--out other", "GLIA_PROFILE=other.json");
  ASSERT_EQ(p.status, 0) << p.err;
  EXPECT_NE(p.err.find("matmul"), std::string::npos) << p.err;
  EXPECT_EQ(p.out.find("matmul"), std::string::npos) << "the table mixes with the program's output";
  EXPECT_GT(events("other.json"), 500u);
  EXPECT_EQ(glia("profile list").status, 0);
}

TEST_F(Cli, AFolderWithARunIsKept) {
  ASSERT_EQ(glia(kQuick + "--out run").status, 0);
  const std::string model = io::read_file("run/model.safetensors");
  expect_error(kQuick + "--seed 1 --out run", "run: already holds a run");
  EXPECT_EQ(io::read_file("run/model.safetensors"), model);
  ASSERT_EQ(glia(kQuick + "--seed 1 --out run --overwrite").status, 0);
  EXPECT_NE(io::read_file("run/model.safetensors"), model);

  ASSERT_EQ(glia(kQuick).status, 0);
  ASSERT_EQ(glia(kQuick).status, 0);
  EXPECT_EQ(io::read_file("runs/fashion-mnist-mlp/model.safetensors"), model);
  EXPECT_EQ(io::read_file("runs/fashion-mnist-mlp-2/model.safetensors"), model);
}

TEST_F(Cli, ThreadsDoNotChangeTheBits) {
  const std::string cnn = "train fashion-mnist --model cnn --epochs 1 --batch 50 ";
  std::string first;
  for (const char* threads : {"1", "2", "4"}) {
    const std::string out = std::string("threads") + threads;
    ASSERT_EQ(glia(cnn + "--threads " + threads + " --out " + out).status, 0);
    const std::string model = io::read_file(out + "/model.safetensors");
    if (first.empty()) first = model;
    EXPECT_EQ(model, first) << threads << " threads";
  }
}

TEST_F(Cli, KilledAtAnyTimeAndResumedGivesTheSameBits) {
  const std::string settings =
      "train fashion-mnist --model cnn --epochs 6 --batch 20 --checkpoint-steps 1 ";
  ASSERT_EQ(glia(settings + "--out whole").status, 0);
  int kills = 0;
  std::string go = settings + "--out cut";
  for (int attempt = 0; attempt < 200; ++attempt) {
    const pid_t pid = start(go);
    std::this_thread::sleep_for(std::chrono::milliseconds(60 + 11 * attempt));
    kill(pid, SIGKILL);
    const Output o = finish(pid);
    if (o.status == 0) break;
    ASSERT_EQ(o.status, 1000 + SIGKILL) << o.err;
    ++kills;
    if (fs::exists("cut/checkpoint.safetensors")) {
      io::read_safetensors("cut/checkpoint.safetensors");
      go = "train fashion-mnist --resume cut";
    }
  }
  ASSERT_EQ(glia("train fashion-mnist --resume cut").status, 0);
  EXPECT_GT(kills, 2);
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
  const auto losses = [](const std::string& path) {  // the columns after the clock's
    std::ifstream file(path);
    std::string all;
    for (std::string line; std::getline(file, line);)
      all += line.substr(line.find(',', line.find(',', line.find(',') + 1) + 1)) + "\n";
    return all;
  };
  EXPECT_EQ(losses("cut/metrics.csv"), losses("whole/metrics.csv"));
}

TEST_F(Cli, InterruptSavesAndSaysHowToGoOn) {
  const std::string settings = "train fashion-mnist --model mlp --epochs 60 --batch 10 ";
  ASSERT_EQ(glia(settings + "--out whole").status, 0);
  const pid_t pid = start(settings + "--out cut");
  while (!fs::exists("cut/checkpoint.safetensors"))
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  kill(pid, SIGTERM);
  const Output o = finish(pid);
  ASSERT_EQ(o.status, 128 + SIGTERM) << o.out << o.err;
  EXPECT_NE(o.err.find("glia train fashion-mnist --resume cut"), std::string::npos) << o.err;

  expect_error("train fashion-mnist --resume cut --batch 20", "--batch 20: ");
  ASSERT_EQ(glia("train fashion-mnist --resume cut --batch 10 --threads 1").status, 0);
  EXPECT_EQ(io::read_file("cut/model.safetensors"), io::read_file("whole/model.safetensors"));
}

TEST_F(Cli, AFullDiskKeepsTheLastCheckpointWhole) {
  // No file may grow beyond 1 MiB: the checkpoint of the perceptron, at 2.9 MB, cannot be written.
  ASSERT_EQ(glia(kQuick + "--out run").status, 0);
  const std::string before = io::read_file("run/checkpoint.safetensors");
  fs::remove("run/model.safetensors");
  expect_error("train fashion-mnist --resume run", "run/", "ulimit -f 1024;");
  EXPECT_EQ(io::read_file("run/checkpoint.safetensors"), before);
  expect_error(kQuick + "--out other", "other/checkpoint.safetensors: ", "ulimit -f 1024;");
  for (const auto& entry : fs::directory_iterator("other"))
    EXPECT_FALSE(entry.path().filename().string().starts_with("checkpoint"))
        << entry.path() << " was left behind";
}

TEST_F(Cli, ADamagedCheckpointIsNamed) {
  ASSERT_EQ(glia(kQuick + "--out run").status, 0);
  const std::string path = "run/checkpoint.safetensors";
  const std::string whole = io::read_file(path);
  const std::string model = io::read_file("run/model.safetensors");
  for (const size_t size : {size_t{0}, size_t{7}, size_t{500}, whole.size() - 1}) {
    io::write_file_atomic(path, whole.substr(0, size));
    expect_error("train fashion-mnist --resume run", path + ": ");
  }
  io::write_file_atomic(path, model);
  expect_error("train fashion-mnist --resume run", path + ": is no checkpoint");
  EXPECT_EQ(io::read_file("run/model.safetensors"), model);
}

}  // namespace
}  // namespace glia
