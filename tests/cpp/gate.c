/* The control client of the C tests; the C++ tests use it: tests/c/gate.h is C11, so this file compiles it and the tests
 * call it. */
#include "../c/gate.h"

const char *gate_answer(const char *method, const char *path, const char *body) {
  return control(method, path, body, 200, 200);
}

long long gate_count(const char *name) { return count(name); }

long long gate_number_in(const char *json, const char *name) { return number_in(json, name); }

void gate_wait_for(const char *name, int least) { wait_for(name, least); }
