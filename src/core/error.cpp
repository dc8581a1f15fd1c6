#include "glia/error.h"

#include <string_view>

namespace glia {
namespace {

std::string located(const std::string& message, const std::source_location& where) {
  if (where.line() == 0) return message;  // not known, as in an assignment
  std::string_view file = where.file_name();
  file.remove_prefix(file.find_last_of("/\\") + 1);  // npos + 1 is 0
  return message + " at " + std::string(file) + ":" + std::to_string(where.line());
}

}  // namespace

Error::Error(const std::string& message, const std::source_location& where)
    : std::runtime_error(located(message, where)) {}

}  // namespace glia
