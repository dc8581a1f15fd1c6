// `glia run FILE.onnx`: what an ONNX model is, and what it makes of inputs. `glia export`: a
// trained model as such a file.
#pragma once

#include <CLI/CLI.hpp>

#include "cli/session.h"

namespace glia {

void add_onnx(CLI::App& app, const Session& session);

}  // namespace glia
