// The form that throws nothing and allocates nothing, for programs such as games: -fno-exceptions -fno-rtti. It runs
// scenarios of tests/hosts/scenarios.md only through that form. A counting `operator new` checks each call of a handle.
#include "gate.hpp"

#include <new>

#ifdef DL_AUTH_EXCEPTIONS
#error this is to be compiled with -fno-exceptions
#endif

namespace {
std::size_t allocations = 0; // of this thread, because there is no other
}
void *operator new(std::size_t size) {
  allocations++;
  return std::malloc(size);
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }

namespace {

using view = std::string_view;

/** The status of a call that must not allocate in this program. */
template <typename Call>
dl_auth_status_t without_allocation(Call call) {
  const std::size_t before = allocations;
  const dl_auth_status_t status = call();
  CHECK(allocations == before);
  return status;
}

/** Makes every call on a handle on which each call fails with this status, and checks each failure with `look`. */
template <typename Look>
void each_call_fails_with(const dl::auth &auth, dl_auth_status_t status, Look look) {
  char memory[DL_AUTH_BEARER_MAX];
  view out;
  dl_auth_info_t info;
  const auto check = [&](auto call) {
    dl::failure why;
    out = "x", memory[0] = 'x';
    CHECK(without_allocation([&] { return call(&why); }) == status && why.status() == status && why.message()[0]);
    CHECK(call(nullptr) == status);
    look(why);
  };
  const auto read = [&](auto call) {
    check(call);
    CHECK(out.empty() && memory[0] == 0);
  };
  read([&](dl::failure *why) { return auth.try_token(memory, out, why); });
  read([&](dl::failure *why) { return auth.try_bearer(memory, out, why); });
  read([&](dl::failure *why) { return auth.try_claims(memory, out, why); });
  read([&](dl::failure *why) { return auth.try_token_within(1s, 1s, memory, out, why); });
  check([&](dl::failure *why) { return auth.try_info(info, why); });
  check([&](dl::failure *why) { return auth.try_invalidate("x", why); });
  check([&](dl::failure *why) { return auth.try_set_credentials("x", "y", why); });
  CHECK(auth.generation() == 0);
}

void first_token() {
  dl::failure why;
  const dl::auth auth = dl::auth::open({{dl::key::url, gate("GATE_URL")},
                                        {dl::key::ca_file, gate("GATE_CA_FILE")},
                                        {dl::key::username, gate("GATE_USERNAME")},
                                        {dl::key::password, gate("GATE_PASSWORD")},
                                        {dl::key::proxy, "none"}},
                                       &why);
  char jwt[DL_AUTH_TOKEN_MAX], header[DL_AUTH_BEARER_MAX], json[DL_AUTH_TOKEN_MAX], other[DL_AUTH_TOKEN_MAX];
  view token, bearer, claims, of_jwt;
  dl::sys_seconds expiry;
  CHECK(auth && why.status() == DL_AUTH_OK && !why.message()[0]);
  CHECK(without_allocation([&] { return auth.try_token(jwt, token, &why); }) == DL_AUTH_OK);
  CHECK(without_allocation([&] { return auth.try_token_within(1min, 0s, {other, sizeof other}, of_jwt); }) == DL_AUTH_OK);
  CHECK(of_jwt == token && token == last_token() && std::strlen(jwt) == token.size());
  CHECK(without_allocation([&] { return auth.try_bearer(header, bearer, &why); }) == DL_AUTH_OK);
  CHECK(bearer == "Bearer " + std::string(token));
  CHECK(without_allocation([&] { return auth.try_claims(json, claims, &why); }) == DL_AUTH_OK);
  CHECK(without_allocation([&] { return dl::try_jwt_claims(jwt, other, of_jwt, &why); }) == DL_AUTH_OK && of_jwt == claims);
  CHECK(without_allocation([&] { return dl::try_jwt_expiry(jwt, expiry, &why); }) == DL_AUTH_OK);
  CHECK(expiry.time_since_epoch().count() == gate_number_in(json, "exp"));
  CHECK(without_allocation([&] { return auth.try_invalidate("another", &why); }) == DL_AUTH_OK);
  CHECK(without_allocation([&] { return auth.try_invalidate(other, &why); }) == DL_AUTH_OK); // a char array, not the view of it
  CHECK(why.status() == DL_AUTH_OK && look_at(auth).logins == 1 && auth.generation() != 0);
  CHECK(gate_count("requests") == 1);
}

void wrong_password() {
  const dl::auth auth = open_gate({{dl::key::password, "a wrong one of noexcept.cpp"}});
  char jwt[DL_AUTH_TOKEN_MAX];
  for (int i = 0; i < 2; i++) {
    view token;
    dl::failure why;
    CHECK(without_allocation([&] { return auth.try_token(jwt, token, &why); }) == DL_AUTH_E_DENIED && token.empty());
    CHECK(why.status() == DL_AUTH_E_DENIED && why.http_status() == 401 && why.message()[0]);
    CHECK(why.retry_after() > 0ms && why.retry_after() <= 30s);
  }
  CHECK(gate_count("requests") == 1);
}

void use_after_close() {
  const auto nothing_more = [](const dl::failure &why) { CHECK(why.http_status() == 0 && why.retry_after() == 0ms); };
  dl::auth auth = open_gate(), other = std::move(auth);
  each_call_fails_with(auth, DL_AUTH_E_CLOSED, nothing_more); // moved from
  each_call_fails_with(dl::auth(nullptr), DL_AUTH_E_CLOSED, nothing_more);
  CHECK(!auth && other);
  other.close();
  other.close();
  auth.close();
  each_call_fails_with(other, DL_AUTH_E_CLOSED, nothing_more);
  CHECK(gate_count("requests") == 0);
}

void wrong_option() {
  dl::failure why;
  dl::config config;
  CHECK(!dl::auth::open({{"usernam", "x"}}, &why) && why.status() == DL_AUTH_E_UNKNOWN_KEY);
  CHECK(holds(why.message(), "`username`"));
  CHECK(without_allocation([&] { return config.try_set(dl::key::timeout, "soon", &why); }) == DL_AUTH_E_INVALID_VALUE);
  CHECK(holds(why.message(), "`timeout`"));
  const char *environment[] = {"DL_AUTH_TIMEOUT=soon", "DL_AUTH_USERNAME=x", "DL_AUTH_PASSWORD=y", nullptr};
  dl::config other;
  CHECK(without_allocation([&] { return other.try_set_environ(environment, &why); }) == DL_AUTH_OK);
  CHECK(!dl::auth::open(other, &why) && why.status() == DL_AUTH_E_INVALID_VALUE);
  CHECK(holds(why.message(), "DL_AUTH_TIMEOUT"));
  CHECK(other.try_set_environ({"x"}, &why) == DL_AUTH_E_INVALID_VALUE && why.message()[0]);
  CHECK(!dl::auth::open({{"usernam", "x"}}) && !dl::auth::open(config, &why) && !dl::auth::open(&why));
  CHECK(why.status() == DL_AUTH_E_NO_CREDENTIALS);
  CHECK(gate_count("requests") == 0);
}

void cancellation() {
  plan("{'do':'hang'}");
  const dl::auth auth = open_gate();
  char jwt[DL_AUTH_TOKEN_MAX];
  view token;
  CHECK(without_allocation([&] { return auth.try_token_within(0s, 0s, jwt, token); }) == DL_AUTH_E_PENDING);
  CHECK(without_allocation([&] { return auth.try_token_within(0s, 50ms, jwt, token); }) == DL_AUTH_E_TIMEOUT);
  gate_wait_for("hanging", 1);
  release();
  wait_until([&] { return auth.try_token_within(0s, 0s, jwt, token) != DL_AUTH_E_PENDING; }); // like a frame loop
  CHECK(token == last_token());
  CHECK(gate_count("requests") == 1);
}

void every_status() {
  for (dl_auth_status_t status = -1; status > -110; status--) {
    const dl::auth auth = dl::auth::open({{dl::key::token, std::to_string(status)}});
    each_call_fails_with(auth, status, [](const dl::failure &why) {
      CHECK(why.http_status() == 418 && why.retry_after() == 1500ms);
    });
  }
}

void library_too_old() {
  dl::failure why;
  const dl::config config;
  for (int i = 0; i < 3; i++) {
    const dl::auth auth = i == 0   ? dl::auth::open(&why)
                          : i == 1 ? dl::auth::open(config, &why)
                                   : dl::auth::open({{dl::key::username, "x"}}, &why);
    CHECK(!auth && why.status() == DL_AUTH_E_UNSUPPORTED);
    CHECK(holds(why.message(), "libdl_auth 0.0.9"));
    CHECK(holds(why.message(), gate("STUB_OLD") + "/libdl_auth.so.0"));
    why = dl::failure();
  }
}

} // namespace

int main(int count, char **names) {
  return run({{"first_token", first_token},
              {"wrong_password", wrong_password},
              {"use_after_close", use_after_close},
              {"wrong_option", wrong_option},
              {"cancellation", cancellation},
              {"every_status", every_status, false},
              {"library_too_old", library_too_old, false}},
             count, names);
}
