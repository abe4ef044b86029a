/* fuzz.h -- what libFuzzer's targets share. A target gives one function; it
 * must neither crash, hang nor leak, whatever the bytes are. */
#ifndef SL_TESTS_FUZZ_H
#define SL_TESTS_FUZZ_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A path at which the bytes can be read: a file in memory. */
const char *fuzz_file(const uint8_t *data, size_t size);

/* Writes a file, or ends the process. */
void fuzz_write(const char *path, const void *data, size_t size);

/* A folder of this process's own, made once. */
const char *fuzz_folder(void);

/* Runs a chunk of Lua with the bytes as its `...`; its errors are right
 * answers. The state is made once; a call of more than some million
 * instructions ends with an error. */
void fuzz_lua(const char *chunk, const uint8_t *data, size_t size);

#endif
