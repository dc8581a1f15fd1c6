// A run that is cut goes on exactly, with what callbacks remember, or says why it cannot.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "glia/io.h"
#include "tests/support/experiment.h"

namespace glia::training {
namespace {

TEST_F(Training, CutAnywhereAndResumedGivesTheSameBits) {
  Experiment whole;
  whole.trainer.add(csv(file("whole.csv")));
  whole.fit();
  for (const int64_t cut : {1, 7, 12, 13, 14, 26, 51, 52}) {
    for (const int ahead : {0, 2}) {
      {
        Experiment e;
        e.training = e.training.prefetch(ahead);
        e.trainer.add(checkpoints(file("checkpoint"), cut));
        e.trainer.add({.on_step = [&](Trainer& t) {
          if (t.step() == cut) throw std::runtime_error("killed");
        }});
        EXPECT_THROW(e.fit(), std::runtime_error);
      }
      rand({3});  // the stream is somewhere else
      Experiment e;
      e.trainer.load(file("checkpoint"));
      EXPECT_EQ(e.trainer.step(), cut);
      e.fit();
      EXPECT_EQ(e.weights(), whole.weights()) << "cut after step " << cut;
      ASSERT_EQ(e.trainer.history().size(), whole.trainer.history().size());
      for (size_t i = 0; i < whole.trainer.history().size(); ++i)
        EXPECT_EQ(e.trainer.history()[i].values, whole.trainer.history()[i].values);
    }
  }
}

TEST_F(Training, StopSavesAndFinishesLater) {
  Experiment whole;
  whole.fit();
  Experiment e;
  e.trainer.add({.on_step = [](Trainer& t) {
    if (t.step() == 20) t.stop();
  }});
  e.trainer.add(checkpoints(file("checkpoint")));
  e.fit();
  EXPECT_FALSE(e.trainer.finished());
  EXPECT_EQ(e.trainer.step(), 20);
  Experiment resumed;
  resumed.trainer.load(file("checkpoint"));
  EXPECT_EQ(resumed.trainer.step(), 20);
  resumed.fit();
  EXPECT_EQ(resumed.weights(), whole.weights());
  EXPECT_EQ(read_note(file("checkpoint")), "hello");
}

TEST_F(Training, AnInfiniteLossIsTheSameAfterAResume) {
  // 0.5 is better than an infinite loss; what a checkpoint made a NaN of it would be kept.
  const std::vector<double> losses = {INFINITY, -INFINITY, NAN, -0.0, 5e-324, 1.0 / 3};
  const auto run = [&](bool resume) {
    Experiment e(6);
    if (resume) e.trainer.load(file("checkpoint"));
    e.trainer.add(overwrite("test_loss", losses));
    if (!resume) {
      e.trainer.add(checkpoints(file("checkpoint"), 70));
      e.trainer.add({.on_step = [](Trainer& t) {
        if (t.step() == 70) throw std::runtime_error("killed");
      }});
      EXPECT_THROW(e.fit(), std::runtime_error);
    } else {
      e.fit();
      ASSERT_EQ(e.trainer.history().size(), 6u);
      for (int i = 0; i < 6; ++i) {
        const double got = value_of(e.trainer.history()[i].values, "test_loss");
        if (std::isnan(losses[i])) {
          EXPECT_TRUE(std::isnan(got));
        } else {
          EXPECT_EQ(std::bit_cast<uint64_t>(got), std::bit_cast<uint64_t>(losses[i])) << i;
        }
      }
    }
  };
  run(false);
  run(true);
}

TEST_F(Training, TheBestWeightsSurviveAKill) {
  // The third epoch of six is the best; the run ends after the fifth.
  const std::vector<double> losses = {3, 2, 1, 1, 2, 0};
  const auto prepare = [&](Experiment& e, bool best, bool checkpoints_first, int64_t cut = 0) {
    e.trainer.add(overwrite("test_loss", losses));
    const Callback stop = early_stopping("test_loss", 2, Better::kLower, {.restore_best = best});
    if (!checkpoints_first) e.trainer.add(stop);
    if (cut) e.trainer.add(checkpoints(file("checkpoint"), cut));
    if (checkpoints_first) e.trainer.add(stop);
  };
  Experiment whole(6);
  std::vector<std::vector<float>> after;
  prepare(whole, true, false, 1000);
  whole.trainer.add({.on_epoch = [&](Trainer&) { after.push_back(whole.weights()); }});
  whole.fit();
  ASSERT_EQ(after.size(), 5u);
  EXPECT_EQ(whole.weights(), after[2]);
  // Once over, it stays so; the checkpoint has the last weights, from which a run would go on.
  Experiment again(6);
  prepare(again, true, false);
  again.trainer.load(file("checkpoint"));
  EXPECT_EQ(again.weights(), after[4]);
  again.fit();
  EXPECT_EQ(again.weights(), after[2]);
  Experiment without(6);
  prepare(without, false, false);
  without.fit();
  EXPECT_EQ(without.weights(), after[4]);

  for (const bool checkpoints_first : {false, true}) {
    for (const int64_t cut : {26, 39, 40, 60, 65}) {
      for (const bool in_step : {false, true}) {
        {
          Experiment e(6);
          prepare(e, true, checkpoints_first, cut);
          const auto die = [&](Trainer& t) {
            if (t.step() == cut) throw std::runtime_error("killed");
          };
          if (in_step) {
            e.trainer.add({.on_step = die});
          } else {
            e.trainer.add({.on_epoch = die});
          }
          try {
            e.fit();
          } catch (const std::runtime_error&) {
          }
        }
        Experiment e(6);
        prepare(e, true, checkpoints_first);
        e.trainer.load(file("checkpoint"));
        e.fit();
        EXPECT_EQ(e.trainer.history().size(), 5u);
        EXPECT_EQ(e.weights(), after[2]) << "cut at " << cut;
      }
    }
  }
  Experiment blind(6);
  blind.trainer.add(overwrite("test_loss", losses));
  blind.trainer.add(checkpoints(file("blind")));
  blind.trainer.add({.on_epoch = [](Trainer& t) {
    if (t.epoch() == 4) t.stop();
  }});
  blind.fit();
  Experiment late(6);
  prepare(late, true, false);
  late.trainer.load(file("blind"));
  EXPECT_THROW(late.fit(), Error) << "the best weights are lost, and nobody is told";
}

// Every scalar of the event files in a folder, by tag and step.
std::map<std::pair<std::string, int64_t>, std::set<float>> scalars_in(const std::string& folder) {
  struct Fields {  // of a message of protocol buffers
    std::string_view bytes;
    uint64_t number(int size) {
      uint64_t n = 0;
      for (int i = 0; i < size; ++i) n |= uint64_t(uint8_t(bytes[i])) << 8 * i;
      bytes.remove_prefix(size);
      return n;
    }
    uint64_t varint() {
      uint64_t n = 0;
      for (int shift = 0;; shift += 7) {
        const uint64_t part = number(1);
        n |= (part & 127) << shift;
        if (part < 128) return n;
      }
    }
    std::string_view text() {
      const size_t size = varint();
      const std::string_view out = bytes.substr(0, size);
      bytes.remove_prefix(size);
      return out;
    }
  };
  std::map<std::pair<std::string, int64_t>, std::set<float>> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string all = io::read_file(entry.path());
    for (Fields file{all}; !file.bytes.empty();) {
      const size_t size = file.number(8);
      file.number(4);
      Fields event{file.bytes.substr(0, size)};
      file.bytes.remove_prefix(size + 4);
      int64_t step = 0;
      while (!event.bytes.empty()) {
        const uint64_t key = event.varint();
        if (key == (1 << 3 | 1)) event.number(8);
        if (key == (2 << 3 | 0)) step = static_cast<int64_t>(event.varint());
        if (key == (3 << 3 | 2)) event.text();
        if (key != (5 << 3 | 2)) continue;
        Fields summary{event.text()};
        summary.varint();
        Fields value{summary.text()};
        value.varint();
        const std::string tag(value.text());
        value.varint();
        out[{tag, step}].insert(std::bit_cast<float>(static_cast<uint32_t>(value.number(4))));
      }
    }
  }
  return out;
}

TEST_F(Training, TensorBoardShowsTheSameAfterAResume) {
  Experiment whole(8);  // of 13 steps
  whole.trainer.add(tensorboard(file("whole")));
  whole.fit();
  const auto want = scalars_in(file("whole"));
  EXPECT_EQ(want.count({"loss/step", 50}), 1u);
  EXPECT_EQ(want.count({"loss/test", 104}), 1u);
  for (const bool checkpoints_first : {false, true}) {
    for (const int64_t cut : {49, 50, 52, 53, 100}) {
      const std::string events = file("cut" + std::to_string(cut) + (checkpoints_first ? "c" : ""));
      for (const bool resume : {false, true}) {
        Experiment e(8);
        if (resume) e.trainer.load(file("checkpoint"));
        // A writer that is never closed has lost what it has not flushed.
        const Callback board = tensorboard(events);
        if (!checkpoints_first) e.trainer.add(board);
        if (!resume) {
          e.trainer.add(checkpoints(file("checkpoint"), cut));
          e.trainer.add({.on_step = [&](Trainer& t) {
            if (t.step() == cut) throw std::runtime_error("killed");
          }});
        }
        if (checkpoints_first) e.trainer.add(board);
        if (resume) {
          e.fit();
        } else {
          EXPECT_THROW(e.fit(), std::runtime_error);
        }
      }
      EXPECT_EQ(scalars_in(events), want) << "cut at " << cut;
    }
  }
}

TEST_F(Training, ResumesOnlyOnTheSameData) {
  const auto cut = [&](Experiment& e) {
    e.trainer.add(checkpoints(file("checkpoint")));
    e.trainer.add({.on_step = [](Trainer& t) {
      if (t.step() == 20) t.stop();
    }});
    e.fit();
  };
  Experiment first;
  cut(first);
  const auto fault = [&](auto&& change) -> std::string {
    Experiment e;
    change(e);
    e.trainer.load(file("checkpoint"));
    const auto before = e.weights();
    try {
      e.fit();
    } catch (const IoError& error) {
      EXPECT_EQ(e.weights(), before);
      // Once refused is not once accepted.
      EXPECT_THROW(e.fit(), IoError);
      return error.what();
    }
    return "";
  };
  const std::string start = file("checkpoint") + ": does not fit this run: its ";
  EXPECT_EQ(fault([](Experiment& e) { e.training = points().take(80).shuffle(1).batch(8); }),
            start + "training data have 13 batches in an epoch, these have 10");
  const auto others = start + "training data are others: values, order or batches differ";
  EXPECT_EQ(fault([](Experiment& e) { e.training = points().shuffle(2).batch(8); }), others);
  EXPECT_EQ(fault([](Experiment& e) {
              Tensor x = cast(arange(400), kF32);
              e.training = data::from_tensors(reshape(x, {100, 4}), zeros({100}, kI64)).batch(8);
            }),
            others);
  EXPECT_EQ(fault([](Experiment& e) { e.test = points().skip(1).batch(30); }),
            start + "test data are others: values, order or batches differ");
  EXPECT_EQ(fault([](Experiment& e) { e.training = e.training.prefetch(2); }), "");
}

TEST_F(Training, RandomTensorsInAMapResume) {
  const auto noisy = [](Experiment& e, int64_t ahead) {
    e.training = points()
                     .shuffle(1)
                     .batch(8)
                     .map([](const Tensor& x, const Tensor& y) {
                       return std::array{x + 0.1 * randn(x.shape()), y};
                     })
                     .prefetch(ahead);
  };
  Experiment whole;
  noisy(whole, 0);
  whole.fit();
  for (const int64_t ahead : {0, 3}) {
    Experiment cut;
    noisy(cut, ahead);
    cut.trainer.add(checkpoints(file("checkpoint")));
    cut.trainer.add({.on_step = [](Trainer& t) {
      if (t.step() == 20) t.stop();
    }});
    cut.fit();
    rand({3});
    Experiment e;
    noisy(e, ahead);
    e.trainer.load(file("checkpoint"));
    e.fit();
    EXPECT_EQ(e.weights(), whole.weights()) << ahead << " ahead";
  }
}

TEST_F(Training, HostileCheckpointsAreRefused) {
  Experiment e;
  e.trainer.add(checkpoints(file("checkpoint")));
  e.trainer.add({.on_step = [](Trainer& t) {
    if (t.step() == 20) t.stop();
  }});
  e.fit();
  io::Metadata metadata;
  const io::NamedTensors tensors = io::read_safetensors(file("checkpoint"), &metadata);
  ASSERT_EQ(metadata.size(), 1u);
  const auto facts = nlohmann::ordered_json::parse(metadata[0].second);
  const auto fault = [&](const io::NamedTensors& with, const nlohmann::ordered_json& said) {
    io::write_safetensors(file("bad"), with, {{metadata[0].first, said.dump()}});
    Experiment other;
    try {
      other.trainer.load(file("bad"));
      other.fit();
    } catch (const IoError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(file("bad") + ": does not fit this run: "))
          << error.what();
      return true;
    } catch (const Error&) {
      return true;
    }
    return false;
  };
  EXPECT_FALSE(fault(tensors, facts));
  for (const char* key : {"epoch", "batch", "step"}) {
    for (const nlohmann::ordered_json& bad :
         {nlohmann::ordered_json(-1), nlohmann::ordered_json(INT64_MIN),
          nlohmann::ordered_json(UINT64_MAX), nlohmann::ordered_json(1e300),
          nlohmann::ordered_json("3"), nlohmann::ordered_json(nullptr)}) {
      auto changed = facts;
      changed[key] = bad;
      EXPECT_TRUE(fault(tensors, changed)) << key << " " << bad;
    }
  }
  for (const int64_t batch : {int64_t{14}, int64_t{1} << 40, INT64_MAX}) {
    auto changed = facts;
    changed["data"]["position"] = batch;
    EXPECT_TRUE(fault(tensors, changed)) << batch;
  }
  // Sums of the running epoch that are too few, others, or no numbers.
  io::NamedTensors fewer, renamed, arrays;
  for (const auto& [name, value] : tensors) {
    const bool is_sum = name == "metrics.accuracy";
    if (!is_sum) fewer.emplace_back(name, value);
    renamed.emplace_back(is_sum ? "metrics.other" : name, value);
    arrays.emplace_back(name, is_sum ? zeros({3}, kF64) : value);
  }
  EXPECT_TRUE(fault(fewer, facts));
  EXPECT_TRUE(fault(renamed, facts));
  EXPECT_TRUE(fault(arrays, facts));
}

