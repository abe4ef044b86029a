/* safetensors_internal.h -- shared by the files that read and write. */
#ifndef SL_TRAIN_SAFETENSORS_INTERNAL_H
#define SL_TRAIN_SAFETENSORS_INTERNAL_H

#include "train/safetensors.h"

/* The metadata key, and its value's room. */
#define SL_ST_CHECKSUM_KEY "xxh3"
enum { SL_ST_CHECKSUM_ROOM = 17 };

uint64_t sl_st_dtype_size(sl_st_dtype d);

/* n bytes of the file, from its byte `at` on. */
SL_MUST_USE sl_status sl_st_read_at(const sl_st_file *f, void *to, size_t n,
                                    uint64_t at);

#endif
