// What is the same on every page: its look, and what happens under the pointer.
#pragma once

namespace glia::report {

extern const char* const kStyle;   // CSS
extern const char* const kScript;  // JavaScript

}  // namespace glia::report
