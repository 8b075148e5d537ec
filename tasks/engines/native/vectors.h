// Vectors, each of which holds one number of several images, its slots; arrays of them; and their transpose.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#ifdef __SSE__
#include <immintrin.h>
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

inline Floats larger(Floats one, Floats other) {  // `other` where they are equal or one is no number
#if SLOTS == 16
  return _mm512_max_ps(one, other);
#elif SLOTS == 8
  return _mm256_max_ps(one, other);
#elif defined(__SSE__)
  return _mm_max_ps(one, other);
#else
  return one > other ? one : other;
#endif
}

// A bit for each slot, whether its number is greater; and what has a bit, as a condition.
inline uint32_t greater_bits(Floats one, Floats other) {
#if SLOTS == 16
  return _mm512_cmp_ps_mask(one, other, _CMP_GT_OQ);
#elif SLOTS == 8
  return _mm256_movemask_ps((Floats)(one > other));
#elif defined(__SSE__)
  return _mm_movemask_ps((Floats)(one > other));
#else
  const Ints truths = one > other;
  uint32_t bits = 0;
  for (int slot = 0; slot < SLOTS; ++slot) bits |= uint32_t(truths[slot] & 1) << slot;
  return bits;
#endif
}
inline Ints has_bit(uint32_t bits) {
  Ints own;
  for (int slot = 0; slot < SLOTS; ++slot) own[slot] = 1 << slot;
  return (own & int32_t(bits)) == own;
}

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

// Of each 2 * distance numbers, exchange one line's second half with the other line's first: AVX2 has
// instructions for this, and none for a general shuffle of two lines.
template <int distance, int... slot>
inline void exchange_blocks(Floats& one, Floats& other, std::integer_sequence<int, slot...>) {
  const Floats first = SHUFFLE(one, other, (slot & distance ? SLOTS + slot - distance : slot)...);
  other = SHUFFLE(one, other, (slot & distance ? SLOTS + slot : slot + distance)...);
  one = first;
}

// Transpose a square: exchange its quarters across the diagonal, then each quarter's, down to single numbers.
template <int distance = SLOTS / 2>
inline void transpose_square(Floats* lines) {
  for (int i = 0; i < SLOTS; ++i)
    if (!(i & distance))
      exchange_blocks<distance>(lines[i], lines[i + distance], std::make_integer_sequence<int, SLOTS>());
  if constexpr (distance > 1) transpose_square<distance / 2>(lines);
}

// out[column][row] = in[row][column]; rows and columns are multiples of SLOTS.
inline void transpose(const float* in, int in_stride, float* out, int out_stride, int rows, int columns) {
  for (int row = 0; row < rows; row += SLOTS)
    for (int column = 0; column < columns; column += SLOTS) {
      Floats lines[SLOTS];
      for (int i = 0; i < SLOTS; ++i) lines[i] = load(in + (row + i) * in_stride + column);
      transpose_square(lines);
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
