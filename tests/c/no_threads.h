/* A program in which thread creation fails on request: then a caller of the library runs the refresh itself. */
#ifndef NO_THREADS_H
#define NO_THREADS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* for RTLD_NEXT */
#endif
#include "gate.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>

static atomic_bool no_threads;

typedef int thread_maker(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* A sanitizer must see the creation of each thread. */
thread_maker __interceptor_pthread_create __attribute__((weak));

/* Replaces the C library's function in this program and the library that it links. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  thread_maker *next = __interceptor_pthread_create;
  void *address = dlsym(RTLD_NEXT, "pthread_create");
  if (!address) give_up("the C library has no pthread_create");
  if (!next) memcpy(&next, &address, sizeof next); /* ISO C has no cast for it */
  return atomic_load(&no_threads) ? EAGAIN : next(thread, attributes, body, argument);
}

#endif
