// Circuits as OpenQASM 2.0 (Cross et al. 2017).
#pragma once

#include <string>

#include "glia/quantum/circuit.h"

namespace glia::quantum {

// All gates of qelib1.inc, and those that the text defines. The first qubit of the first register
// is wire 0. Measurements at the end are passed over, since any can be asked for. Throws IoError,
// "NAME: line 3: fault", for what is no OpenQASM, for reset, if, opaque gates and gates behind a
// measurement, and for texts that stand for more than a million gates.
Circuit from_qasm(const std::string& text, const CircuitOptions& options = {},
                  const std::string& name = "QASM");
Circuit read_qasm(const std::string& path, const CircuitOptions& options = {});

// Global phases are left out. Angles that are tensors are written as the numbers that they are.
// Throws ValueError for channels and gates that qelib1.inc has not and that are not made of such,
// and for a circuit with a batch.
std::string to_qasm(const Circuit& circuit, Where where = Where::current());
// Appears whole or not at all.
void write_qasm(const std::string& path, const Circuit& circuit, Where where = Where::current());

}  // namespace glia::quantum
