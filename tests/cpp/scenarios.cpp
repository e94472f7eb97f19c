// The scenarios of tests/hosts/scenarios.md, in the form with exceptions.
#include "gate.hpp"

#include <atomic>
#include <vector>

namespace {

template <typename Call>
dl::error thrown(Call call) {
  try {
    call();
  } catch (const dl::error &error) {
    CHECK(error.what()[0] && std::strcmp(error.what(), error.message()) == 0);
    return error;
  }
  std::fputs("nothing was thrown\n", stderr);
  std::exit(1);
}

void first_token() {
  const dl::auth auth{{dl::key::url, gate("GATE_URL")},
                      {dl::key::ca_file, gate("GATE_CA_FILE")},
                      {dl::key::username, gate("GATE_USERNAME")},
                      {dl::key::password, gate("GATE_PASSWORD")},
                      {dl::key::proxy, "none"}};
  const std::string token = auth.token();
  CHECK(token == last_token());
  CHECK(auth.bearer() == "Bearer " + token);
  CHECK(gate_count("logins") == 1 && gate_count("requests") == 1);
}

void cached_read() {
  const dl::auth auth = open_gate();
  const std::string token = auth.token();
  const auto generation = auth.generation();
  char jwt[DL_AUTH_TOKEN_MAX];
  CHECK(generation != 0);
  for (int i = 0; i < 500; i++) CHECK(auth.token() == token && auth.token(jwt) == token);
  CHECK(std::strlen(jwt) == token.size() && auth.generation() == generation);
  CHECK(gate_count("requests") == 1);
}

void claims() {
  const dl::auth auth = open_gate();
  const std::string token = auth.token(), claims = auth.claims();
  char json[DL_AUTH_TOKEN_MAX];
  CHECK(holds(claims, "\"email\":\"" + gate("GATE_USERNAME") + "\""));
  const auto issued = gate_number_in(claims.c_str(), "iat"), ends = gate_number_in(claims.c_str(), "exp");
  CHECK(ends > issued);
  CHECK(auth.claims(json) == claims && dl::jwt_claims(token) == claims);
  CHECK(dl::jwt_expiry(token).time_since_epoch() == std::chrono::seconds(ends));
  CHECK(gate_count("requests") == 1);
}

void expiry_and_refresh() {
  set_gate("{'lifetime':3}");
  const dl::auth auth = open_gate();
  const std::string first = auth.token();
  for (std::string token = first; token == first; std::this_thread::sleep_for(5ms)) {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    token = auth.token();
    CHECK(dl::jwt_expiry(token) >= now); // the gate's times are whole seconds
  }
  CHECK(gate_count("logins") == 1 && gate_count("refreshes") >= 1);
  CHECK(auth.info().logins == 1 && auth.info().refreshes >= 1);
}

void wrong_password() {
  const dl::auth auth = open_gate({{dl::key::password, "a wrong one of scenarios.cpp"}});
  for (int i = 0; i < 2; i++) {
    const dl::error refused = thrown([&] { auth.token(); });
    CHECK(refused.status() == DL_AUTH_E_DENIED && refused.http_status() == 401);
    CHECK(refused.retry_after() > 0ms && refused.retry_after() <= 30s);
    CHECK(!holds(refused.what(), "a wrong one"));
  }
  CHECK(gate_count("requests") == 1);
}

void gate_down_with_a_valid_token() {
  set_gate("{'lifetime':30}");
  const dl::auth auth = open_gate({{dl::key::refresh_at, "0.1"}});
  const std::string token = auth.token();
  plan("{'do':'status','status':503,'times':100}");
  wait_until([&] { return auth.info().state == DL_AUTH_STATE_DUE && auth.info().retry_in_ms == 0; });
  CHECK(auth.token() == token); // starts a refresh in the background
  wait_until([&] { return auth.info().failures == 1; });
  CHECK(auth.token() == token);
  CHECK(auth.info().last_status == DL_AUTH_E_GATE && auth.info().last_http_status == 503);
  CHECK(gate_count("logins") + gate_count("refreshes") == 2);
}

void gate_down_without() {
  plan("{'do':'status','status':503}");
  const dl::error down = thrown([] { open_gate().token(); });
  CHECK(down.status() == DL_AUTH_E_GATE && down.http_status() == 503 && down.retry_after() > 0ms);
  CHECK(gate_count("requests") == 1);
  const dl::error away = thrown([] { open_gate({{dl::key::url, gate("GATE_REFUSED_URL")}}).token(); });
  CHECK(away.status() == DL_AUTH_E_UNREACHABLE && away.http_status() == 0 && away.retry_after() > 0ms);
}

/** Sends a request with the token. `send` takes a header and returns an HTTP status. After a 401, sends it once more
 * with another token. */
template <typename Send>
int ask(const dl::auth &auth, Send send) {
  const std::string token = auth.token();
  const int status = send("Bearer " + token);
  if (status != 401) return status;
  auth.invalidate(token);
  const std::string another = auth.token();
  return another == token ? status : send("Bearer " + another);
}

void platform_401() {
  const dl::auth another = open_gate(); // its token is too new to be replaced: the 401 is the answer
  int asked_in_vain = 0;
  CHECK(ask(another, [&](const std::string &) { return asked_in_vain++, 401; }) == 401 && asked_in_vain == 1);
  CHECK(gate_count("requests") == 1);

  set_gate("{'lifetime':10}");
  const dl::auth auth = open_gate();
  const std::string refused = auth.token();
  wait_until([&] { return auth.info().retry_in_ms == 0; });
  std::atomic<int> asked{0};
  const auto platform = [&](const std::string &header) { return asked++, header == "Bearer " + refused ? 401 : 200; };
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; i++) threads.emplace_back([&] { CHECK(ask(auth, platform) == 200); });
  for (std::thread &thread : threads) thread.join();
  CHECK(asked >= 9 && asked <= 16);
  CHECK(auth.token() != refused && auth.token() == last_token());
  CHECK(gate_count("logins") == 2 && gate_count("refreshes") == 1);
}

