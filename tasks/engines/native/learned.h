// Weights and biases with their momenta, and the step that changes them: SGD with momentum, as Keras has it.

#pragma once

#include "vectors.h"

struct Step {
  float rate, momentum;
};

// momenta = momentum * momenta - rate * gradient; values += momenta
inline void update(Step step, Floats gradient, float* values, float* momenta) {
  const Floats moved = step.momentum * load(momenta) - step.rate * gradient;
  store(momenta, moved);
  store(values, load(values) + moved);
}

// Weights or biases with their momenta.
struct Learned {
  explicit Learned(size_t count) : count(count), values(count), momenta(count) {}

  // Copy one number from Keras's place, or back.
  void exchange(size_t here, float& value, float& momentum, bool in) {
    (in ? values[here] : value) = in ? value : values[here];
    (in ? momenta[here] : momentum) = in ? momentum : momenta[here];
  }

  void update(Step step, size_t at, float gradient) {
    momenta[at] = step.momentum * momenta[at] - step.rate * gradient;
    values[at] += momenta[at];
  }

  bool is_finite() {
    float total = 0;
    for (size_t i = 0; i < count; ++i) total += values[i] * 0.0f;
    return total == 0.0f;
  }

  size_t count;
  Array<float> values, momenta;
};
