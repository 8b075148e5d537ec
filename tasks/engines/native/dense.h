// A dense layer, its units in blocks that are multiplied one by one.

#pragma once

#include "learned.h"

constexpr int TALL = SLOTS == 16 ? 8 : 4;          // columns of a product, whose sums fit the registers
constexpr int CHUNK = 32;                          // columns that are updated together
constexpr int NEAR = 128;                          // units whose numbers of 32 images fit the nearest cache

class Dense {
 public:
  Dense(int blocks, int units, int columns, int batch, int threads)
      : blocks_(blocks), units_(units), padded_units_(round_up(units, SLOTS)), columns_(columns),
        padded_(round_up(columns, TALL)), batch_(batch), chunks_((padded_ + CHUNK - 1) / CHUNK),
        weights_(size_t(blocks) * padded_ * padded_units_), biases_(padded_), out_(padded_ * batch),
        gradient_(padded_ * batch), turned_(size_t(threads) * 2 * batch * padded_units_),
        active_images_(padded_ * batch), image_counts_(padded_), active_columns_(chunks_ * CHUNK * batch),
        column_counts_(chunks_ * batch) {}

  // Between [block][column][unit] and Keras's [unit][column]; `place` says where Keras has a unit.
  template <typename Place>
  void exchange(float* weights, float* momenta, float* biases, float* biases_momenta, bool in, Place place) {
    for (int block = 0; block < blocks_; ++block)
      for (int unit = 0; unit < units_; ++unit)
        for (int column = 0; column < columns_; ++column) {
          const size_t there = size_t(place(block, unit)) * columns_ + column;
          weights_.exchange(at(block, column) + unit, weights[there], momenta[there], in);
        }
    for (int column = 0; column < columns_; ++column)
      biases_.exchange(column, biases[column], biases_momenta[column], in);
  }

  void begin() {
    for (int column = 0; column < padded_; ++column)
      for (int image = 0; image < batch_; ++image) out_[column * batch_ + image] = biases_.values[column];
  }

  // Add what a block of units contributes to the columns from `first` to before `last`; in[unit][image].
  void forward(const float* in, int block, int first, int last) {
    for (int unit = 0; unit < units_; unit += NEAR)
      for (int column = first; column < last; column += TALL) {
        const int count = std::min(NEAR, units_ - unit);
        const float *weights = weights_.values + at(block, column) + unit, *near = in + unit * batch_;
        int image = 0;
        for (; image + 2 * SLOTS <= batch_; image += 2 * SLOTS)
          multiply_forward<2>(count, weights, near + image, out_ + column * batch_ + image);
        if (image < batch_) multiply_forward<1>(count, weights, near + image, out_ + column * batch_ + image);
      }
  }

  // Update the biases, and find which columns have a gradient in which images: behind a ReLU most have none.
  void begin_backward(Step step) {
    std::memset(column_counts_, 0, sizeof(int) * batch_ * chunks_);
    for (int column = 0; column < padded_; ++column) {
      float total = 0;
      int& images = image_counts_[column];
      images = 0;
      for (int image = 0; image < batch_; ++image) {
        const float each = gradient_[column * batch_ + image];
        total += each;
        if (each == 0) continue;
        active_images_[column * batch_ + images++] = image;
        const int place = column / CHUNK * batch_ + image;
        active_columns_[place * CHUNK + column_counts_[place]++] = column;
      }
      biases_.update(step, column, total);
    }
  }

  // The gradient of a block's units into in_gradient[unit][image], then their weights' update.
  void backward(Step step, const float* in, float* in_gradient, int block, int thread) {
    float* turned = turned_ + size_t(thread) * 2 * batch_ * padded_units_;
    float* gradient_turned = turned + batch_ * padded_units_;
    transpose(in, batch_, turned, padded_units_, padded_units_, batch_);
    for (int chunk = 0; chunk < chunks_; ++chunk) {
      int unit = 0;
      for (; unit + 8 * SLOTS <= padded_units_; unit += 8 * SLOTS)
        backward_strip<8>(step, block, chunk, unit, turned + unit, gradient_turned + unit);
      for (; unit + 4 * SLOTS <= padded_units_; unit += 4 * SLOTS)
        backward_strip<4>(step, block, chunk, unit, turned + unit, gradient_turned + unit);
      for (; unit + 2 * SLOTS <= padded_units_; unit += 2 * SLOTS)
        backward_strip<2>(step, block, chunk, unit, turned + unit, gradient_turned + unit);
      if (unit < padded_units_)
        backward_strip<1>(step, block, chunk, unit, turned + unit, gradient_turned + unit);
    }
    transpose(gradient_turned, padded_units_, in_gradient, batch_, batch_, padded_units_);
  }

