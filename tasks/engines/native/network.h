// The published network: convolution, bias, ReLU, pooling, dropout, two dense layers, softmax with cross-entropy.
//
// A pooled row of the images is convolved, pooled and multiplied into the dense layer while it is in the cache:
// the activations before the pooling exist in registers only. Layouts: pixels [group of images][row][column][slot];
// pooled numbers, a block each pooled row, [row][filter][column][image]; dense weights [block][column of the
// layer][unit of the block].

#pragma once

#include <cmath>

#include "thread_pool.h"
#include "dense.h"
#include "dropout.h"

constexpr int SIDE = 28, CLASSES = 10;
constexpr int TILE = 32 / SLOTS;  // groups of images whose pixels of a pooled row fit the nearest cache

struct Parameters {  // as Keras has them
  float *kernels, *biases, *dense, *dense_biases, *output, *output_biases;
};

struct Images {
  const uint8_t *pixels, *labels;
};

class Network {
 public:
  Network(ThreadPool& workers, int filters, int kernel, int dense_units, int batch, bool trains)
      : workers_(workers), filters_(filters), kernel_(kernel), dense_units_(dense_units), batch_(batch),
        padded_(round_up(batch, SLOTS)), side_((SIDE - kernel + 1) / 2), taps_(kernel * kernel),
        row_(side_ * filters), padded_row_(round_up(row_, SLOTS)), trains_(trains),
        keeps_rows_(trains || workers.size() > 1), staged_(size_t(workers.size()) * SLOTS * SIDE * SIDE),
        pixels_(SIDE * SIDE * padded_), kernels_(filters * taps_), biases_(filters),
        totals_(size_t(trains ? side_ : 0) * filters * (taps_ + 1) * SLOTS),
        pooled_(size_t(keeps_rows_ ? side_ : 1) * padded_row_ * padded_),
        row_gradient_(size_t(workers.size()) * padded_row_ * padded_),
        hidden_(round_up(dense_units, SLOTS) * padded_),
        hidden_gradient_(round_up(dense_units, SLOTS) * padded_),
        winners_(size_t(trains ? side_ : 0) * row_ * (padded_ / SLOTS)), labels_(padded_),
        dense_(side_, row_, dense_units, padded_, workers.size()),
        output_(1, dense_units, CLASSES, padded_, 1) {}

  void exchange(Parameters keras, Parameters momenta, bool in) {
    for (int filter = 0; filter < filters_; ++filter) {
      for (int tap = 0; tap < taps_; ++tap) {
        const int there = tap * filters_ + filter;
        kernels_.exchange(filter * taps_ + tap, keras.kernels[there], momenta.kernels[there], in);
      }
      biases_.exchange(filter, keras.biases[filter], momenta.biases[filter], in);
    }
    const auto place = [this](int row, int unit) {
      return (row * side_ + unit % side_) * filters_ + unit / side_;
    };
    dense_.exchange(keras.dense, momenta.dense, keras.dense_biases, momenta.dense_biases, in, place);
    output_.exchange(keras.output, momenta.output, keras.output_biases, momenta.output_biases, in,
                     [](int, int unit) { return unit; });
  }

  // Take a batch: `count` images, the order's from `first` on.
  void take(const Images& images, const int32_t* order, int64_t first, int count) {
    count_ = count;
    workers_.share(padded_ / SLOTS, [&](int group, int thread) {
      float* staged = staged_ + size_t(thread) * SLOTS * SIDE * SIDE;
      for (int slot = 0; slot < SLOTS; ++slot) {
        float* to = staged + slot * SIDE * SIDE;
        const int image = group * SLOTS + slot;
        if (image >= count) {
          std::memset(to, 0, sizeof(float) * SIDE * SIDE);
          continue;
        }
        const int64_t index = order[first + image];
        const uint8_t* from = images.pixels + index * SIDE * SIDE;
        for (int pixel = 0; pixel < SIDE * SIDE; ++pixel) to[pixel] = float(from[pixel]) / 255.0f;
        labels_[image] = images.labels[index];
      }
      transpose(staged, SIDE * SIDE, pixels_ + size_t(group) * SLOTS * SIDE * SIDE, SLOTS, SLOTS, SIDE * SIDE);
    });
  }

