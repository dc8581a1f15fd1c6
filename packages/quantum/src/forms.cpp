#include "forms.h"

#include <cmath>
#include <utility>

namespace glia::quantum {
namespace {

constexpr Cx kOne{1, 0}, kI{0, 1}, kMinusI{0, -1};

Matrix of(int size, std::initializer_list<Cx> values) {
  Matrix m(size);
  std::copy(values.begin(), values.end(), m.data());
  return m;
}
Matrix scaled(Cx factor, Matrix m) {
  for (int i = 0; i < m.size() * m.size(); ++i) m.data()[i] = factor * m.data()[i];
  return m;
}
Matrix sum(Matrix a, const Matrix& b) {
  for (int i = 0; i < a.size() * a.size(); ++i) a.data()[i] = a.data()[i] + b.data()[i];
  return a;
}
// Zero but for these.
struct Entry {
  int row, column;
  Cx value;
};
Matrix sparse(int size, std::initializer_list<Entry> entries) {
  Matrix m(size);
  for (const Entry& e : entries) m(e.row, e.column) = e.value;
  return m;
}
Matrix diagonal(std::initializer_list<Cx> values) {
  Matrix m(static_cast<int>(values.size()));
  int i = 0;
  for (const Cx& v : values) {
    m(i, i) = v;
    ++i;
  }
  return m;
}

const Matrix& pauli(char name) {
  static const Matrix x = of(2, {{}, kOne, kOne, {}}), y = of(2, {{}, kMinusI, kI, {}}),
                      z = diagonal({kOne, {-1, 0}});
  return name == 'X' ? x : name == 'Y' ? y : z;
}

FormFacts constant(Matrix a) {
  const int targets = a.size() == 2 ? 1 : 2;
  return {targets, Basis::kConstant, std::move(a), {}, {}};
}
// exp(-i t/2 G) of G with G G = 1.
FormFacts rotation(const Matrix& g) {
  return {g.size() == 2 ? 1 : 2, Basis::kHalf, Matrix(g.size()), Matrix::identity(g.size()),
          scaled(kMinusI, g)};
}
// P rho -> (1 - t) rho + t / count * the sum of P rho P'.
FormFacts flip(std::initializer_list<char> names) {
  const double share = 1.0 / static_cast<double>(names.size());
  Matrix b = scaled({-1, 0}, Matrix::identity(4));
  for (char name : names) b = sum(b, scaled({share, 0}, kron(pauli(name), conjugate(pauli(name)))));
  return {2, Basis::kDamping, Matrix::identity(4), std::move(b), Matrix(4)};
}
FormFacts excitation(Cx outside) {
  const Matrix turn = sparse(4, {{1, 2, {-1, 0}}, {2, 1, kOne}});
  const bool still = outside.im == 0;
  return {2, Basis::kHalf, still ? diagonal({kOne, {}, {}, kOne}) : Matrix(4),
          still ? diagonal({{}, kOne, kOne, {}}) : Matrix::identity(4),
          still ? turn : sum(turn, diagonal({outside, {}, {}, outside}))};
}

FormFacts make(Form form) {
  const double h = std::sqrt(0.5);
  const Cx half{h, 0};
  switch (form) {
    case Form::kX:
      return constant(pauli('X'));
    case Form::kY:
      return constant(pauli('Y'));
    case Form::kZ:
      return constant(pauli('Z'));
    case Form::kH:
      return constant(of(2, {half, half, half, {-h, 0}}));
    case Form::kS:
      return constant(diagonal({kOne, kI}));
    case Form::kT:
      return constant(diagonal({kOne, {h, h}}));
    case Form::kSX:
      return constant(of(2, {{.5, .5}, {.5, -.5}, {.5, -.5}, {.5, .5}}));
    case Form::kRX:
      return rotation(pauli('X'));
    case Form::kRY:
      return rotation(pauli('Y'));
    case Form::kRZ:
      return rotation(pauli('Z'));
    case Form::kPhase:
      return {1, Basis::kWhole, diagonal({kOne, {}}), diagonal({{}, kOne}), diagonal({{}, kI})};
    case Form::kGlobalPhase:
      return {1, Basis::kWhole, Matrix(2), Matrix::identity(2),
              scaled(kMinusI, Matrix::identity(2))};
    case Form::kSwap:
      return constant(sparse(4, {{0, 0, kOne}, {1, 2, kOne}, {2, 1, kOne}, {3, 3, kOne}}));
    case Form::kISwap:
      return constant(sparse(4, {{0, 0, kOne}, {1, 2, kI}, {2, 1, kI}, {3, 3, kOne}}));
    case Form::kSISwap:
      return constant(sparse(4, {{0, 0, kOne},
                                 {1, 1, half},
                                 {1, 2, {0, h}},
                                 {2, 1, {0, h}},
                                 {2, 2, half},
                                 {3, 3, kOne}}));
    case Form::kECR:
      return constant(sparse(4, {{0, 2, half},
                                 {0, 3, {0, h}},
                                 {1, 2, {0, h}},
                                 {1, 3, half},
                                 {2, 0, half},
                                 {2, 1, {0, -h}},
                                 {3, 0, {0, -h}},
                                 {3, 1, half}}));
    case Form::kIsingXX:
      return rotation(kron(pauli('X'), pauli('X')));
    case Form::kIsingYY:
      return rotation(kron(pauli('Y'), pauli('Y')));
    case Form::kIsingZZ:
      return rotation(kron(pauli('Z'), pauli('Z')));
    case Form::kIsingXY:
      return {2, Basis::kHalf, diagonal({kOne, {}, {}, kOne}), diagonal({{}, kOne, kOne, {}}),
              sparse(4, {{1, 2, kI}, {2, 1, kI}})};
    case Form::kPSwap:
      return {2, Basis::kWhole, diagonal({kOne, {}, {}, kOne}),
              sparse(4, {{1, 2, kOne}, {2, 1, kOne}}), sparse(4, {{1, 2, kI}, {2, 1, kI}})};
    case Form::kSingleExcitation:
      return excitation(kOne);
    case Form::kSingleExcitationMinus:
      return excitation(kMinusI);
    case Form::kSingleExcitationPlus:
      return excitation(kI);
    case Form::kDoubleExcitation: {
      Matrix a = Matrix::identity(16);
      a(3, 3) = a(12, 12) = {};
      return {4, Basis::kHalf, std::move(a), sparse(16, {{3, 3, kOne}, {12, 12, kOne}}),
              sparse(16, {{3, 12, {-1, 0}}, {12, 3, kOne}})};
    }
    case Form::kBitFlip:
      return flip({'X'});
    case Form::kPhaseFlip:
      return flip({'Z'});
    case Form::kDepolarizing:
      return flip({'X', 'Y', 'Z'});
    case Form::kAmplitudeDamping:
      return {2, Basis::kDamping, diagonal({kOne, {}, {}, kOne}),
              sparse(4, {{3, 3, {-1, 0}}, {0, 3, kOne}}), diagonal({{}, kOne, kOne, {}})};
    case Form::kPhaseDamping:
      return {2, Basis::kDamping, diagonal({kOne, {}, {}, kOne}), Matrix(4),
              diagonal({{}, kOne, kOne, {}})};
    default:
      return {};
  }
}

}  // namespace

const FormFacts& facts_of(Form form) {
  static const auto all = [] {
    std::array<FormFacts, kForms> facts;
    for (int i = 0; i < kForms; ++i) facts[static_cast<size_t>(i)] = make(static_cast<Form>(i));
    return facts;
  }();
  return all[static_cast<size_t>(form)];
}

BasisValues basis_values(Basis basis, double t) {
  switch (basis) {
    case Basis::kHalf: {
      const double c = std::cos(t / 2), s = std::sin(t / 2);
      return {c, s, -s / 2, c / 2};
    }
    case Basis::kWhole: {
      const double c = std::cos(t), s = std::sin(t);
      return {c, s, -s, c};
    }
    case Basis::kDamping: {
      const double s = std::sqrt(1 - t);
      return {t, s, 1, -0.5 / s};
    }
    default:
      return {};
  }
}

}  // namespace glia::quantum
