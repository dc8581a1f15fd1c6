#include <algorithm>
#include <cstdio>

#include "glia/ops.h"
#include "glia/quantum/circuit.h"
#include "lowering.h"

namespace glia::quantum {
namespace {

// What one operation is on a drawing.
struct Drawn {
  std::string label;  // of its targets
  std::vector<int64_t> targets;
  std::vector<std::pair<int64_t, bool>> controls;  // and what they must be
  int64_t top = 0, bottom = 0;
  size_t column = 0;
};

std::string label_of(const Operation& o) {
  static const std::pair<const char*, const char*> kShort[] = {{"PauliX", "X"},
                                                               {"PauliY", "Y"},
                                                               {"PauliZ", "Z"},
                                                               {"Hadamard", "H"},
                                                               {"CNOT", "X"},
                                                               {"CY", "Y"},
                                                               {"CZ", "Z"},
                                                               {"CH", "H"},
                                                               {"Toffoli", "X"},
                                                               {"CCZ", "Z"},
                                                               {"MultiControlledX", "X"},
                                                               {"CSWAP", "SWAP"},
                                                               {"CRX", "RX"},
                                                               {"CRY", "RY"},
                                                               {"CRZ", "RZ"},
                                                               {"CRot", "Rot"},
                                                               {"Identity", "I"},
                                                               {"PhaseShift", "P"},
                                                               {"ControlledPhaseShift", "P"},
                                                               {"QubitUnitary", "U"}};
  std::string out = o.name;
  for (const auto& [name, text] : kShort)
    if (o.name == name) out = text;
  std::string angles;
  for (const Angle& a : o.angles) {
    double value = a.number();
    if (!a.is_number()) {
      const Tensor t = a.at() < 0 ? a.tensor() : slice(a.tensor(), -1, Slice{a.at(), a.at() + 1});
      if (t.numel() != 1) return out;  // a batch has none that could be written
      value = stop_gradient(t).item();
    }
    char text[32];
    std::snprintf(text, sizeof(text), "%.2f", value);
    angles += (angles.empty() ? "" : ",") + std::string(text);
  }
  if (!angles.empty()) out += "(" + angles + ")";
  return out + (o.inverse ? "†" : "");
}

// Operations from left to right, as far to the left as wires between theirs are free.
std::vector<Drawn> placed(const Circuit& circuit, size_t* columns) {
  std::vector<size_t> free(static_cast<size_t>(circuit.wires()), 0);
  std::vector<Drawn> out;
  *columns = 0;
  for (const Operation& o : circuit.operations()) {
    Drawn d;
    d.label = label_of(o);
    for (size_t i = 0; i < o.controls.size(); ++i)
      d.controls.emplace_back(o.controls[i], o.control_values.empty() || o.control_values[i]);
    const int own = own_controls(o);
    // MultiControlledX says in its part what its controls must be.
    const bool many = o.name == "MultiControlledX";
    for (int i = 0; i < own; ++i)
      d.controls.emplace_back(o.wires[static_cast<size_t>(i)],
                              !many || o.parts[0].control_values[static_cast<size_t>(i)]);
    d.targets.assign(o.wires.begin() + own, o.wires.end());
    std::vector<int64_t> all = d.targets;
    for (const auto& [wire, value] : d.controls) all.push_back(wire);
    if (all.empty()) continue;
    const auto [low, high] = std::ranges::minmax(all);
    d.top = low;
    d.bottom = high;
    for (int64_t w = low; w <= high; ++w)
      d.column = std::max(d.column, free[static_cast<size_t>(w)]);
    for (int64_t w = low; w <= high; ++w) free[static_cast<size_t>(w)] = d.column + 1;
    *columns = std::max(*columns, d.column + 1);
    out.push_back(std::move(d));
  }
  return out;
}

size_t shown_width(const std::string& text) {  // of UTF-8
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string Circuit::str() const {
  size_t columns = 0;
  const std::vector<Drawn> drawn = placed(*this, &columns);
  const auto wires = static_cast<size_t>(wires_);
  std::vector<std::vector<std::string>> cells(wires, std::vector<std::string>(columns));
  for (const Drawn& d : drawn)
    for (int64_t w = d.top; w <= d.bottom; ++w) {
      std::string& cell = cells[static_cast<size_t>(w)][d.column];
      if (d.top != d.bottom) cell = w == d.top ? "╭" : w == d.bottom ? "╰" : "├";
      bool named = false;
      for (const auto& [wire, value] : d.controls)
        if (wire == w) {
          cell += value ? "●" : "○";
          named = true;
        }
      if (std::ranges::find(d.targets, w) != d.targets.end()) {
        cell += d.label;
        named = true;
      }
      if (!named) cell = "│";
    }
  std::vector<std::string> lines(wires);
  const size_t digits = std::to_string(wires_ - 1).size();
  for (size_t w = 0; w < wires; ++w) {
    const std::string number = std::to_string(w);
    lines[w] = std::string(digits - number.size(), ' ') + number + ": ─";
  }
  for (size_t c = 0; c < columns; ++c) {
    size_t width = 0;
    for (size_t w = 0; w < wires; ++w) width = std::max(width, shown_width(cells[w][c]));
    for (size_t w = 0; w < wires; ++w) {
      lines[w] += "─" + cells[w][c];
      for (size_t i = shown_width(cells[w][c]); i < width; ++i) lines[w] += "─";
    }
  }
  std::string out;
  for (const std::string& l : lines) out += l + "──\n";
  return out;
}

std::string Circuit::svg() const {
  size_t columns = 0;
  const std::vector<Drawn> drawn = placed(*this, &columns);
  constexpr int kRow = 44, kLetter = 8, kHalf = 15, kLeft = 44;
  std::vector<int> widths(columns, 0), center(columns, 0);
  for (const Drawn& d : drawn)
    widths[d.column] =
        std::max(widths[d.column], static_cast<int>(shown_width(d.label)) * kLetter + 24);
  int x = kLeft;
  for (size_t c = 0; c < columns; ++c) {
    center[c] = x + widths[c] / 2;
    x += widths[c] + 8;
  }
  const int width = x + 16, height = static_cast<int>(wires_) * kRow + 8;
  const auto y_of = [](int64_t wire) { return static_cast<int>(wire) * kRow + kRow / 2 + 4; };
  const auto n = [](int value) { return std::to_string(value); };
  const auto escaped = [](const std::string& text) {
    std::string out;
    for (char c : text) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
    return out;
  };
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + n(width) + " " +
                    n(height) + "\" width=\"" + n(width) + "\" height=\"" + n(height) +
                    "\" font-family=\"monospace\" font-size=\"13\" text-anchor=\"middle\">\n"
                    "<g stroke=\"#444\" fill=\"none\">\n";
  for (int64_t w = 0; w < wires_; ++w)
    out += "<path d=\"M" + n(kLeft - 12) + " " + n(y_of(w)) + "H" + n(width - 8) + "\"/>\n";
  for (const Drawn& d : drawn)
    if (d.top != d.bottom)
      out += "<path d=\"M" + n(center[d.column]) + " " + n(y_of(d.top)) + "V" + n(y_of(d.bottom)) +
             "\"/>\n";
  out += "</g>\n";
  for (int64_t w = 0; w < wires_; ++w)
    out += "<text x=\"16\" y=\"" + n(y_of(w) + 4) + "\">" + std::to_string(w) + "</text>\n";
  for (const Drawn& d : drawn) {
    const int at = center[d.column];
    for (const auto& [wire, value] : d.controls)
      out += "<circle cx=\"" + n(at) + "\" cy=\"" + n(y_of(wire)) +
             "\" r=\"5\" stroke=\"#444\" fill=\"" + (value ? "#444" : "#fff") + "\"/>\n";
    const int half = static_cast<int>(shown_width(d.label)) * kLetter / 2 + 8;
    for (int64_t wire : d.targets)
      out += "<rect x=\"" + n(at - half) + "\" y=\"" + n(y_of(wire) - kHalf) + "\" width=\"" +
             n(2 * half) + "\" height=\"" + n(2 * kHalf) +
             "\" rx=\"4\" fill=\"#dbe7f5\" stroke=\"#444\"/>\n<text x=\"" + n(at) + "\" y=\"" +
             n(y_of(wire) + 4) + "\">" + escaped(d.label) + "</text>\n";
  }
  return out + "</svg>\n";
}

}  // namespace glia::quantum
