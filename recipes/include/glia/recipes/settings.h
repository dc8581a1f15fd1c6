// Settings: what a user may choose of a task. Each is declared once, and the command line, resumed
// runs, model files, summaries, reports and documents read that declaration.
//
//   struct Mine : recipes::TrainingSettings {
//     std::string model;
//     int64_t epochs = 0;
//     void declare(recipes::Fields& f) override {
//       f(model, "model", "cnn", "The kind of network.", {{"mlp", "cnn"}});
//       f(epochs, "epochs", model == "mlp" ? 60 : 12, "Passes over the data.", {1, 100000});
//       TrainingSettings::declare(f);
//     }
//   };
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace glia::recipes {

using Value = std::variant<bool, int64_t, double, std::string>;
// As a user writes it: "0.005", "true", "cnn".
std::string shown(const Value& value);

// What a number may be, both ends included.
struct Range {
  double low = 0, high = 1e18;
};
// What a text may be; any, if there are no names.
struct Choices {
  std::vector<std::string> names = {};
  std::string other = {};  // what help calls it, if other texts are taken too: "FOLDER"
};
// The names of the data sets of a task that the catalogue knows, and what else is taken.
Choices data_sets(const std::string& task, const std::string& other = "");

// One setting as it was declared. The default's type is the setting's.
struct Setting {
  std::string name, help;
  Value fallback;  // the default where all other settings have theirs
  Range range = {};
  Choices choices = {};
  std::string fallback_text = {};  // "12; 60 for mlp", where it depends on others
};
// Whether the setting may have that value, or one of another type that is as good (3 for a number);
// and what a value that it may not have is, in words: "no whole number from 1 to 1024".
bool allows(const Setting& setting, const Value& value);
std::string refusal(const Setting& setting);
// The value that a text stands for. Throws Error, "--NAME: 'TEXT' is no ...".
Value parse(const Setting& setting, const std::string& text);

// Values of settings by name, in the order of declaration.
using Values = std::vector<std::pair<std::string, Value>>;

// Visits the members of settings: f(member, name, default, help, what it may be). A default may
// use members that were visited before.
class Fields {
 public:
  virtual ~Fields() = default;
  void operator()(bool& member, const char* name, bool fallback, const char* help);
  void operator()(int64_t& member, const char* name, int64_t fallback, const char* help,
                  Range range = {});
  void operator()(double& member, const char* name, double fallback, const char* help,
                  Range range = {});
  void operator()(std::string& member, const char* name, const std::string& fallback,
                  const char* help, Choices choices = {});

 protected:
  // The value that the member gets; `now` is the one that it has.
  virtual Value visit(const Setting& setting, const Value& now) = 0;
};

// Derive from it, or from TrainingSettings, and declare the members, each of which then has its
// default or what the user chose. Every recipe has a seed.
struct Settings {
  int64_t seed = 0;

  virtual ~Settings() = default;
  virtual void declare(Fields& f);
};
// Of recipes that train by a Trainer (see Run::fit).
struct TrainingSettings : Settings {
  bool bf16 = false;
  int64_t checkpoint_steps = 0;

  void declare(Fields& f) override;
};

// What is declared, with the defaults that go with `given`.
std::vector<Setting> declared(const std::function<std::unique_ptr<Settings>()>& make,
                              const Values& given = {});
// Gives every setting its value: of `given`, or the default. Throws Error for a name that is none,
// or a value that is refused: "--NAME VALUE is no ...".
void assign(Settings& settings, const Values& given);
Values values_of(Settings& settings);

}  // namespace glia::recipes
