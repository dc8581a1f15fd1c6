// The hydrogen molecule, for variational eigensolvers (Peruzzo et al. 2014).
#pragma once

#include "glia/quantum/observable.h"

namespace glia::quantum {

struct Molecule {
  Observable hamiltonian;   // in Hartree, with the repulsion of the nuclei
  double hartree_fock = 0;  // the energy of one determinant, which is |1100>
  double exact = 0;         // the least eigenvalue
};

// H2 at a distance in Angstrom, in the basis STO-3G (Hehre, Stewart & Pople 1969), on four wires by
// Jordan and Wigner: both spins of the lower orbital, then of the higher one. Throws ValueError
// unless the distance is from 0.1 to 10.
Molecule hydrogen(double distance, Where where = Where::current());

}  // namespace glia::quantum
