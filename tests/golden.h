/* golden.h -- test vectors from tests/golden/<name>.json. */
#ifndef SL_TESTS_GOLDEN_H
#define SL_TESTS_GOLDEN_H

#include <check.h>
#include <jansson.h>
#include <stdio.h>

/* The document; json_decref it. Fails the test if it cannot be read. */
static inline json_t *golden(const char *name) {
  char path[512];
  json_error_t error;
  snprintf(path, sizeof path, "%s/%s.json", SL_GOLDEN, name);
  json_t *j = json_load_file(path, 0, &error);
  ck_assert_msg(j != NULL, "%s: %s", path, error.text);
  return j;
}

static inline json_t *field(json_t *j, const char *name) {
  json_t *v = json_object_get(j, name);
  ck_assert_msg(v != NULL, "no field %s", name);
  return v;
}

static inline double number(json_t *list, size_t i) {
  return json_number_value(json_array_get(list, i));
}

#endif
