// The part of Jinja that templates of conversations are written in
// (https://jinja.palletsprojects.com/templates).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace glia::llm::jinja {

struct Value;
using List = std::vector<Value>;
using Map = std::map<std::string, Value>;
struct Undefined {};
struct None {};
struct Value {
  // Maps and lists are shared, as they are in Jinja: a loop may set what is behind a namespace.
  std::variant<Undefined, None, bool, int64_t, std::string, std::shared_ptr<List>,
               std::shared_ptr<Map>>
      is;
};

// With trim_blocks and lstrip_blocks, as Transformers renders them. Throws ValueError, "chat
// template: line 3: fault".
std::string render(const std::string& source, const Map& variables);

}  // namespace glia::llm::jinja
