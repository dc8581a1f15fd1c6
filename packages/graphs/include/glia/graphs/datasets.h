// Graphs from files: data sets by name, TU Dortmund's form, lists of edges, and tables of nodes and
// edges. Files may be gzipped. Every fault is an IoError of one line, "FILE: fault".
#pragma once

#include <string>
#include <vector>

#include "glia/graphs/data.h"

namespace glia::graphs {

// One graph whose nodes have names and, if y is defined, classes: y (N) i64 numbers `classes`, -1
// where the class is not known.
struct NodeGraph : Data {
  std::vector<std::string> ids, classes;
};

// Citations with the public split of Yang et al. 2016: bags of words x (N, words) as a sparse
// matrix, whose rows sum to 1 if `normalize`. "cora": 2,708 nodes, 10,556 edges, 1,433 words, 7
// classes; "citeseer": 3,327, 9,104, 3,703, 6. The folder as for glia/catalogue.h.
NodeGraph planetoid(const std::string& name, bool normalize = true, const std::string& folder = "");
// The same of a folder of one's own: nodes.tsv, each line a node's number, class (-1: unknown),
// split (train, val, test, none) and which words it has, between tabs; edges.tsv, two nodes a line,
// for both directions. Lines that begin with # are none.
NodeGraph read_planetoid(const std::string& folder, bool normalize = true);

struct TUOptions {
  bool use_node_attr = false;  // also node_attributes, in front of the labels
  bool use_edge_attr = false;
};
// Graphs with a class each in the form of TU Dortmund (Morris et al. 2020): a folder, or a tar
// file, of NAME_A.txt, NAME_graph_indicator.txt, NAME_graph_labels.txt and more. x are labels of
// nodes as one-hot rows and edge_attr those of edges, where there are any; y (1) i64 numbers the
// classes in the order of their labels.
std::vector<Data> read_tu(const std::string& path, const TUOptions& options = {});
// By name, in the catalogue's folder "tu": "mutag" (188 graphs), "proteins" (1,113), "nci109".
std::vector<Data> tu_dataset(const std::string& name, const std::string& folder = "");
std::vector<std::string> tu_names();
// The same graphs with one-hot degrees, up to the greatest of all, as features of their nodes.
std::vector<Data> one_hot_degrees(std::vector<Data> graphs);

struct EdgeOptions {
  bool undirected = true;  // each edge is in both directions, once
};
// Lines of two nodes' names and maybe a weight, between blanks, tabs or commas; # and % begin
// comments. Nodes are numbered in the order in which they come.
NodeGraph read_edge_list(const std::string& path, const EdgeOptions& options = {});

// Tables (CSV, or TSV by the name's end). Nodes have the columns "id" and, if they like, "label"
// and "split" (train, val, test); all others are features: numbers, or texts as one-hot rows. Edges
// have "source" and "target", ids of nodes, and maybe "weight"; other columns of numbers are
// edge_attr.
NodeGraph read_tables(const std::string& nodes, const std::string& edges,
                      const EdgeOptions& options = {});

// What `from` holds: a data set's name, or a folder with nodes.tsv and edges.tsv in planetoid's
// form, with tables nodes.csv and edges.csv, or with edges.txt alone.
NodeGraph read_nodes(const std::string& from);

}  // namespace glia::graphs
