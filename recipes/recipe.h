// A recipe is a task that can be trained and used from the command line: model, data and report.
// Adding one is adding a file that defines a `const Registered`.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace glia::recipes {

// The values of a recipe's settings by name.
using Settings = nlohmann::ordered_json;

// One setting, and the command line's option for it.
struct Setting {
  enum Kind { kInteger, kNumber, kChoice, kFlag };  // a flag is false or given
  std::string name;                                 // "epochs" for --epochs
  Kind kind = kInteger;
  std::string help = {};
  std::string fallback = {};              // what help calls the default
  std::vector<std::string> choices = {};  // of kChoice
  double low = 0, high = 1e18;            // of the others, both included
};
// Whether the setting may have that value; and what a value that it may not have is, in words:
// "no whole number from 1 to 1024".
bool allows(const Setting& setting, const Settings& value);
std::string refusal(const Setting& setting);

struct TrainJob {
  Settings given = Settings::object();  // what the user set; the rest has defaults
  std::string out;                      // the folder to fill; empty: a new one under runs/
  bool resume = false;                  // go on from the checkpoint in `out`
  bool overwrite = false;               // whatever run `out` holds is replaced
  std::function<bool()> interrupted;    // asked after each step
};

struct PredictJob {
  std::string model;  // the folder of a run, or a .safetensors file
  std::vector<std::string> inputs;
};

struct Recipe {
  std::string name, description;
  std::vector<Setting> settings;
  std::function<void(const TrainJob&)> train;
  std::string input;         // what `predict` takes, as help names it
  std::string predict_help;  // what it does with them
  std::function<void(const PredictJob&)> predict;
};

// Thrown by train() after an interruption: what was saved, and how to go on.
class Interrupted : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Every recipe, by name; and the one of that name.
const std::vector<const Recipe*>& all();
const Recipe& named(const std::string& name);

class Registered {
 public:
  explicit Registered(Recipe recipe);

 private:
  Recipe recipe_;
};

}  // namespace glia::recipes
