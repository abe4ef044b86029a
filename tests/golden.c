/* golden.c -- see golden.h. */
#include "golden.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *t_golden(const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", SL_GOLDEN, name);
  json_error_t why;
  json_t *file = json_load_file(path, 0, &why);
  ck_assert_msg(file != NULL, "%s: %s", path, why.text);
  return file;
}

json_t *t_member(json_t *object, const char *key) {
  json_t *value = json_object_get(object, key);
  ck_assert_msg(value != NULL, "the vector has no \"%s\"", key);
  return value;
}

int t_int(json_t *object, const char *key) {
  return (int)json_integer_value(t_member(object, key));
}

double t_number(json_t *object, const char *key) {
  return json_number_value(t_member(object, key));
}

double t_at(json_t *array, size_t i) {
  ck_assert_msg(i < json_array_size(array), "the vector ends before %zu", i);
  return json_number_value(json_array_get(array, i));
}

static uint32_t digit(char c) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const char *at = c ? strchr(digits, c) : NULL;
  return at ? (uint32_t)(at - digits) : 0;
}

uint8_t *t_base64(json_t *object, const char *key, size_t *n) {
  const char *text = json_string_value(t_member(object, key));
  const size_t length = strlen(text);
  uint8_t *out = malloc(length / 4 * 3 + 1);
  ck_assert(out && length >= 4 && length % 4 == 0);
  for (size_t i = 0; i < length / 4; i++) {
    const char *q = text + 4 * i;
    const uint32_t bits =
        digit(q[0]) << 18 | digit(q[1]) << 12 | digit(q[2]) << 6 | digit(q[3]);
    for (int b = 0; b < 3; b++)
      out[3 * i + (size_t)b] = (uint8_t)(bits >> (16 - 8 * b));
  }
  *n = length / 4 * 3 - (text[length - 1] == '=') - (text[length - 2] == '=');
  return out;
}

double t_hash(uint32_t k, uint32_t j) {
  uint32_t x = (j + 1) * 2654435761u + (k + 1) * 40503u;
  x = (x ^ x >> 16) * 2246822519u;
  x ^= x >> 13;
  return x / 4294967296.;
}

void t_hash_pixels(uint32_t k, size_t n, uint8_t *out) {
  for (size_t j = 0; j < n; j++)
    out[j] = (uint8_t)(t_hash(k, (uint32_t)j) * 256);
}

void t_same_bytes(const uint8_t *got, json_t *want, int tolerance,
                  const char *what) {
  for (size_t i = 0; i < json_array_size(want); i++) {
    const int w = (int)json_integer_value(json_array_get(want, i));
    ck_assert_msg(abs(got[i] - w) <= tolerance,
                  "%s: byte %zu is %d, but it should be %d", what, i, got[i],
                  w);
  }
}
