// Trains and evaluates the published network, a whole epoch a call: convolution, bias, ReLU, pooling, dropout,
// two dense layers, softmax with cross-entropy, SGD with momentum. Portable C++ with the vector extensions of
// GCC and Clang; tasks/native_library.py compiles it for the processor at hand.
//
// A vector holds one number of several images, its lanes. So nothing depends on how the number of filters or
// the kernel divides a vector; only the last batch may leave lanes empty. A pooled row of the images is
// convolved, pooled and multiplied into the dense layer while it is in the cache: the activations before the
// pooling exist in registers only.
//
// Behind a ReLU most hidden units have no gradient in most images: products with such zeros are left out, which
// changes no result. Every sum has a fixed order: the same input gives the same bits, on any number of threads,
// which share the pooled rows and, where they add up over all rows, the columns of the dense layer.
//
// Layouts: pixels [group of images][row][column][lane]; pooled numbers, a block each pooled row,
// [row][filter][column][image]; dense weights [block][column of the layer][unit of the block].

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <system_error>
#include <thread>
#include <vector>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif

namespace {

typedef float Floats __attribute__((vector_size(4 * LANES)));
typedef int32_t Ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t Words __attribute__((vector_size(4 * LANES)));

constexpr int SIDE = 28, CLASSES = 10;
constexpr int TALL = 8;                            // columns of a block of a matrix product
constexpr int CHUNK = 32;                          // columns that are updated together

int round_up(int number, int multiple) { return (number + multiple - 1) / multiple * multiple; }

template <typename T>
class Array {
 public:
  explicit Array(size_t count)
      : data_(static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 127) / 64 * 64))) {
    if (data_ == nullptr) throw std::bad_alloc();
    std::memset(data_, 0, count * sizeof(T));
  }
  ~Array() { std::free(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  operator T*() { return data_; }

 private:
  T* data_;
};

inline Floats load(const float* from) { return *reinterpret_cast<const Floats*>(from); }
inline void store(float* to, Floats value) { *reinterpret_cast<Floats*>(to) = value; }
inline float sum(Floats value) {
  float total = 0;
  for (int lane = 0; lane < LANES; ++lane) total += value[lane];
  return total;
}

#ifdef __clang__
#define SHUFFLE(one, other, ...) __builtin_shufflevector(one, other, __VA_ARGS__)
#else
#define SHUFFLE(one, other, ...) __builtin_shuffle(one, other, Ints{__VA_ARGS__})
#endif
#if LANES == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif LANES == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif

// out[column][row] = in[row][column]; rows and columns are multiples of LANES.
void transpose(const float* in, int in_stride, float* out, int out_stride, int rows, int columns) {
  for (int row = 0; row < rows; row += LANES)
    for (int column = 0; column < columns; column += LANES) {
      Floats lines[LANES], mixed[LANES];
      for (int i = 0; i < LANES; ++i) lines[i] = load(in + (row + i) * in_stride + column);
      for (int round = 1; round < LANES; round *= 2) {  // log2(LANES) perfect shuffles
        for (int i = 0; i < LANES / 2; ++i) {
          mixed[2 * i] = SHUFFLE(lines[i], lines[i + LANES / 2], LOW);
          mixed[2 * i + 1] = SHUFFLE(lines[i], lines[i + LANES / 2], HIGH);
        }
        for (int i = 0; i < LANES; ++i) lines[i] = mixed[i];
      }
      for (int i = 0; i < LANES; ++i) store(out + (column + i) * out_stride + row, lines[i]);
    }
}

// Flushes denormal numbers to zero: the momenta of dead units fade to such, with which processors are slow.
class FlushDenormals {
#ifdef __SSE__
 public:
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#endif
};

// Threads that share work. Helpers that the system refuses are done without: they change no result.
class Crew {
 public:
  explicit Crew(int threads) {
    try {
      for (int thread = 1; thread < threads; ++thread) helpers_.emplace_back([this, thread] { help(thread); });
    } catch (const std::system_error&) {
    }
  }

  ~Crew() {
    ends_ = true;
    begin_round();
    for (std::thread& helper : helpers_) helper.join();
  }

  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  int size() const { return int(helpers_.size()) + 1; }

  // Call work(item, thread) once for each item from 0, in any order, and wait for all.
  template <typename Work>
  void share(int items, const Work& work) {
    if (helpers_.empty()) {
      for (int item = 0; item < items; ++item) work(item, 0);
      return;
    }
    work_ = std::cref(work);
    items_ = items;
    next_ = 0;
    busy_ = int(helpers_.size());
    begin_round();
    take_part(0);
    for (int busy; (busy = busy_.load(std::memory_order_acquire)) > 0;) await_change(busy_, busy);
  }

 private:
  void begin_round() {
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }

  void take_part(int thread) {
    for (int item; (item = next_.fetch_add(1, std::memory_order_relaxed)) < items_;) work_(item, thread);
  }

  void help(int thread) {
    const FlushDenormals flush;
    for (int round = 0;; ++round) {
      await_change(round_, round);
      if (ends_) return;
      take_part(thread);
      busy_.fetch_sub(1, std::memory_order_release);
      busy_.notify_one();
    }
  }

  // The others are done within microseconds: to sleep and be woken takes longer.
  static void await_change(std::atomic<int>& value, int old) {
    for (int spin = 0; spin < 4000; ++spin) {
      if (value.load(std::memory_order_acquire) != old) return;
#ifdef __SSE__
      _mm_pause();
#endif
    }
    value.wait(old, std::memory_order_acquire);
  }

  std::vector<std::thread> helpers_;
  std::function<void(int, int)> work_;
  int items_ = 0;
  bool ends_ = false;
  std::atomic<int> next_{0}, busy_{0}, round_{0};
};

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

// ---- a dense layer, its units in blocks that are multiplied one by one

class Dense {
 public:
  Dense(int blocks, int units, int columns, int batch, int threads)
      : blocks_(blocks), units_(units), padded_units_(round_up(units, LANES)), columns_(columns),
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
    for (int column = first; column < last; column += TALL) {
      const float* weights = weights_.values + at(block, column);
      int image = 0;
      for (; image + 2 * LANES <= batch_; image += 2 * LANES)
        multiply_forward<2>(weights, in + image, out_ + column * batch_ + image);
      if (image < batch_) multiply_forward<1>(weights, in + image, out_ + column * batch_ + image);
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
    std::memset(gradient_turned, 0, sizeof(float) * batch_ * padded_units_);
    for (int chunk = 0; chunk < chunks_; ++chunk) {
      int unit = 0;
      for (; unit + 8 * LANES <= padded_units_; unit += 8 * LANES)
        backward_strip<8>(step, block, chunk, unit, turned + unit, gradient_turned + unit);
      for (; unit + 4 * LANES <= padded_units_; unit += 4 * LANES)
        backward_strip<4>(step, block, chunk, unit, turned + unit, gradient_turned + unit);
      for (; unit + 2 * LANES <= padded_units_; unit += 2 * LANES)
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
  void multiply_forward(const float* weights, const float* in, float* out) {
    Floats total[TALL][WIDE];
    for (int c = 0; c < TALL; ++c)
      for (int v = 0; v < WIDE; ++v) total[c][v] = load(out + c * batch_ + v * LANES);
    for (int unit = 0; unit < units_; ++unit, in += batch_) {
      Floats each[WIDE];
      for (int v = 0; v < WIDE; ++v) each[v] = load(in + v * LANES);
      for (int c = 0; c < TALL; ++c)
        for (int v = 0; v < WIDE; ++v) total[c][v] += weights[c * padded_units_ + unit] * each[v];
    }
    for (int c = 0; c < TALL; ++c)
      for (int v = 0; v < WIDE; ++v) store(out + c * batch_ + v * LANES, total[c][v]);
  }

  // A strip of units and a chunk of columns, whose weights stay in the nearest cache from the gradient, summed over
  // each image's columns, to the update, summed over each column's images.
  template <int WIDE>
  void backward_strip(Step step, int block, int chunk, int unit, const float* in, float* in_gradient) {
    const float* strip = weights_.values + at(block, 0) + unit;
    for (int image = 0; image < batch_; ++image) {
      const int place = chunk * batch_ + image, count = column_counts_[place];
      const int* columns = active_columns_ + place * CHUNK;
      if (count == 0) continue;
      float* to = in_gradient + image * padded_units_;
      Floats total[WIDE];
      for (int v = 0; v < WIDE; ++v) total[v] = load(to + v * LANES);
      for (int i = 0; i < count; ++i) {
        const float each = gradient_[columns[i] * batch_ + image];
        const float* from = strip + size_t(columns[i]) * padded_units_;
        for (int v = 0; v < WIDE; ++v) total[v] += each * load(from + v * LANES);
      }
      for (int v = 0; v < WIDE; ++v) store(to + v * LANES, total[v]);
    }
    const int first = chunk * CHUNK, last = std::min(first + CHUNK, padded_);
    for (int column = first; column < last; ++column) {
      float* weights = weights_.values + at(block, column) + unit;
      float* momenta = weights_.momenta + at(block, column) + unit;
      for (int v = 0; v < WIDE; ++v) {  // a strip is too short for processors to foresee what follows it
        __builtin_prefetch(momenta + 4 * padded_units_ + v * LANES, 1);
        __builtin_prefetch(weights + CHUNK * padded_units_ + v * LANES, 1);
      }
      Floats total[WIDE] = {};
      const int* images = active_images_ + column * batch_;
      for (int i = 0; i < image_counts_[column]; ++i) {
        const float each = gradient_[column * batch_ + images[i]];
        const float* from = in + images[i] * padded_units_;
        for (int v = 0; v < WIDE; ++v) total[v] += each * load(from + v * LANES);
      }
      for (int v = 0; v < WIDE; ++v) update(step, total[v], weights + v * LANES, momenta + v * LANES);
    }
  }

  int blocks_, units_, padded_units_, columns_, padded_, batch_, chunks_;
  Learned weights_, biases_;
  Array<float> out_, gradient_, turned_;
  Array<int> active_images_, image_counts_, active_columns_, column_counts_;
};

// ---- dropout's random numbers

// Murmur3's finalizer (Appleby, public domain) of a counter, with a second key between its two products.
inline Words hash(Words counter, uint32_t key, uint32_t second) {
  Words x = counter * 0x9e3779b9u + key;
  x = (x ^ (x >> 16)) * 0x85ebca6bu ^ second;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

inline Words count_lanes(uint32_t first) {
  Words lanes;
  for (int lane = 0; lane < LANES; ++lane) lanes[lane] = first + lane;
  return lanes;
}

// ---- the network

struct Parameters {  // as Keras has them
  float *kernels, *biases, *dense, *dense_biases, *output, *output_biases;
};

struct Images {
  const uint8_t *pixels, *labels;
};

struct Dropout {
  float rate;
  uint32_t key, second;
};

class Network {
 public:
  Network(Crew& crew, int filters, int kernel, int dense_units, int batch, bool trains)
      : crew_(crew), filters_(filters), kernel_(kernel), dense_units_(dense_units), batch_(batch),
        padded_(round_up(batch, LANES)), side_((SIDE - kernel + 1) / 2), taps_(kernel * kernel),
        row_(side_ * filters), padded_row_(round_up(row_, LANES)), trains_(trains),
        keeps_rows_(trains || crew.size() > 1), staged_(size_t(crew.size()) * LANES * SIDE * SIDE),
        pixels_(SIDE * SIDE * padded_), kernels_(filters * taps_), biases_(filters),
        totals_(size_t(trains ? side_ : 0) * filters * (taps_ + 1) * LANES),
        pooled_(size_t(keeps_rows_ ? side_ : 1) * padded_row_ * padded_),
        row_gradient_(size_t(crew.size()) * padded_row_ * padded_),
        hidden_(round_up(dense_units, LANES) * padded_),
        hidden_gradient_(round_up(dense_units, LANES) * padded_),
        winners_(size_t(trains ? side_ : 0) * row_ * padded_), labels_(padded_),
        dense_(side_, row_, dense_units, padded_, crew.size()),
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
    crew_.share(padded_ / LANES, [&](int group, int thread) {
      float* staged = staged_ + size_t(thread) * LANES * SIDE * SIDE;
      for (int lane = 0; lane < LANES; ++lane) {
        float* to = staged + lane * SIDE * SIDE;
        const int image = group * LANES + lane;
        if (image >= count) {
          std::memset(to, 0, sizeof(float) * SIDE * SIDE);
          continue;
        }
        const int64_t index = order[first + image];
        const uint8_t* from = images.pixels + index * SIDE * SIDE;
        for (int pixel = 0; pixel < SIDE * SIDE; ++pixel) to[pixel] = float(from[pixel]) / 255.0f;
        labels_[image] = images.labels[index];
      }
      transpose(staged, SIDE * SIDE, pixels_ + size_t(group) * LANES * SIDE * SIDE, LANES, LANES, SIDE * SIDE);
    });
  }

  void forward(const Dropout& dropout, uint32_t step) {
    dense_.begin();
    const int columns = dense_.padded();
    if (crew_.size() == 1) {  // each row is multiplied while it is in the cache
      for (int row = 0; row < side_; ++row) {
        pool(dropout, step, row);
        dense_.forward(pooled(row), row, 0, columns);
      }
    } else {
      crew_.share(side_, [&](int row, int) { pool(dropout, step, row); });
      const int each = round_up((columns + crew_.size() - 1) / crew_.size(), TALL);
      crew_.share(crew_.size(), [&](int part, int) {
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
    crew_.share(side_, [&](int item, int thread) {
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

  // The gradients of a filter and a tap, or bias, that each row has left, in the rows' order.
  float* row_total(int row, int filter) {
    return totals_ + (size_t(row) * filters_ + filter) * (taps_ + 1) * LANES;
  }
  float total(int filter, int tap) {
    Floats all = {};
    for (int row = 0; row < side_; ++row) all += load(row_total(row, filter) + tap * LANES);
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

  // Convolution, pooling, bias and ReLU of one pooled row. Bit 0 of a winner is its column, bit 1 its row.
  template <int FIXED>
  void convolve(int row) {
    const int kernel = FIXED ? FIXED : kernel_;
    float* pooled = this->pooled(row);
    for (int group = 0; group < padded_ / LANES; ++group) {
      const float* pixels = pixels_ + (size_t(group) * SIDE * SIDE + 2 * row * SIDE) * LANES;
      for (int filter = 0; filter < filters_; ++filter) {
        Floats weights[FIXED ? FIXED * FIXED : SIDE * SIDE];
        for (int tap = 0; tap < taps_; ++tap)
          weights[tap] = Floats{} + kernels_.values[filter * taps_ + tap];
        for (int column = 0; column < side_; ++column) {
          const float* corner = pixels + 2 * column * LANES;
          Floats each[2][2] = {};
          for (int y = 0; y <= kernel; ++y)
            for (int x = 0; x <= kernel; ++x) {
              const Floats pixel = load(corner + (y * SIDE + x) * LANES);
              for (int i = 0; i < 2; ++i)
                for (int j = 0; j < 2; ++j)
                  if (y >= i && y - i < kernel && x >= j && x - j < kernel)
                    each[i][j] += weights[(y - i) * kernel + x - j] * pixel;
            }
          // Strictly greater: of equal ones the first wins, as in TensorFlow.
          const Ints top = each[0][1] > each[0][0], bottom = each[1][1] > each[1][0];
          const Floats upper = top ? each[0][1] : each[0][0], lower = bottom ? each[1][1] : each[1][0];
          const Ints is_lower = lower > upper;
          const Floats sum = (is_lower ? lower : upper) + biases_.values[filter];
          const size_t at = (size_t(filter) * side_ + column) * padded_ + group * LANES;
          store(pooled + at, sum > 0 ? sum : Floats{});
          if (trains_) {
            const Ints winner = ((is_lower ? bottom : top) & 1) | (is_lower & 2);
            int8_t* to = winners_ + size_t(row) * row_ * padded_ + at;
            for (int lane = 0; lane < LANES; ++lane) to[lane] = int8_t(winner[lane]);
          }
        }
      }
    }
  }

  // Sum the gradient of kernels and biases over a pooled row, in each number pooled from what the winner saw.
  template <int FIXED>
  void gather_gradient(int row, const float* row_gradient) {
    const int kernel = FIXED ? FIXED : kernel_;
    const float* pooled = this->pooled(row);
    for (int group = 0; group < padded_ / LANES; ++group) {
      const float* pixels = pixels_ + (size_t(group) * SIDE * SIDE + 2 * row * SIDE) * LANES;
      for (int filter = 0; filter < filters_; ++filter) {
        float* kept = row_total(row, filter);
        Floats totals[FIXED ? FIXED * FIXED + 1 : SIDE * SIDE + 1];
        for (int tap = 0; tap <= kernel * kernel; ++tap) totals[tap] = group ? load(kept + tap * LANES) : Floats{};
        for (int column = 0; column < side_; ++column) {
          const size_t at = (size_t(filter) * side_ + column) * padded_ + group * LANES;
          const int8_t* winners = winners_ + size_t(row) * row_ * padded_ + at;
          Ints winner;
          for (int lane = 0; lane < LANES; ++lane) winner[lane] = winners[lane];
          const Ints right = (winner & 1) != 0, low = (winner & 2) != 0;
          const Floats gradient = load(pooled + at) > 0 ? load(row_gradient + at) : Floats{};
          const float* corner = pixels + 2 * column * LANES;
          Floats above[FIXED ? FIXED : SIDE];
          for (int y = 0; y <= kernel; ++y)
            for (int x = 0; x < kernel; ++x) {
              const float* pixel = corner + (y * SIDE + x) * LANES;
              const Floats chosen = right ? load(pixel + LANES) : load(pixel);
              if (y > 0) totals[(y - 1) * kernel + x] += gradient * (low ? chosen : above[x]);
              above[x] = chosen;
            }
          totals[kernel * kernel] += gradient;
        }
        for (int tap = 0; tap <= kernel * kernel; ++tap) store(kept + tap * LANES, totals[tap]);
      }
    }
  }

  // Drop numbers of one pooled row, and scale the others so that their expectation stays.
  void drop(const Dropout& dropout, uint32_t step, int row) {
    float* pooled = this->pooled(row);
    const uint32_t threshold = uint32_t(std::lround(dropout.rate * 65536.0));
    const float scale = 1.0f / (1.0f - dropout.rate);
    for (int unit = 0; unit < row_; unit += 2)
      for (int image = 0; image < padded_; image += LANES) {
        const uint32_t pair = (step * side_ + row) * ((row_ + 1) / 2) + unit / 2;
        const Words random = hash(count_lanes(pair * batch_ + image), dropout.key, dropout.second);
        float* first = pooled + size_t(unit) * padded_ + image;
        store(first, (random & 0xffff) >= threshold ? scale * load(first) : Floats{});
        if (unit + 1 == row_) continue;
        float* second = first + padded_;
        store(second, (random >> 16) >= threshold ? scale * load(second) : Floats{});
      }
  }

  Crew& crew_;
  int filters_, kernel_, dense_units_, batch_, padded_, side_, taps_, row_, padded_row_, count_ = 0;
  bool trains_, keeps_rows_;
  Array<float> staged_, pixels_;
  Learned kernels_, biases_;
  Array<float> totals_, pooled_, row_gradient_, hidden_, hidden_gradient_;
  Array<int8_t> winners_;
  Array<int> labels_;
  Dense dense_, output_;
};

Parameters split(float* all, int filters, int kernel, int dense_units) {
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

}  // namespace

extern "C" {

#ifdef __clang__
const char* compiler() { return __VERSION__; }
#else
const char* compiler() { return "GCC " __VERSION__; }
#endif

// Train on the images in the given order, one epoch; parameters and momenta, all in one array each, change.
int train_epoch(const uint8_t* pixels, const uint8_t* labels, const int32_t* order, int64_t count, int filters,
                int kernel, int dense_units, int batch, float* parameters, float* momenta, float rate,
                float momentum, float dropped, uint32_t key, uint32_t second, int threads, double* loss,
                int64_t* correct) try {
  const FlushDenormals flush;
  Crew crew(threads);
  Network network(crew, filters, kernel, dense_units, batch, true);
  const Parameters own = split(parameters, filters, kernel, dense_units);
  const Parameters own_momenta = split(momenta, filters, kernel, dense_units);
  network.exchange(own, own_momenta, true);
  *loss = 0;
  *correct = 0;
  for (int64_t first = 0, step = 0; first < count; first += batch, ++step) {
    network.take({pixels, labels}, order, first, int(std::min<int64_t>(batch, count - first)));
    network.forward({dropped, key, second}, uint32_t(step));
    network.judge(loss, correct);
    network.backward({rate, momentum}, 1.0f - dropped);
  }
  network.exchange(own, own_momenta, false);
  if (!network.is_finite()) *loss = NAN;
  return 0;
} catch (const std::bad_alloc&) {
  return 1;
}

// Sum the loss and count the correct ones over the images in the given order.
int evaluate(const uint8_t* pixels, const uint8_t* labels, const int32_t* order, int64_t count, int filters,
             int kernel, int dense_units, float* parameters, int threads, double* loss,
             int64_t* correct) try {
  constexpr int BATCH = 32;
  Crew crew(threads);
  Network network(crew, filters, kernel, dense_units, BATCH, false);
  const Parameters own = split(parameters, filters, kernel, dense_units);
  network.exchange(own, own, true);
  *loss = 0;
  *correct = 0;
  for (int64_t first = 0; first < count; first += BATCH) {
    network.take({pixels, labels}, order, first, int(std::min<int64_t>(BATCH, count - first)));
    network.forward({0, 0, 0}, 0);
    network.judge(loss, correct);
  }
  return 0;
} catch (const std::bad_alloc&) {
  return 1;
}
}
