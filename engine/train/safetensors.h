/* safetensors.h -- named tensors in a file: github.com/huggingface/safetensors.
 *
 *   u64 little-endian: length of the header | header: JSON | bytes of tensors
 *
 * A file is believed only after all of it has been checked: sizes against the
 * file's, shapes against offsets with checked products, no holes, no overlaps,
 * nothing after the last byte, no name twice. A file is written whole beside
 * its place, synced, then renamed: readers see the old one or the new one. */
#ifndef SL_TRAIN_SAFETENSORS_H
#define SL_TRAIN_SAFETENSORS_H

#include "tensor/tensor.h"

typedef enum sl_st_dtype {
  SL_ST_F32,
  SL_ST_BF16,
  SL_ST_U8,
  SL_ST_I32,
  SL_ST_F16, /* read as f32 */
  SL_ST_F64, /* read as f32 */
  SL_ST_I64, /* read as i32, if the values fit */
} sl_st_dtype;

const char *sl_st_dtype_name(sl_st_dtype d); /* "BF16" */

/* Convolution weights: our (O, H, W, I) to and from PyTorch's (O, I, H, W). */
enum {
  SL_ST_OIHW = 1,     /* all tensors of rank 4 are in that layout in the file */
  SL_ST_INT64 = 2,    /* writing: i32 goes out as I64, as PyTorch counts */
  SL_ST_CHECKSUM = 4, /* writing: metadata "xxh3", of all tensors' bytes */
};

/* --- reading ---------------------------------------------------------------
 */

typedef struct sl_st_entry {
  char *name;
  sl_st_dtype dtype;
  int rank;
  int64_t shape[SL_MAX_RANK]; /* in the file */
  uint64_t begin, end;        /* in the tensors' bytes */
} sl_st_entry;

typedef struct sl_st_pair {
  char *key, *value;
} sl_st_pair;

typedef struct sl_st_file {
  int fd;
  char *path;
  uint64_t data;      /* where the tensors' bytes begin */
  sl_st_entry *entry; /* in the order of their bytes */
  int n;
  sl_st_pair *meta;
  int n_meta;
} sl_st_file;

/* Reads and checks everything but the values. SL_EIO: cannot be read;
 * SL_EDATA: not, or not quite, such a file. The message names file and place.
 */
SL_MUST_USE sl_status sl_st_open(sl_st_file *f, const char *path);
void sl_st_close(sl_st_file *f); /* more than once is allowed */

/* Reads all of a file that has a checksum; SL_EDATA if it is another one. */
SL_MUST_USE sl_status sl_st_verify(const sl_st_file *f);

/* Position of a tensor, -1: not there. Value of a metadata key, or NULL. */
int sl_st_find(const sl_st_file *f, const char *name);
const char *sl_st_meta(const sl_st_file *f, const char *key);

/* Tensor i on that backend. flags: SL_ST_OIHW. */
SL_MUST_USE sl_status sl_st_read(const sl_st_file *f, int i, int flags,
                                 const sl_backend *backend, sl_tensor **out);

/* --- writing ---------------------------------------------------------------
 */

typedef struct sl_st_item {
  const char *name;
  sl_tensor *tensor; /* any strides, any device */
} sl_st_item;

/* Writes items in that order, atomically. Metadata may be empty. */
SL_MUST_USE sl_status sl_st_write(const char *path, const sl_st_item *items,
                                  int n, const sl_st_pair *meta, int n_meta,
                                  int flags);

#endif
