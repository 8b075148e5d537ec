// Threads that share the work of one training.

#pragma once

#include <atomic>
#include <functional>
#include <system_error>
#include <thread>
#include <vector>

#include "vectors.h"

// Threads that share work. Helpers that the system refuses are done without: they change no result.
class ThreadPool {
 public:
  explicit ThreadPool(int threads) {
    try {
      for (int thread = 1; thread < threads; ++thread) helpers_.emplace_back([this, thread] { help(thread); });
    } catch (const std::system_error&) {
    }
  }

  ~ThreadPool() {
    ends_ = true;
    begin_round();
    for (std::thread& helper : helpers_) helper.join();
  }

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

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
