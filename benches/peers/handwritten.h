/* Common hand-written C code without a library: a token, a mutex, an exact clock, and a copy for each caller. The
 * caller that finds the token expired logs in, and the others wait at the mutex. */
#ifndef HANDWRITTEN_H
#define HANDWRITTEN_H

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

struct holder {
  pthread_mutex_t lock;
  char *token;
  struct timespec expires;         /* by CLOCK_MONOTONIC */
  void (*login)(struct holder *);  /* replaces the old token by a new one */
};

/* A copy of a valid token. The caller must free it. NULL if there is no memory. */
static __attribute__((noinline)) char *holder_token(struct holder *holder) {
  struct timespec now;
  pthread_mutex_lock(&holder->lock);
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (now.tv_sec > holder->expires.tv_sec ||
      (now.tv_sec == holder->expires.tv_sec && now.tv_nsec >= holder->expires.tv_nsec))
    holder->login(holder);
  char *copy = strdup(holder->token);
  pthread_mutex_unlock(&holder->lock);
  return copy;
}

#endif
