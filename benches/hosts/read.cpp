// Reads a cached token in a loop: through dl::auth, and with common hand-written C++ code, a mutex, a clock and a copy
// of a std::string. DL_AUTH_* have the credentials and the URL.
//
// The program prints "ready". It reads lines "WAY THREADS MILLISECONDS", with 1 for THREADS, and prints nanoseconds per
// read.
#include <dl_auth.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>

namespace {
using steady = std::chrono::steady_clock;

constexpr int batch = 256;

class holder {
 public:
  explicit holder(std::string token) : token_(std::move(token)), expires_(steady::now() + std::chrono::hours(24)) {}

  std::string token() {
    const std::lock_guard<std::mutex> guard(lock_);
    if (steady::now() >= expires_) std::abort(); // it would log in here
    return token_;
  }

 private:
  std::mutex lock_;
  std::string token_;
  steady::time_point expires_;
};

template <typename Read>
double measure(Read read, long milliseconds) {
  long reads = 0;
  const auto began = steady::now(), until = began + std::chrono::milliseconds(milliseconds);
  auto now = began;
  for (; now < until; now = steady::now(), reads += batch) {
    for (int i = 0; i < batch; i++) {
      const std::string token = read();
      __asm__ volatile("" : : "r"(token.data()) : "memory");
    }
  }
  return std::chrono::duration<double, std::nano>(now - began).count() / static_cast<double>(reads);
}
} // namespace

int main() {
  const dl::auth auth;
  holder by_hand(auth.token());
  std::cout << "ready" << std::endl;
  std::string way;
  int threads = 0;
  for (long milliseconds = 0; std::cin >> way >> threads >> milliseconds;) {
    const double each = way == "ours" ? measure([&] { return auth.token(); }, milliseconds)
                                      : measure([&] { return by_hand.token(); }, milliseconds);
    std::cout << each << std::endl;
  }
}
