#include "glia/recipes/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "glia/catalogue.h"
#include "glia/error.h"

namespace glia::recipes {
namespace {

template <class T>
bool parse_number(const std::string& text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// The value in the setting's own type, if it has one there.
std::optional<Value> converted(const Setting& setting, const Value& value) {
  if (setting.fallback.index() == value.index()) return value;
  const auto* whole = std::get_if<int64_t>(&value);
  if (whole && std::holds_alternative<double>(setting.fallback)) return static_cast<double>(*whole);
  return {};
}

bool in_range(const Setting& setting, double number) {
  return number >= setting.range.low && number <= setting.range.high;
}

// Notes what is declared, and gives each member its default or what is given.
class Assigner : public Fields {
 public:
  explicit Assigner(const Values& given) : given_(given), used_(given.size()) {}

  std::vector<Setting> settings;

  // Throws for what was given and is no setting.
  void finish() const {
    for (size_t i = 0; i < given_.size(); ++i)
      if (!used_[i]) throw Error("there is no setting --" + given_[i].first);
  }

 protected:
  Value visit(const Setting& setting, const Value&) override {
    settings.push_back(setting);
    Value value = setting.fallback;
    for (size_t i = 0; i < given_.size(); ++i) {
      if (given_[i].first != setting.name) continue;
      used_[i] = true;
      if (!allows(setting, given_[i].second))
        throw Error(
            fmt::format("--{} {} is {}", setting.name, shown(given_[i].second), refusal(setting)));
      value = *converted(setting, given_[i].second);
    }
    return value;
  }

 private:
  const Values& given_;
  std::vector<bool> used_;
};

class Reader : public Fields {
 public:
  Values values;

 protected:
  Value visit(const Setting& setting, const Value& now) override {
    values.emplace_back(setting.name, now);
    return now;
  }
};

}  // namespace

std::string shown(const Value& value) {
  return std::visit([](const auto& v) { return fmt::format("{}", v); }, value);
}

Choices data_sets(const std::string& task, const std::string& other) {
  Choices choices{.other = other};
  for (const data::Entry* set : data::catalogue())
    if (set->task == task) choices.names.push_back(set->name);
  return choices;
}

bool allows(const Setting& setting, const Value& value) {
  const std::optional<Value> own = converted(setting, value);
  if (!own) return false;
  if (const auto* whole = std::get_if<int64_t>(&*own))
    return in_range(setting, static_cast<double>(*whole));
  if (const auto* number = std::get_if<double>(&*own)) return in_range(setting, *number);
  const auto* text = std::get_if<std::string>(&*own);
  const Choices& choices = setting.choices;
  return !text || choices.names.empty() || !choices.other.empty() ||
         std::ranges::count(choices.names, *text) > 0;
}

std::string refusal(const Setting& setting) {
  if (std::holds_alternative<bool>(setting.fallback)) return "neither true nor false";
  if (std::holds_alternative<int64_t>(setting.fallback))
    return fmt::format("no whole number from {:.0f} to {:.0f}", setting.range.low,
                       setting.range.high);
  if (std::holds_alternative<double>(setting.fallback))
    return fmt::format("no number from {} to {}", setting.range.low, setting.range.high);
  if (setting.choices.names.empty() || !setting.choices.other.empty()) return "no text";
  return fmt::format("none of {}", fmt::join(setting.choices.names, ", "));
}

Value parse(const Setting& setting, const std::string& text) {
  Value value = text;
  int64_t whole = 0;
  double number = 0;
  if (std::holds_alternative<int64_t>(setting.fallback) && parse_number(text, whole)) value = whole;
  if (std::holds_alternative<double>(setting.fallback) && parse_number(text, number))
    value = number;
  if (std::holds_alternative<bool>(setting.fallback) && (text == "true" || text == "false"))
    value = text == "true";
  if (!allows(setting, value))
    throw Error("--" + setting.name + ": '" + text + "' is " + refusal(setting));
  return value;
}

void Fields::operator()(bool& member, const char* name, bool fallback, const char* help) {
  member = std::get<bool>(visit({name, help, fallback}, member));
}
void Fields::operator()(int64_t& member, const char* name, int64_t fallback, const char* help,
                        Range range) {
  member = std::get<int64_t>(visit({name, help, fallback, range}, member));
}
void Fields::operator()(double& member, const char* name, double fallback, const char* help,
                        Range range) {
  member = std::get<double>(visit({name, help, fallback, range}, member));
}
void Fields::operator()(std::string& member, const char* name, const std::string& fallback,
                        const char* help, Choices choices) {
  member = std::get<std::string>(visit({name, help, fallback, {}, std::move(choices)}, member));
}

void Settings::declare(Fields& f) {
  f(seed, "seed", 0, "Decides everything that is random: equal seeds give equal bits.");
}

void TrainingSettings::declare(Fields& f) {
  Settings::declare(f);
  f(bf16, "bf16", false, "Multiplies in bf16; weights and the optimizer stay in f32.");
  f(checkpoint_steps, "checkpoint-steps", 0,
    "Saves a checkpoint every N steps too, and not only after each epoch; 0: does not.");
}

std::vector<Setting> declared(const std::function<std::unique_ptr<Settings>()>& make,
                              const Values& given) {
  const auto with = [&](const Values& more) {
    Values all = more;  // of two of one name the last counts
    all.insert(all.end(), given.begin(), given.end());
    Assigner assigner(all);
    make()->declare(assigner);
    return assigner.settings;
  };
  std::vector<Setting> settings = with({});
  // How a default depends on others is seen where each of these has another of its choices: by
  // setting each other default, and the choices that have it.
  using Others = std::vector<std::pair<std::string, std::vector<std::string>>>;
  std::vector<Others> others(settings.size());
  for (const Setting& other : settings)
    for (const std::string& choice : other.choices.names) {
      const std::vector<Setting> changed = with({{other.name, choice}});
      for (size_t i = 0; i < settings.size() && i < changed.size(); ++i) {
        if (settings[i].name == other.name || settings[i].fallback == changed[i].fallback) continue;
        const std::string value = shown(changed[i].fallback);
        auto at = std::ranges::find(others[i], value, &Others::value_type::first);
        if (at == others[i].end()) at = others[i].insert(at, {value, {}});
        if (std::ranges::count(at->second, choice) == 0) at->second.push_back(choice);
      }
    }
  for (size_t i = 0; i < settings.size(); ++i) {
    settings[i].fallback_text = shown(settings[i].fallback);
    for (const auto& [value, choices] : others[i])
      settings[i].fallback_text += fmt::format("; {} for {}", value, fmt::join(choices, ", "));
  }
  return settings;
}

void assign(Settings& settings, const Values& given) {
  Assigner assigner(given);
  settings.declare(assigner);
  assigner.finish();
}

Values values_of(Settings& settings) {
  Reader reader;
  settings.declare(reader);
  return reader.values;
}

}  // namespace glia::recipes