  bool is_finite() { return weights_.is_finite() && biases_.is_finite(); }
  float* out() { return out_; }
  float* gradient() { return gradient_; }
  int padded() const { return padded_; }

 private:
  size_t at(int block, int column) const { return (size_t(block) * padded_ + column) * padded_units_; }

  // out[column][image] += sum over units of weights[column][unit] * in[unit][image], TALL columns at once
  template <int WIDE>
  void multiply_forward(int units, const float* weights, const float* in, float* out) {
    Floats total[TALL][WIDE];
    for (int c = 0; c < TALL; ++c)
      for (int v = 0; v < WIDE; ++v) total[c][v] = load(out + c * batch_ + v * SLOTS);
    for (int unit = 0; unit < units; ++unit, in += batch_) {
      Floats each[WIDE];
      for (int v = 0; v < WIDE; ++v) each[v] = load(in + v * SLOTS);
      for (int c = 0; c < TALL; ++c)
        for (int v = 0; v < WIDE; ++v) total[c][v] += weights[c * padded_units_ + unit] * each[v];
    }
    for (int c = 0; c < TALL; ++c)
      for (int v = 0; v < WIDE; ++v) store(out + c * batch_ + v * SLOTS, total[c][v]);
  }

  // A strip of units and a chunk of columns, whose weights stay in the nearest cache from the gradient, summed over
  // each image's columns, to the update, summed over each column's images.
  template <int WIDE>
  void backward_strip(Step step, int block, int chunk, int unit, const float* in, float* in_gradient) {
    const float* strip = weights_.values + at(block, 0) + unit;
    for (int image = 0; image < batch_; ++image) {
      const int place = chunk * batch_ + image, count = column_counts_[place];
      const int* columns = active_columns_ + place * CHUNK;
      float* to = in_gradient + image * padded_units_;
      Floats total[WIDE];
      for (int v = 0; v < WIDE; ++v) total[v] = chunk ? load(to + v * SLOTS) : Floats{};
      for (int i = 0; i < count; ++i) {
        const float each = gradient_[columns[i] * batch_ + image];
        const float* from = strip + size_t(columns[i]) * padded_units_;
        for (int v = 0; v < WIDE; ++v) total[v] += each * load(from + v * SLOTS);
      }
      for (int v = 0; v < WIDE; ++v) store(to + v * SLOTS, total[v]);
    }
    const int first = chunk * CHUNK, last = std::min(first + CHUNK, padded_);
    for (int column = first; column < last; ++column) {
      float* weights = weights_.values + at(block, column) + unit;
      float* momenta = weights_.momenta + at(block, column) + unit;
      // A strip is too short for processors to foresee what follows it. A line of the cache holds 16 numbers.
      for (int v = 0; v < WIDE; v += 16 / SLOTS) {
        __builtin_prefetch(momenta + 4 * padded_units_ + v * SLOTS, 1);
        __builtin_prefetch(weights + CHUNK * padded_units_ + v * SLOTS, 1);
      }
      Floats total[WIDE] = {};
      const int* images = active_images_ + column * batch_;
      for (int i = 0; i < image_counts_[column]; ++i) {
        const float each = gradient_[column * batch_ + images[i]];
        const float* from = in + images[i] * padded_units_;
        for (int v = 0; v < WIDE; ++v) total[v] += each * load(from + v * SLOTS);
      }
      for (int v = 0; v < WIDE; ++v) update(step, total[v], weights + v * SLOTS, momenta + v * SLOTS);
    }
  }

  int blocks_, units_, padded_units_, columns_, padded_, batch_, chunks_;
  Learned weights_, biases_;
  Array<float> out_, gradient_, turned_;
  Array<int> active_images_, image_counts_, active_columns_, column_counts_;
};
