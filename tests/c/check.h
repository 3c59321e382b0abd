/* Checks that print where they fail, and the lines that run.sh counts. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <swarm.h>

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      fflush(NULL); \
      abort(); \
    } \
  } while (0)

/* The call has this status, and an error object exactly if it failed. Uses a local `error`. */
#define CHECK_STATUS(expected, call) \
  do { \
    swarm_error *error = NULL; \
    swarm_status status_ = (call); \
    if (status_ != (expected)) { \
      fprintf(stderr, "%s:%d: %s: %s (%s), not %s\n", __FILE__, __LINE__, #call, swarm_status_name(status_), \
              swarm_error_message(error), swarm_status_name(expected)); \
      fflush(NULL); \
      abort(); \
    } \
    CHECK((error != NULL) == (status_ != SWARM_OK)); \
    CHECK(swarm_error_status(error) == status_); \
    CHECK((swarm_error_message(error)[0] != 0) == (status_ != SWARM_OK)); \
    swarm_error_free(error); \
  } while (0)

#define CHECK_OK(call) CHECK_STATUS(SWARM_OK, call)

#define CHECK_TEXT(expected, text) \
  do { \
    const char *text_ = (text); \
    if (text_ == NULL || strcmp(text_, (expected)) != 0) { \
      fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #text, text_ ? text_ : "(NULL)", (expected)); \
      fflush(NULL); \
      abort(); \
    } \
  } while (0)

/* Runs a test and prints its line; a failed check ends the program without it. */
#define RUN(test) \
  do { \
    fprintf(stderr, "# %s\n", #test); \
    test(); \
    printf("ok %s\n", #test); \
    fflush(stdout); \
  } while (0)

#endif