  void forward(const Dropout& dropout, uint32_t step) {
    dense_.begin();
    const int columns = dense_.padded();
    if (workers_.size() == 1) {  // each row is multiplied while it is in the cache
      for (int row = 0; row < side_; ++row) {
        pool(dropout, step, row);
        dense_.forward(pooled(row), row, 0, columns);
      }
    } else {
      workers_.share(side_, [&](int row, int) { pool(dropout, step, row); });
      const int each = round_up((columns + workers_.size() - 1) / workers_.size(), TALL);
      workers_.share(workers_.size(), [&](int part, int) {
        for (int row = 0; row < side_; ++row)
          dense_.forward(pooled(row), row, std::min(part * each, columns), std::min((part + 1) * each, columns));
      });
    }
    for (int i = 0; i < dense_units_ * padded_; ++i) hidden_[i] = std::max(dense_.out()[i], 0.0f);
    output_.begin();
    output_.forward(hidden_, 0, 0, output_.padded());
  }

  // Softmax and cross-entropy: adds to the sums, and leaves the gradient of the mean loss at the output.
  void judge(double* loss, int64_t* correct) {
    float *out = output_.out(), *gradient = output_.gradient();
    for (int image = 0; image < count_; ++image) {
      int best = 0;
      for (int c = 1; c < CLASSES; ++c)
        if (out[c * padded_ + image] > out[best * padded_ + image]) best = c;
      const float most = out[best * padded_ + image];
      float exponents[CLASSES], total = 0;
      for (int c = 0; c < CLASSES; ++c) total += exponents[c] = std::exp(out[c * padded_ + image] - most);
      const int label = labels_[image];
      *loss += std::log(total) + most - out[label * padded_ + image];
      *correct += best == label;
      for (int c = 0; c < CLASSES; ++c)
        gradient[c * padded_ + image] = (exponents[c] / total - (c == label)) / count_;
    }
    for (int c = 0; c < output_.padded(); ++c)
      for (int image = c < CLASSES ? count_ : 0; image < padded_; ++image) gradient[c * padded_ + image] = 0.0f;
  }

  void backward(Step step, float kept) {
    output_.begin_backward(step);
    output_.backward(step, hidden_, hidden_gradient_, 0, 0);
    for (int i = 0; i < dense_units_ * padded_; ++i)
      dense_.gradient()[i] = hidden_[i] > 0 ? hidden_gradient_[i] : 0.0f;
    dense_.begin_backward(step);
    workers_.share(side_, [&](int item, int thread) {
      const int row = side_ - 1 - item;  // from the last: its weights were read last, and may still be near
      float* gradient = row_gradient_ + size_t(thread) * padded_row_ * padded_;
      dense_.backward(step, pooled(row), gradient, row, thread);
      switch (kernel_) {
        case 3: gather_gradient<3>(row, gradient); break;
        case 5: gather_gradient<5>(row, gradient); break;
        default: gather_gradient<0>(row, gradient);
      }
    });
    for (int filter = 0; filter < filters_; ++filter) {
      for (int tap = 0; tap < taps_; ++tap)
        kernels_.update(step, filter * taps_ + tap, total(filter, tap) / kept);
      biases_.update(step, filter, total(filter, taps_) / kept);
    }
  }

  bool is_finite() {
    return kernels_.is_finite() && biases_.is_finite() && dense_.is_finite() && output_.is_finite();
  }

 private:
  float* pooled(int row) { return pooled_ + size_t(keeps_rows_ ? row : 0) * padded_row_ * padded_; }

  uint32_t* winners(int row) { return winners_ + size_t(trains_ ? row : 0) * row_ * (padded_ / SLOTS); }
  const float* corner_of(int group, int row) {
    return pixels_ + (size_t(group) * SIDE + 2 * row) * SIDE * SLOTS;
  }

