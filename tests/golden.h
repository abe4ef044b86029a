/* golden.h -- test vectors: numbers of another origin, from tests/golden. */
#ifndef SL_TESTS_GOLDEN_H
#define SL_TESTS_GOLDEN_H

#include <jansson.h>
#include <stdint.h>

/* The file tests/golden/<name>; fails the test when it cannot be read. The
 * caller ends with json_decref. */
json_t *t_golden(const char *name);

/* Members that must be there. */
json_t *t_member(json_t *object, const char *key);
int t_int(json_t *object, const char *key);
double t_number(json_t *object, const char *key);
double t_at(json_t *array, size_t i); /* a number of an array */

/* A member that is text: {"file": "<base64>"} to bytes; free() it. */
uint8_t *t_base64(json_t *object, const char *key, size_t *n);

/* The vectors' pseudo-random numbers: u(k, j) in [0, 1), and images of them. */
double t_hash(uint32_t k, uint32_t j);
void t_hash_pixels(uint32_t k, size_t n, uint8_t *out);

/* Bytes that must equal a JSON array, to a tolerance. */
void t_same_bytes(const uint8_t *got, json_t *want, int tolerance,
                  const char *what);

#endif
