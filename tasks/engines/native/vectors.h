// Vectors, each of which holds one number of several images, its slots; arrays of them; and their transpose.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#if defined(__AVX512F__)
#define SLOTS 16
#elif defined(__AVX__)
#define SLOTS 8
#else
#define SLOTS 4
#endif

typedef float Floats __attribute__((vector_size(4 * SLOTS)));
typedef int32_t Ints __attribute__((vector_size(4 * SLOTS)));
typedef uint32_t Words __attribute__((vector_size(4 * SLOTS)));

inline int round_up(int number, int multiple) { return (number + multiple - 1) / multiple * multiple; }

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
  for (int slot = 0; slot < SLOTS; ++slot) total += value[slot];
  return total;
}

#ifdef __clang__
#define SHUFFLE(one, other, ...) __builtin_shufflevector(one, other, __VA_ARGS__)
#else
#define SHUFFLE(one, other, ...) __builtin_shuffle(one, other, Ints{__VA_ARGS__})
#endif
#if SLOTS == 16
#define LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif SLOTS == 8
#define LOW 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#endif

// out[column][row] = in[row][column]; rows and columns are multiples of SLOTS.
inline void transpose(const float* in, int in_stride, float* out, int out_stride, int rows, int columns) {
  for (int row = 0; row < rows; row += SLOTS)
    for (int column = 0; column < columns; column += SLOTS) {
      Floats lines[SLOTS], mixed[SLOTS];
      for (int i = 0; i < SLOTS; ++i) lines[i] = load(in + (row + i) * in_stride + column);
      for (int round = 1; round < SLOTS; round *= 2) {  // log2(SLOTS) perfect shuffles
        for (int i = 0; i < SLOTS / 2; ++i) {
          mixed[2 * i] = SHUFFLE(lines[i], lines[i + SLOTS / 2], LOW);
          mixed[2 * i + 1] = SHUFFLE(lines[i], lines[i + SLOTS / 2], HIGH);
        }
        for (int i = 0; i < SLOTS; ++i) lines[i] = mixed[i];
      }
      for (int i = 0; i < SLOTS; ++i) store(out + (column + i) * out_stride + row, lines[i]);
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
