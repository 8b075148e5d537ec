// Trains and evaluates the published network, a whole epoch a call: convolution, bias, ReLU, pooling, dropout,
// two dense layers, softmax with cross-entropy, SGD with momentum. Portable C++ with the vector extensions of
// GCC and Clang; tasks/engines/native_library.py compiles it for the processor at hand.
//
// A vector holds one number of several images, its slots. So nothing depends on how the number of filters or
// the kernel divides a vector; only the last batch may leave slots empty.
//
// Behind a ReLU most hidden units have no gradient in most images: products with such zeros are left out, which
// changes no result. Every sum has a fixed order: the same input gives the same bits, on any number of threads,
// which share the pooled rows and, where they add up over all rows, the columns of the dense layer.

#include "network.h"

extern "C" {

#ifdef __clang__
const char* compiler() { return __VERSION__; }
#else
const char* compiler() { return "GCC " __VERSION__; }
#endif

// What decides the bits of its sums: how many numbers are added side by side, and whether products are rounded.
const char* vectors() {
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return SLOTS == 16 ? "16 numbers, fused" : SLOTS == 8 ? "8 numbers, fused" : "4 numbers, fused";
#else
  return SLOTS == 16 ? "16 numbers" : SLOTS == 8 ? "8 numbers" : "4 numbers";
#endif
}

// Train on the images in the given order, one epoch; parameters and momenta, all in one array each, change.
int train_epoch(const uint8_t* pixels, const uint8_t* labels, const int32_t* order, int64_t count, int filters,
                int kernel, int dense_units, int batch, float* parameters, float* momenta, float rate,
                float momentum, float dropped, uint32_t key, uint32_t second, int threads, double* loss,
                int64_t* correct) try {
  const FlushDenormals flush;
  ThreadPool workers(threads);
  Network network(workers, filters, kernel, dense_units, batch, true);
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
  ThreadPool workers(threads);
  Network network(workers, filters, kernel, dense_units, BATCH, false);
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
