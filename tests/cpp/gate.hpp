// The common parts of the C++ tests: the gate (with the control client of the C tests), handles for it, checks, and the
// table of scenarios. It compiles without exceptions, because some of the tests do.
//
// A program runs the scenarios that are named on its command line, or all that need no other library, and writes `ok
// NAME`.
#pragma once

#include <dl_auth.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <thread>

extern "C" {
const char *gate_answer(const char *method, const char *path, const char *body);
long long gate_count(const char *name);
long long gate_number_in(const char *json, const char *name);
void gate_wait_for(const char *name, int least);
}

using namespace std::chrono_literals;

#define CHECK(condition) \
  do { \
    if (!(condition)) fail(__FILE__, __LINE__, #condition); \
  } while (0)

[[noreturn]] inline void fail(const char *file, int line, const char *what) {
  std::fprintf(stderr, "%s:%d: wanted: %s\n", file, line, what);
  std::exit(1);
}

inline bool holds(const std::string &text, const std::string &word) { return text.find(word) != text.npos; }

template <typename Condition>
void wait_until(Condition condition) {
  while (!condition()) std::this_thread::sleep_for(2ms);
}

/** The gate's value of a variable such as GATE_URL. */
inline std::string gate(const char *what) {
  const char *value = std::getenv(what);
  CHECK(value);
  return value;
}

/** Plans the gate's next behaviours: one, or an array, with ' instead of ". */
inline void plan(const char *behaviours) { gate_answer("POST", "/plan", behaviours); }
inline void set_gate(const char *settings) { gate_answer("POST", "/set", settings); }
/** Releases all requests that hang. */
inline void release() {
  gate_answer("POST", "/release", "");
  wait_until([] { return gate_count("hanging") == 0; });
}
inline std::string last_token() {
  const std::string json = gate_answer("GET", "/last_token", "");
  return json.substr(1, json.size() - 2);
}

/** A configuration for the gate, with one attempt per refresh, so that the number of requests is known. */
inline dl::config gate_config(std::initializer_list<dl::option> more = {}) {
  dl::config config;
  const auto set = [&](const dl::text &key, const dl::text &value) { CHECK(config.try_set(key, value) == DL_AUTH_OK); };
  set(dl::key::url, gate("GATE_URL"));
  set(dl::key::ca_file, gate("GATE_CA_FILE"));
  set(dl::key::username, gate("GATE_USERNAME"));
  set(dl::key::password, gate("GATE_PASSWORD"));
  set(dl::key::proxy, "none");
  set(dl::key::max_attempts, "1");
  set(dl::key::wait, "10m"); // limits that a busy machine does not reach
  set(dl::key::connect_timeout, "5m");
  set(dl::key::timeout, "10m");
  for (const dl::option &each : more) set(each.key, each.value);
  return config;
}

inline dl::auth open_gate(std::initializer_list<dl::option> more = {}) {
  dl::auth auth = dl::auth::open(gate_config(more));
  CHECK(auth);
  return auth;
}

inline dl_auth_info_t look_at(const dl::auth &auth) {
  dl_auth_info_t info;
  CHECK(auth.try_info(info) == DL_AUTH_OK);
  return info;
}

struct scenario {
  const char *name;
  void (*run)();
  bool at_the_gate = true; // false: it runs with the library of stub.c, and only if it is named
};

inline int run(std::initializer_list<scenario> scenarios, int count, char **names) {
  int ran = 0;
  for (const scenario &each : scenarios) {
    bool wanted = count < 2 && each.at_the_gate;
    for (int i = 1; i < count; i++) wanted = wanted || std::strcmp(names[i], each.name) == 0;
    if (!wanted) continue;
    if (each.at_the_gate) gate_answer("POST", "/reset", "");
    each.run();
    std::printf("ok %s\n", each.name);
    std::fflush(stdout);
    ran++;
  }
  CHECK(ran > 0 && (count < 2 || ran == count - 1));
  return 0;
}
