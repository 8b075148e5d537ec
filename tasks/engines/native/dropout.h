// Dropout's random numbers.

#pragma once

#include "vectors.h"

struct Dropout {
  float rate;
  uint32_t key, second;
};

// Murmur3's finalizer (Appleby, public domain) of a counter, with a second key between its two products.
inline Words hash(Words counter, uint32_t key, uint32_t second) {
  Words x = counter * 0x9e3779b9u + key;
  x = (x ^ (x >> 16)) * 0x85ebca6bu ^ second;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

inline Words count_slots(uint32_t first) {
  Words slots;
  for (int slot = 0; slot < SLOTS; ++slot) slots[slot] = first + slot;
  return slots;
}
