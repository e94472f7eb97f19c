/* The header: the initialisers, the numbers, the versions. The layout of the structs is in tests/abi/layout.c. */
#include "check.h"

_Static_assert(sizeof(dl_auth_status_t) == 4, "a status is 32 bits");
_Static_assert(DL_AUTH_TOKEN_MAX == 8192, "a token with its NUL");
_Static_assert(DL_AUTH_BEARER_MAX == DL_AUTH_TOKEN_MAX + sizeof "Bearer " - 1, "the header's value with its NUL");
_Static_assert(DL_AUTH_STATE_EMPTY == 0 && DL_AUTH_STATE_FRESH == 1 && DL_AUTH_STATE_DUE == 2 &&
                 DL_AUTH_STATE_EXPIRED == 3, "states keep their numbers");
_Static_assert(DL_AUTH_ACTIVITY_IDLE == 0 && DL_AUTH_ACTIVITY_REFRESHING == 1 && DL_AUTH_ACTIVITY_COOLING == 2 &&
                 DL_AUTH_ACTIVITY_DENIED == 3, "activities keep their numbers");

/* A number is never reused, so each number stays in this list. */
#define STATUS(name, number) {name, number, #name}
static const struct { dl_auth_status_t status, number; const char *name; } statuses[] = {
  STATUS(DL_AUTH_OK, 0),
  STATUS(DL_AUTH_E_NULL_ARGUMENT, -1),
  STATUS(DL_AUTH_E_NOT_UTF8, -2),
  STATUS(DL_AUTH_E_BUFFER_TOO_SMALL, -3),
  STATUS(DL_AUTH_E_CLOSED, -4),
  STATUS(DL_AUTH_E_UNKNOWN_KEY, -10),
  STATUS(DL_AUTH_E_INVALID_VALUE, -11),
  STATUS(DL_AUTH_E_NO_CREDENTIALS, -12),
  STATUS(DL_AUTH_E_UNSUPPORTED, -13),
  STATUS(DL_AUTH_E_DENIED, -20),
  STATUS(DL_AUTH_E_PENDING, -30),
  STATUS(DL_AUTH_E_TIMEOUT, -31),
  STATUS(DL_AUTH_E_UNREACHABLE, -32),
  STATUS(DL_AUTH_E_RATE_LIMITED, -33),
  STATUS(DL_AUTH_E_GATE, -34),
  STATUS(DL_AUTH_E_BAD_RESPONSE, -35),
  STATUS(DL_AUTH_E_TOO_SHORT, -36),
  STATUS(DL_AUTH_E_TLS, -40),
  STATUS(DL_AUTH_E_STORE, -41),
  STATUS(DL_AUTH_E_BAD_JWT, -50),
  STATUS(DL_AUTH_E_INTERNAL, -99),
};

static void initialisers_set_only_the_size(void) {
  dl_auth_error_t error = DL_AUTH_ERROR_INIT, no_error = {0};
  dl_auth_info_t info = DL_AUTH_INFO_INIT, no_info = {0};
  no_error.size = sizeof error;
  no_info.size = sizeof info;
  CHECK(memcmp(&error, &no_error, sizeof error) == 0);
  CHECK(memcmp(&info, &no_info, sizeof info) == 0);
}

static void every_status_has_its_number_and_its_name(void) {
  size_t named = 0;
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    subject = statuses[i].name;
    CHECK_NUMBER(statuses[i].number, statuses[i].status);
    CHECK_TEXT(statuses[i].name, dl_auth_status_name(statuses[i].number));
  }
  subject = "";
  for (dl_auth_status_t number = -1000; number <= 1000; number++)
    named += strcmp(dl_auth_status_name(number), "DL_AUTH_E_UNKNOWN") != 0;
  CHECK_NUMBER(sizeof statuses / sizeof *statuses, named);
  CHECK_TEXT("DL_AUTH_E_UNKNOWN", dl_auth_status_name(INT32_MIN));
  CHECK_TEXT("DL_AUTH_E_UNKNOWN", dl_auth_status_name(INT32_MAX));
}

static void the_library_matches_this_header(void) {
  char numbers[64];
  snprintf(numbers, sizeof numbers, "%d.%d.%d", DL_AUTH_VERSION_MAJOR, DL_AUTH_VERSION_MINOR, DL_AUTH_VERSION_PATCH);
  CHECK_TEXT(DL_AUTH_VERSION, numbers);
  CHECK_TEXT(DL_AUTH_VERSION, dl_auth_version());
  CHECK(dl_auth_abi_version() >= 1);
}

int main(void) {
  begin();
  initialisers_set_only_the_size();
  every_status_has_its_number_and_its_name();
  the_library_matches_this_header();
  return done();
}