void many_at_once_make_one_login() {
  plan("{'do':'hang'}");
  const dl::auth auth = open_gate();
  std::vector<std::string> tokens(50);
  std::vector<std::thread> threads;
  for (std::string &token : tokens) threads.emplace_back([&] { token = auth.token(); });
  wait_until([&] { return auth.info().waiting == tokens.size(); });
  gate_wait_for("hanging", 1);
  release();
  for (std::thread &thread : threads) thread.join();
  for (const std::string &token : tokens) CHECK(token == last_token());
  CHECK(gate_count("requests") == 1);
}

void use_after_close() {
  plan("{'do':'hang'}");
  dl::auth auth = open_gate();
  std::thread waiting([&] {
    for (int i = 0; i < 2; i++) CHECK(thrown([&] { auth.token(); }).status() == DL_AUTH_E_CLOSED); // woken, then closed
  });
  wait_until([&] { return auth.info().waiting == 1; });
  gate_wait_for("hanging", 1);
  auth.close();
  waiting.join();
  release();
  for (int i = 0; i < 2; i++, auth.close()) {
    char memory[DL_AUTH_BEARER_MAX];
    CHECK(thrown([&] { auth.token(); }).status() == DL_AUTH_E_CLOSED);
    CHECK(thrown([&] { auth.token(memory); }).status() == DL_AUTH_E_CLOSED);
    CHECK(thrown([&] { auth.bearer(); }).status() == DL_AUTH_E_CLOSED);
    CHECK(thrown([&] { auth.claims(); }).status() == DL_AUTH_E_CLOSED);
    CHECK(thrown([&] { auth.token_within(0s, 0s); }).status() == DL_AUTH_E_CLOSED);
    CHECK(thrown([&] { auth.info(); }).status() == DL_AUTH_E_CLOSED);
    CHECK(thrown([&] { auth.invalidate("x"); }).status() == DL_AUTH_E_CLOSED);
    CHECK(thrown([&] { auth.set_credentials("x", "y"); }).status() == DL_AUTH_E_CLOSED);
    CHECK(auth.generation() == 0);
    if (i == 0) const dl::auth moved = std::move(auth); // the moved-from handle is closed as well
  }
}

