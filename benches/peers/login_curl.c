/* The same login with libcurl and cJSON. BENCH_URL, BENCH_CA_FILE, BENCH_USERNAME and BENCH_PASSWORD have the URL, the
 * root certificates and the credentials. Everything except the token is freed, as in a real program. */
#include "bench.h"
#include <cjson/cJSON.h>
#include <curl/curl.h>
#include <string.h>

struct body {
  char *text;
  size_t length;
};

static const char *setting(const char *name) {
  const char *value = getenv(name);
  if (!value) give_up(name, "is not set");
  return value;
}

static size_t append(char *data, size_t size, size_t count, void *to) {
  struct body *body = to;
  char *grown = realloc(body->text, body->length + size * count + 1);
  if (!grown) return 0;
  memcpy(grown + body->length, data, size * count);
  body->text = grown;
  body->length += size * count;
  grown[body->length] = 0;
  return size * count;
}

static char *post(const char *url, const char *json) {
  CURL *curl = curl_easy_init();
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
  struct body body = {0};
  long status = 0;
  if (!curl) give_up("curl_easy_init", "failed");
  curl_easy_setopt(curl, CURLOPT_URL, url);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_CAINFO, setting("BENCH_CA_FILE"));
  curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  CURLcode code = curl_easy_perform(curl);
  if (code != CURLE_OK) give_up("curl_easy_perform", curl_easy_strerror(code));
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) give_up("the gate", body.text ? body.text : "no answer");
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  return body.text;
}

/* The payload of a JWT: the part between the dots, base64 of the URL alphabet. */
static char *payload(const char *jwt) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const char *at = strchr(jwt, '.'), *end = at ? strchr(at + 1, '.') : NULL;
  char *text = end ? malloc((size_t)(end - at)) : NULL, *to = text;
  unsigned long bits = 0;
  int have = 0;
  if (!text) give_up("the token", "is not a JWT");
  for (at++; at < end; at++) {
    const char *digit = strchr(digits, *at);
    if (!digit) give_up("the token", "is not a JWT");
    bits = bits << 6 | (unsigned long)(digit - digits);
    if ((have += 6) >= 8) *to++ = (char)(bits >> (have -= 8) & 0xff);
  }
  *to = 0;
  return text;
}

/* The token, which must not be expired. */
static char *login(void) {
  cJSON *request = cJSON_CreateObject();
  cJSON_AddStringToObject(request, "username", setting("BENCH_USERNAME"));
  cJSON_AddStringToObject(request, "password", setting("BENCH_PASSWORD"));
  cJSON_AddStringToObject(request, "type", "user_credentials");
  char *json = cJSON_PrintUnformatted(request), *answer = post(setting("BENCH_URL"), json);
  cJSON *tokens = cJSON_Parse(answer), *id_token = cJSON_GetObjectItemCaseSensitive(tokens, "id_token");
  if (!cJSON_IsString(id_token)) give_up("the gate", "no id_token");
  char *token = strdup(id_token->valuestring), *text = payload(token);
  cJSON *claims = cJSON_Parse(text), *exp = cJSON_GetObjectItemCaseSensitive(claims, "exp");
  if (!cJSON_IsNumber(exp) || exp->valuedouble <= (double)time(NULL)) give_up("the token", "has expired");
  cJSON_Delete(claims);
  free(text);
  cJSON_Delete(tokens);
  free(answer);
  free(json);
  cJSON_Delete(request);
  return token;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--version") == 0) return puts(curl_version()) < 0;
  int64_t began = cpu_ns();
  if (curl_global_init(CURL_GLOBAL_DEFAULT)) give_up("curl_global_init", "failed");
  char *token = login();
  print_login(token, cpu_ns() - began);
  free(token);
  curl_global_cleanup();
  return 0;
}