  // The gradients of a filter and a tap, or bias, that each row has left, in the rows' order.
  float* row_total(int row, int filter) {
    return totals_ + (size_t(row) * filters_ + filter) * (taps_ + 1) * SLOTS;
  }
  float total(int filter, int tap) {
    Floats all = {};
    for (int row = 0; row < side_; ++row) all += load(row_total(row, filter) + tap * SLOTS);
    return sum(all);
  }

  // One pooled row of all images, as the dense layer reads it.
  void pool(const Dropout& dropout, uint32_t step, int row) {
    switch (kernel_) {  // known when it is compiled, a kernel stays in registers
      case 3: convolve<3>(row); break;
      case 5: convolve<5>(row); break;
      default: convolve<0>(row);
    }
    if (trains_ && dropout.rate > 0) drop(dropout, step, row);
  }

  // Convolution, pooling, bias and ReLU of one pooled row, filter by filter: a filter's numbers lie side by side.
  template <int FIXED>
  void convolve(int row) {
    constexpr int WIDE = FIXED ? 2 : 1;
    const int groups = padded_ / SLOTS;
    float* pooled = this->pooled(row);
    uint32_t* winners = this->winners(row);
    for (int tile = 0; tile < groups; tile += TILE)
      for (int filter = 0; filter < filters_; ++filter) {
        const float bias = biases_.values[filter];
        Floats weights[FIXED ? FIXED * FIXED : SIDE * SIDE];
        for (int tap = 0; tap < (FIXED ? FIXED * FIXED : taps_); ++tap)
          weights[tap] = Floats{} + kernels_.values[filter * taps_ + tap];
        for (int group = tile; group < std::min(tile + TILE, groups); ++group)
          for (int column = 0; column < side_; column += WIDE) {
            const size_t at = (size_t(filter) * side_ + column) * padded_ + group * SLOTS;
            const float* corner = corner_of(group, row) + 2 * column * SLOTS;
            float* to = pooled + at;
            if (column + WIDE <= side_)
              convolve_columns<FIXED, WIDE>(weights, bias, corner, to, winners + at / SLOTS);
            else
              convolve_columns<FIXED, 1>(weights, bias, corner, to, winners + at / SLOTS);
          }
      }
  }

  // WIDE pooled numbers side by side: they share pixels, and more sums at once hide how long each addition takes.
  // Bits of the winners: from 0 whether the right one won, from 16 whether a lower one.
  template <int FIXED, int WIDE>
  void convolve_columns(const Floats* weights, float bias, const float* corner, float* pooled,
                        uint32_t* winners) {
    const int kernel = FIXED ? FIXED : kernel_;
    Floats each[2][2 * WIDE] = {};
#pragma GCC unroll 8  // else GCC keeps the sums in memory
    for (int y = 0; y <= kernel; ++y)
#pragma GCC unroll 8
      for (int x = 0; x < kernel - 1 + 2 * WIDE; ++x) {
        const Floats pixel = load(corner + (y * SIDE + x) * SLOTS);
#pragma GCC unroll 8
        for (int i = 0; i < 2; ++i)
#pragma GCC unroll 8
          for (int j = 0; j < 2 * WIDE; ++j)
            if (y >= i && y - i < kernel && x >= j && x - j < kernel)
              each[i][j] += weights[(y - i) * kernel + x - j] * pixel;
      }
#pragma GCC unroll 8
    for (int place = 0; place < WIDE; ++place) {
      const Floats *above = each[0] + 2 * place, *below = each[1] + 2 * place;
      const Floats upper = larger(above[1], above[0]), lower = larger(below[1], below[0]);
      store(pooled + place * padded_, larger(larger(lower, upper) + bias, Floats{}));
      if (!trains_) continue;
      // Strictly greater: of equal ones the first wins, as in TensorFlow.
      const uint32_t top = greater_bits(above[1], above[0]), bottom = greater_bits(below[1], below[0]);
      const uint32_t low = greater_bits(lower, upper);
      winners[place * (padded_ / SLOTS)] = (low & bottom) | (~low & top) | low << 16;
    }
  }