void wrong_option() {
  const dl::error unknown = thrown([] { dl::auth{{"usernam", "x"}}; });
  CHECK(unknown.status() == DL_AUTH_E_UNKNOWN_KEY && holds(unknown.what(), "`username`"));
  const dl::error invalid = thrown([] { dl::config().set(dl::key::username, "x").set(dl::key::timeout, "soon"); });
  CHECK(invalid.status() == DL_AUTH_E_INVALID_VALUE && holds(invalid.what(), "`timeout`"));
  CHECK(gate_count("requests") == 0);
}

void cancellation() {
  plan("{'do':'hang'}");
  const dl::auth auth = open_gate();
  CHECK(thrown([&] { auth.token_within(0s, 50ms); }).status() == DL_AUTH_E_TIMEOUT);
  CHECK(thrown([&] { auth.token_within(0s, 0s); }).status() == DL_AUTH_E_PENDING);
  gate_wait_for("hanging", 1);
  release();
  const std::string token = auth.token();
  CHECK(token == last_token() && gate_count("requests") == 1);
}

void every_status() {
  for (dl_auth_status_t status = -1; status > -110; status--) { // all statuses, and numbers that are not a status
    const dl::auth auth{{dl::key::token, std::to_string(status)}};
    char memory[DL_AUTH_BEARER_MAX];
    const auto check = [&](auto call) {
      const dl::error error = thrown(call);
      CHECK(error.status() == status && error.http_status() == 418 && error.retry_after() == 1500ms);
      CHECK(status != DL_AUTH_E_DENIED || holds(error.what(), "DL_AUTH_E_DENIED"));
    };
    check([&] { auth.token(); });
    check([&] { auth.token(memory); });
    check([&] { auth.bearer(); });
    check([&] { auth.bearer(memory); });
    check([&] { auth.claims(); });
    check([&] { auth.claims(memory); });
    check([&] { auth.token_within(1s, 1s); });
    check([&] { auth.token_within(1s, 1s, memory); });
    check([&] { auth.info(); });
    check([&] { auth.invalidate("x"); });
    check([&] { auth.set_credentials("x", "y"); });
    check([&] { dl::jwt_claims("x"); });
    check([&] { dl::jwt_expiry("x"); });
  }
}

void library_too_old() {
  const auto check = [](auto call) {
    const dl::error error = thrown(call);
    CHECK(error.status() == DL_AUTH_E_UNSUPPORTED);
    CHECK(holds(error.what(), "libdl_auth 0.0.9") && holds(error.what(), gate("STUB_OLD") + "/libdl_auth.so.0"));
  };
  check([] { dl::auth{}; });
  check([] { dl::auth{dl::config()}; });
  check([] { dl::auth{{dl::key::username, "x"}}; });
  check([] { dl::config().set(dl::key::username, "x"); });
}

} // namespace

int main(int count, char **names) {
  return run({{"first_token", first_token},
              {"cached_read", cached_read},
              {"claims", claims},
              {"expiry_and_refresh", expiry_and_refresh},
              {"wrong_password", wrong_password},
              {"gate_down_with_a_valid_token", gate_down_with_a_valid_token},
              {"gate_down_without", gate_down_without},
              {"platform_401", platform_401},
              {"many_at_once_make_one_login", many_at_once_make_one_login},
              {"use_after_close", use_after_close},
              {"wrong_option", wrong_option},
              {"cancellation", cancellation},
              {"every_status", every_status, false},
              {"library_too_old", library_too_old, false}},
             count, names);
}
