// Logs in, then reads the cached token. Configured by DL_AUTH_USERNAME, DL_AUTH_PASSWORD and so on.
#include <dl_auth.hpp>

#include <iomanip>
#include <iostream>

using stopwatch = std::chrono::steady_clock;
using milliseconds = std::chrono::duration<double, std::milli>;

int main() try {
  const dl::auth auth;

  auto started = stopwatch::now();
  const std::string token = auth.token();
  const milliseconds first = stopwatch::now() - started;

  started = stopwatch::now();
  for (int i = 0; i < 1000; i++) auth.token();
  const milliseconds cached = (stopwatch::now() - started) / 1000.0;

  std::cout << "token   " << token.substr(0, 20) << "... (" << token.size() << " bytes)\n"
            << "claims  " << auth.claims() << '\n'
            << "expiry  " << dl::jwt_expiry(token).time_since_epoch().count() << " (Unix seconds)\n"
            << std::fixed << std::setprecision(1) << "first   " << first.count() << " ms (login over TLS)\n"
            << std::setprecision(6) << "cached  " << cached.count() << " ms (mean of 1000 calls)\n";
} catch (const dl::error &error) {
  std::cerr << dl_auth_status_name(error.status()) << ": " << error.what() << '\n';
  return 1;
}
