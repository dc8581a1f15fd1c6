// UMAP's graph: how surely samples are connected.
#pragma once

#include <cstdint>
#include <vector>

#include "glia/classic/neighbors.h"
#include "graph.h"

namespace glia::classic {

// Of each sample, by its distances to k others, itself among them at first place (rows, k): how far
// it is to what is surely connected, and over which distance certainty falls, such that the
// memberships add up to log2(k) (within 1e-5, or after 64 halvings).
struct LocalScale {
  std::vector<double> rho, sigma;
};
LocalScale local_scale(const double* distances, int64_t rows, int64_t k, double local_connectivity);

// exp(-(d - rho) / sigma), 1 where d is at most rho; 0 of a sample with itself if `self`: query i
// is sample i. (rows, k).
std::vector<double> memberships(const KNeighbors& near, double local_connectivity, bool self);

// The union, or by `mix` below 1 partly the intersection, of what each of two samples has of the
// other.
Graph fuzzy_set(const KNeighbors& near, double local_connectivity, double mix, Where where);

}  // namespace glia::classic
