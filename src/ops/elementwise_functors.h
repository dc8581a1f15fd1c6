// The table's operations as functors over a lane type V. Like ops/lanes.h, which comes first, this
// is included inside a namespace, hence no include guard; GLIA_INLINE is how functions are inlined.

// Defines struct kAdd_ { inputs, types, value } for kAdd, and so on.
enum class Types { Float, Number, Integral, Any };
#define DOMAIN(types, low, high) Types::types
#define UNARY(code, function, domain, cost, expression, gradient) \
  struct code##_ {                                                \
    static constexpr int kInputs = 1;                             \
    static constexpr Types kTypes = domain;                       \
    template <class V>                                            \
    static GLIA_INLINE V value(V x, V) {                          \
      return expression;                                          \
    }                                                             \
  };
#define BINARY(code, function, domain, cost, expression, gradient_a, gradient_b) \
  struct code##_ {                                                               \
    static constexpr int kInputs = 2;                                            \
    static constexpr Types kTypes = domain;                                      \
    template <class V>                                                           \
    static GLIA_INLINE V value(V a, V b) {                                       \
      return expression;                                                         \
    }                                                                            \
  };
#define COMPARE(code, function, domain, cost, expression) \
  struct code##_ {                                        \
    static constexpr int kInputs = 2;                     \
    static constexpr Types kTypes = domain;               \
    template <class V>                                    \
    static GLIA_INLINE auto value(V a, V b) {             \
      return expression;                                  \
    }                                                     \
  };
#include "ops/elementwise_table.h"
#undef DOMAIN
#undef UNARY
#undef BINARY
#undef COMPARE

template <class T>
constexpr bool defined_on(Types types) {
  switch (types) {
    case Types::Float:
      return std::is_floating_point_v<T>;
    case Types::Number:
      return !std::is_same_v<T, bool>;
    case Types::Integral:
      return std::is_integral_v<T>;
    case Types::Any:
      return true;
  }
  return false;
}