  // Sum the gradient of kernels and biases over a pooled row, in each number pooled from what the winner saw.
  template <int FIXED>
  void gather_gradient(int row, const float* row_gradient) {
    const int kernel = FIXED ? FIXED : kernel_, side = side_, padded = padded_, groups = padded_ / SLOTS;
    const float* pooled = this->pooled(row);
    const uint32_t* winners = this->winners(row);
    for (int tile = 0; tile < groups; tile += TILE)
      for (int filter = 0; filter < filters_; ++filter) {
        float* kept = row_total(row, filter);
        Floats totals[FIXED ? FIXED * FIXED + 1 : SIDE * SIDE + 1];
        for (int tap = 0; tap <= kernel * kernel; ++tap)
          totals[tap] = tile ? load(kept + tap * SLOTS) : Floats{};
        for (int group = tile; group < std::min(tile + TILE, groups); ++group) {
          const float* corner = corner_of(group, row);
          size_t at = size_t(filter) * side * padded + group * SLOTS;
          for (int column = 0; column < side; ++column, corner += 2 * SLOTS, at += padded) {
            const uint32_t winner = winners[at / SLOTS];
            const Ints right = has_bit(winner), low = has_bit(winner >> 16);
            const Floats gradient = load(pooled + at) > 0 ? load(row_gradient + at) : Floats{};
            // One of both is zero, which changes no total, and takes less time than to choose among the rows.
            const Floats upper = low ? Floats{} : gradient, lower = low ? gradient : Floats{};
            for (int y = 0; y <= kernel; ++y)
              for (int x = 0; x < kernel; ++x) {
                const float* pixel = corner + (y * SIDE + x) * SLOTS;
                const Floats chosen = right ? load(pixel + SLOTS) : load(pixel);
                if (y > 0) totals[(y - 1) * kernel + x] += lower * chosen;
                if (y < kernel) totals[y * kernel + x] += upper * chosen;
              }
            totals[kernel * kernel] += gradient;
          }
        }
        for (int tap = 0; tap <= kernel * kernel; ++tap) store(kept + tap * SLOTS, totals[tap]);
      }
  }

  // Drop numbers of one pooled row, and scale the others so that their expectation stays.
  void drop(const Dropout& dropout, uint32_t step, int row) {
    float* pooled = this->pooled(row);
    const uint32_t threshold = uint32_t(std::lround(dropout.rate * 65536.0));
    const float scale = 1.0f / (1.0f - dropout.rate);
    for (int unit = 0; unit < row_; unit += 2)
      for (int image = 0; image < padded_; image += SLOTS) {
        const uint32_t pair = (step * side_ + row) * ((row_ + 1) / 2) + unit / 2;
        const Words random = hash(count_slots(pair * batch_ + image), dropout.key, dropout.second);
        float* first = pooled + size_t(unit) * padded_ + image;
        store(first, (random & 0xffff) >= threshold ? scale * load(first) : Floats{});
        if (unit + 1 == row_) continue;
        float* second = first + padded_;
        store(second, (random >> 16) >= threshold ? scale * load(second) : Floats{});
      }
  }

  ThreadPool& workers_;
  int filters_, kernel_, dense_units_, batch_, padded_, side_, taps_, row_, padded_row_, count_ = 0;
  bool trains_, keeps_rows_;
  Array<float> staged_, pixels_;
  Learned kernels_, biases_;
  Array<float> totals_, pooled_, row_gradient_, hidden_, hidden_gradient_;
  Array<uint32_t> winners_;
  Array<int> labels_;
  Dense dense_, output_;
};

inline Parameters split(float* all, int filters, int kernel, int dense_units) {
  const int side = (SIDE - kernel + 1) / 2;
  Parameters parts;
  parts.kernels = all;
  parts.biases = parts.kernels + kernel * kernel * filters;
  parts.dense = parts.biases + filters;
  parts.dense_biases = parts.dense + size_t(side) * side * filters * dense_units;
  parts.output = parts.dense_biases + dense_units;
  parts.output_biases = parts.output + dense_units * CLASSES;
  return parts;
}