TEST_F(Training, AForeignCheckpointIsNamed) {
  const auto error = [&](const std::string& path) -> std::string {
    Experiment e;
    const auto before = e.weights();
    try {
      e.trainer.load(path);
    } catch (const IoError& error) {
      EXPECT_EQ(e.weights(), before) << "half of it was loaded";
      return error.what();
    }
    return "";
  };
  EXPECT_TRUE(error(file("missing")).starts_with(file("missing") + ": "));
  io::write_safetensors(file("other"), {{"x", zeros({1})}});
  EXPECT_EQ(error(file("other")), file("other") + ": is no checkpoint of a training run");

  nn::Linear other(4, 3);
  optim::AdamW optimizer(other.parameters(), {.lr = 0.01});
  Trainer trainer(supervised(other, optimizer, [](const data::Sample&) { return Outcome(); }), {});
  trainer.save(file("linear"));
  EXPECT_TRUE(error(file("linear")).starts_with(file("linear") + ": does not fit this run: "));
}

TEST_F(Training, AFailedSaveKeepsTheOldCheckpoint) {
  Experiment e;
  EXPECT_THROW(e.trainer.save("/dev/full"), IoError);
  e.trainer.save(file("checkpoint"));
  EXPECT_THROW(e.trainer.save(file("missing/checkpoint")), IoError);
  Experiment other;
  other.trainer.load(file("checkpoint"));
}

}  // namespace
}  // namespace glia::training
