// What a program may pass to dl_auth.hpp: strings, memory, durations and handles, valid and invalid.
#include "gate.hpp"

#include <limits>
#include <list>
#include <type_traits>
#include <vector>

namespace {

using namespace std::string_literals;
using std::chrono::duration;

static_assert(std::is_nothrow_move_constructible_v<dl::auth> && std::is_nothrow_move_assignable_v<dl::auth>);
static_assert(!std::is_copy_constructible_v<dl::auth> && !std::is_copy_assignable_v<dl::auth>);
static_assert(std::is_nothrow_move_constructible_v<dl::config> && !std::is_copy_constructible_v<dl::config>);
static_assert(std::is_nothrow_copy_constructible_v<dl::error> && std::is_base_of_v<std::runtime_error, dl::error>);
static_assert(!std::is_convertible_v<dl_auth_t *, dl::auth> && !std::is_convertible_v<dl::auth, bool>);
static_assert(sizeof(dl::auth) == sizeof(void *));

template <typename Call>
dl::error thrown(Call call) {
  try {
    call();
  } catch (const std::runtime_error &error) {
    return dynamic_cast<const dl::error &>(error);
  }
  std::fputs("nothing was thrown\n", stderr);
  std::exit(1);
}

template <typename Call>
dl_auth_status_t status_of(Call call) {
  return thrown(call).status();
}

void strings_with_a_nul_are_refused() {
  const std::string cut = "canary\0staple"s;
  const std::string_view view = cut;
  const dl::auth auth = open_gate();
  dl::config config;
  const auto check = [](auto call) {
    const dl::error error = thrown(call);
    CHECK(error.status() == DL_AUTH_E_INVALID_VALUE && !holds(error.what(), "canary"));
  };
  check([&] { config.set(dl::key::password, cut); });
  CHECK(holds(thrown([&] { config.set(dl::key::password, cut); }).what(), dl::key::password));
  check([&] { config.set(dl::key::password, view); });
  check([&] { config.set(cut, "x"); });
  check([&] { config.set(dl::key::password, "\0"s); });
  check([&] { dl::auth{{dl::key::username, "x"}, {dl::key::password, view}}; });
  check([&] { auth.invalidate(cut); });
  check([&] { auth.set_credentials(cut, "x"); });
  check([&] { auth.set_credentials(nullptr, view); });
  check([&] { dl::jwt_claims(cut); });
  check([&] { dl::jwt_expiry(view); });
}

void a_string_view_ends_at_its_length() {
  const std::string_view line = "timeout=5s;";
  dl::config config;
  config.set(line.substr(0, 7), line.substr(8, 2)).set(line.substr(0, 7), "6s"s).set("timeout", "7s");
  CHECK(status_of([&] { config.set("timeout", line.substr(8)); }) == DL_AUTH_E_INVALID_VALUE);
  CHECK(status_of([&] { config.set("timeout", std::string_view()); }) == DL_AUTH_E_INVALID_VALUE);
}

void null_and_invalid_bytes_are_errors() {
  const dl::auth auth = open_gate();
  dl::config config;
  CHECK(status_of([&] { config.set(nullptr, "x"); }) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(status_of([&] { config.set(dl::key::username, nullptr); }) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(status_of([&] { auth.invalidate(nullptr); }) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(status_of([&] { auth.set_credentials("x", nullptr); }) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(status_of([&] { dl::jwt_claims(nullptr); }) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(status_of([&] { dl::jwt_expiry(nullptr); }) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(status_of([&] { dl::jwt_claims(""); }) == DL_AUTH_E_BAD_JWT);
  CHECK(status_of([&] { dl::jwt_expiry("a.b.c"); }) == DL_AUTH_E_BAD_JWT);
  for (const char *bytes : {"\xff", "\xed\xa0\x80", "caf\xe9"}) {
    CHECK(status_of([&] { config.set(dl::key::username, bytes); }) == DL_AUTH_E_NOT_UTF8);
    CHECK(status_of([&] { auth.set_credentials(bytes, "x"); }) == DL_AUTH_E_NOT_UTF8);
    CHECK(status_of([&] { auth.invalidate(bytes); }) == DL_AUTH_E_NOT_UTF8);
  }
}

void buffers_of_any_size_work() {
  set_gate("{'pad_to':8191}"); // the longest possible token
  const dl::auth auth = open_gate();
  const std::string token = auth.token(), header = auth.bearer();
  CHECK(token.size() == DL_AUTH_TOKEN_MAX - 1 && header.size() == DL_AUTH_BEARER_MAX - 1);
  CHECK(auth.claims().size() < DL_AUTH_TOKEN_MAX);
  std::string memory(DL_AUTH_BEARER_MAX, 'x');
  for (std::size_t size = 0; size < token.size(); size += 1 + size / 2) {
    std::string_view out = "x";
    CHECK(auth.try_token({memory.data(), size}, out) == DL_AUTH_E_BUFFER_TOO_SMALL && out.empty());
    CHECK(memory[size] == 'x' && (size == 0 || memory[0] == 0));
  }
  CHECK(status_of([&] { auth.token({memory.data(), token.size()}); }) == DL_AUTH_E_BUFFER_TOO_SMALL);
  CHECK(auth.token({memory.data(), token.size() + 1}) == token && memory[token.size()] == 0);
  CHECK(auth.token_within(1min, 0s, {memory.data(), memory.size()}) == token);
  CHECK(auth.bearer({memory.data(), memory.size()}) == header && auth.bearer({memory.data(), memory.size()}) == header);
  CHECK(status_of([&] { auth.token({nullptr, 0}); }) == DL_AUTH_E_BUFFER_TOO_SMALL);
  CHECK(status_of([&] { auth.token({nullptr, 10}); }) == DL_AUTH_E_NULL_ARGUMENT);

  std::string jwt = "e30.e30g", claims = "{} "; // a payload that is longer than a token may be
  for (int i = 0; i < 5000; i++) jwt += "ICAg", claims += "   ";
  CHECK(dl::jwt_claims(jwt + ".c2ln") == claims);
}

void durations_of_any_type_work() {
  using hours = std::chrono::hours;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  const auto ms = [](dl::duration duration) { return duration.milliseconds; };
  CHECK(ms(0s) == 0 && ms(-1s) == 0 && ms(hours::min()) == 0 && ms(duration<double>(-infinite)) == 0);
  CHECK(ms(1ns) == 1 && ms(1ms) == 1 && ms(1001us) == 2 && ms(24h) == 86400000 && ms(duration<float>(0.5F)) == 500);
  CHECK(ms(hours::max()) == UINT64_MAX && ms(duration<double>(infinite)) == UINT64_MAX);
  CHECK(ms(duration<double>(nan)) == 0 && ms(std::chrono::milliseconds::max()) == UINT64_MAX);
  CHECK(ms(duration<int, std::ratio<1, 60>>(3)) == 50);

  const dl::auth auth = open_gate();
  const std::string token = auth.token_within(-1s, hours::max());
  CHECK(auth.token_within(hours::min(), -1ns) == token);
  CHECK(status_of([&] { auth.token_within(hours::max(), 1s); }) == DL_AUTH_E_TOO_SHORT);
  CHECK(gate_count("requests") == 1);
}

void handles_can_be_moved() {
  dl::auth one = open_gate(), none{nullptr};
  dl_auth_t *handle = one.get();
  none = std::move(one);
  CHECK(!one && one.get() == nullptr && none && none.get() == handle && look_at(none).logins == 0);
  dl::auth &same = none;
  none = std::move(same);
  CHECK(none.get() == handle);
  none = dl::auth(nullptr);
  CHECK(!none && dl_auth_invalidate(handle, "x", nullptr) == DL_AUTH_E_CLOSED);
  handle = open_gate().get();
  CHECK(dl_auth_invalidate(handle, "x", nullptr) == DL_AUTH_E_CLOSED);

  dl::config config = gate_config(), other = std::move(config);
  dl_auth_t *made = nullptr;
  CHECK(dl_auth_new(other.get(), &made, nullptr) == DL_AUTH_OK);
  const dl::auth taken(made), again(other);
  config = std::move(other);
  const std::string token = dl::auth(config).token();
  CHECK(token == last_token() && look_at(taken).logins == 0 && look_at(again).logins == 0);
  CHECK(!dl::auth::open(other)); // a moved-from configuration is empty, and can be used
  other.set(dl::key::username, "x");
  config = std::move(other);
  CHECK(!dl::auth::open(other));
  const dl::option named{dl::key::username, std::string("a name that is longer than a string's own memory")};
  other.set(named.key, named.value); // a copy of a temporary's text is kept in it
}

void new_credentials_replace_refused_ones() {
  const dl::auth auth = open_gate({{dl::key::password, "a wrong one of arguments.cpp"}});
  CHECK(status_of([&] { auth.token(); }) == DL_AUTH_E_DENIED);
  auth.set_credentials(nullptr, gate("GATE_PASSWORD"));
  const std::string token = auth.token();
  auth.set_credentials(gate("GATE_USERNAME"), gate("GATE_PASSWORD"));
  CHECK(auth.token() == token && gate_count("refused") == 1 && gate_count("issued") == 1);
}

void environments_of_any_type_work() {
  const std::string username = "DL_AUTH_USERNAME=" + gate("GATE_USERNAME"), url = "DL_AUTH_URL=" + gate("GATE_URL"),
                    password = "DL_AUTH_PASSWORD=" + gate("GATE_PASSWORD"), ca = "DL_AUTH_CA_FILE=" + gate("GATE_CA_FILE");
  CHECK(setenv("DL_AUTH_PASSWORD", "canary of the process", 1) == 0);
  dl::config config;
  int logins = 0;
  const auto logs_in = [&] {
    config.set(dl::key::proxy, "none").set(dl::key::wait, "10m");
    const std::string token = dl::auth(config).token();
    CHECK(token == last_token() && gate_count("logins") == ++logins);
    config.set_environ({});
    CHECK(status_of([&] { dl::auth{config}; }) == DL_AUTH_E_NO_CREDENTIALS);
  };
  std::vector<std::string> strings{username, url, password, ca};
  config.set_environ(strings), logs_in();
  config.set_environ(std::as_const(strings)), logs_in();
  config.set_environ(std::list<std::string_view>(strings.begin(), strings.end())), logs_in();
  const std::string of_strings[] = {username, url, password, ca};
  config.set_environ(of_strings), logs_in();
  config.set_environ({username, url.c_str(), std::string_view(password), std::string(ca)}), logs_in();
  const char *array[] = {username.c_str(), url.c_str(), password.c_str(), ca.c_str(), nullptr};
  config.set_environ(array), logs_in();
  config.set_environ(static_cast<const char *const *>(array)), logs_in();
  config.set_environ(std::vector<const char *>(array, array + 4)), logs_in();
  char *of_the_process[] = {strings[0].data(), strings[1].data(), strings[2].data(), strings[3].data(), nullptr};
  config.set_environ(static_cast<char **>(of_the_process)), logs_in(); // the type of `environ`
  CHECK(config.try_set_environ(strings) == DL_AUTH_OK && config.try_set_environ({}) == DL_AUTH_OK);

  config.set_environ(strings);
  CHECK(status_of([&] { config.set_environ(nullptr); }) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(status_of([&] { config.set_environ({username, nullptr}); }) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(status_of([&] { config.set_environ(std::vector<const char *>(array, array + 5)); }) == DL_AUTH_E_NULL_ARGUMENT);
  for (const std::string &wrong : {"canary"s, "DL_AUTH_PASSWORD=\0canary"s, ""s}) {
    const dl::error error = thrown([&] { config.set_environ({username, wrong}); });
    CHECK(error.status() == DL_AUTH_E_INVALID_VALUE && !holds(error.what(), "canary"));
    CHECK(status_of([&] { config.set_environ(std::vector{wrong}); }) == DL_AUTH_E_INVALID_VALUE);
  }
  logs_in(); // a refused array changes nothing
  CHECK(unsetenv("DL_AUTH_PASSWORD") == 0);
}

void failures_are_values() {
  dl::failure why;
  CHECK(!dl::auth::open({{"x", "y"}}, &why) && why.status() == DL_AUTH_E_UNKNOWN_KEY);
  const dl::failure kept = why;
  CHECK(dl::auth::open(gate_config(), &why) && std::strcmp(why.message(), kept.message()) == 0);
  CHECK(dl_auth_new(nullptr, nullptr, &why.raw()) == DL_AUTH_E_NULL_ARGUMENT);
  CHECK(why.status() == DL_AUTH_E_NULL_ARGUMENT && kept.status() == DL_AUTH_E_UNKNOWN_KEY);
  CHECK(holds(dl::error(kept).what(), "x"));
  CHECK(dl::version() == DL_AUTH_VERSION ""s);
}

} // namespace

int main(int count, char **names) {
  return run({{"strings_with_a_nul_are_refused", strings_with_a_nul_are_refused},
              {"a_string_view_ends_at_its_length", a_string_view_ends_at_its_length},
              {"null_and_invalid_bytes_are_errors", null_and_invalid_bytes_are_errors},
              {"buffers_of_any_size_work", buffers_of_any_size_work},
              {"durations_of_any_type_work", durations_of_any_type_work},
              {"handles_can_be_moved", handles_can_be_moved},
              {"new_credentials_replace_refused_ones", new_credentials_replace_refused_ones},
              {"environments_of_any_type_work", environments_of_any_type_work},
              {"failures_are_values", failures_are_values}},
             count, names);
}
