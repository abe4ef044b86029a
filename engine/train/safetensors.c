/* safetensors.c -- opening and checking: see safetensors.h. */
#include "train/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/alloc.h"
#include "train/safetensors_internal.h"

enum { HEADER_MAX = 100000000, DEEPEST = 4 };

static const struct {
  const char *name;
  uint64_t bytes;
} dtypes[] = {
    [SL_ST_F32] = {"F32", 4}, [SL_ST_BF16] = {"BF16", 2},
    [SL_ST_U8] = {"U8", 1},   [SL_ST_I32] = {"I32", 4},
    [SL_ST_F16] = {"F16", 2}, [SL_ST_F64] = {"F64", 8},
    [SL_ST_I64] = {"I64", 8},
};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

const char *sl_st_dtype_name(sl_st_dtype d) {
  return dtypes[d].name;
}

uint64_t sl_st_dtype_size(sl_st_dtype d) {
  return dtypes[d].bytes;
}

static sl_status no_memory(const sl_st_file *f) {
  return sl_fail(SL_ENOMEM, "%s: out of memory for its header", f->path);
}

sl_status sl_st_read_at(const sl_st_file *f, void *to, size_t n, uint64_t at) {
  for (char *p = to; n > 0;) {
    const ssize_t got = pread(f->fd, p, n, (off_t)at);
    if (got < 0 && errno == EINTR) continue;
    SL_REQUIRE(got >= 0, SL_EIO, "cannot read %s: %s", f->path,
               strerror(errno));
    SL_REQUIRE(got > 0, SL_EDATA, "%s ends too early", f->path);
    p += got;
    n -= (size_t)got;
    at += (uint64_t)got;
  }
  return SL_OK;
}

/* --- one tensor's description ----------------------------------------------
 */

static sl_status parse_dtype(const sl_st_file *f, sl_st_entry *e, json_t *j) {
  const char *name = json_string_value(j);
  for (int d = 0; name && d < N_DTYPES; d++) {
    if (strcmp(name, dtypes[d].name) != 0) continue;
    e->dtype = (sl_st_dtype)d;
    return SL_OK;
  }
  return sl_fail(SL_EDATA,
                 "%s: tensor %s has dtype %s: F32, BF16, F16, F64, U8, I32 and "
                 "I64 can be read",
                 f->path, e->name, name ? name : "(none)");
}

static sl_status parse_shape(const sl_st_file *f, sl_st_entry *e, json_t *j,
                             uint64_t *bytes) {
  SL_REQUIRE(json_is_array(j), SL_EDATA, "%s: tensor %s has no shape", f->path,
             e->name);
  SL_REQUIRE(json_array_size(j) <= SL_MAX_RANK, SL_EDATA,
             "%s: tensor %s has %zu dimensions; at most %d are possible",
             f->path, e->name, json_array_size(j), (int)SL_MAX_RANK);
  e->rank = (int)json_array_size(j);
  *bytes = dtypes[e->dtype].bytes;
  for (int i = 0; i < e->rank; i++) {
    json_t *size = json_array_get(j, (size_t)i);
    e->shape[i] = json_integer_value(size);
    SL_REQUIRE(json_is_integer(size) && e->shape[i] >= 0, SL_EDATA,
               "%s: dimension %d of tensor %s is no size", f->path, i + 1,
               e->name);
    SL_REQUIRE(!__builtin_mul_overflow(*bytes, (uint64_t)e->shape[i], bytes) &&
                   *bytes <= INT64_MAX,
               SL_EDATA, "%s: the shape of tensor %s is too large", f->path,
               e->name);
  }
  return SL_OK;
}

static sl_status parse_offsets(const sl_st_file *f, sl_st_entry *e, json_t *j) {
  json_t *begin = json_array_get(j, 0), *end = json_array_get(j, 1);
  SL_REQUIRE(json_array_size(j) == 2 && json_is_integer(begin) &&
                 json_is_integer(end) && json_integer_value(begin) >= 0 &&
                 json_integer_value(end) >= json_integer_value(begin),
             SL_EDATA, "%s: the data_offsets of tensor %s are no range",
             f->path, e->name);
  e->begin = (uint64_t)json_integer_value(begin);
  e->end = (uint64_t)json_integer_value(end);
  return SL_OK;
}

static sl_status parse_entry(const sl_st_file *f, sl_st_entry *e, json_t *j) {
  uint64_t bytes = 0;
  SL_REQUIRE(json_is_object(j) && json_object_size(j) == 3, SL_EDATA,
             "%s: tensor %s is not described by dtype, shape and data_offsets",
             f->path, e->name);
  SL_TRY(parse_dtype(f, e, json_object_get(j, "dtype")));
  SL_TRY(parse_shape(f, e, json_object_get(j, "shape"), &bytes));
  SL_TRY(parse_offsets(f, e, json_object_get(j, "data_offsets")));
  SL_REQUIRE(e->end - e->begin == bytes, SL_EDATA,
             "%s: tensor %s has %llu bytes, its shape wants %llu", f->path,
             e->name, (unsigned long long)(e->end - e->begin),
             (unsigned long long)bytes);
  return SL_OK;
}

/* --- the header ------------------------------------------------------------
 */

static sl_status parse_meta(sl_st_file *f, json_t *j) {
  SL_REQUIRE(json_is_object(j), SL_EDATA, "%s: __metadata__ is no object",
             f->path);
  f->meta = sl_alloc(json_object_size(j) + 1, sizeof *f->meta);
  if (!f->meta) return no_memory(f);
  const char *key;
  json_t *value;
  json_object_foreach(j, key, value) {
    SL_REQUIRE(json_is_string(value), SL_EDATA,
               "%s: __metadata__ %s is no string", f->path, key);
    sl_st_pair *p = &f->meta[f->n_meta++];
    p->key = sl_strdup(key);
    p->value = sl_strdup(json_string_value(value));
    if (!p->key || !p->value) return no_memory(f);
  }
  return SL_OK;
}

static sl_status parse_header(sl_st_file *f, json_t *j) {
  SL_REQUIRE(json_is_object(j), SL_EDATA, "%s: the header is no object",
             f->path);
  f->entry = sl_alloc(json_object_size(j) + 1, sizeof *f->entry);
  if (!f->entry) return no_memory(f);
  const char *name;
  json_t *value;
  json_object_foreach(j, name, value) {
    if (!strcmp(name, "__metadata__")) {
      SL_TRY(parse_meta(f, value));
      continue;
    }
    sl_st_entry *e = &f->entry[f->n++];
    e->name = sl_strdup(name);
    if (!e->name) return no_memory(f);
    SL_TRY(parse_entry(f, e, value));
  }
  return SL_OK;
}

static int by_offset(const void *a, const void *b) {
  const sl_st_entry *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  if (x->end != y->end) return x->end < y->end ? -1 : 1;
  return strcmp(x->name, y->name);
}

/* Sorted, the tensors fill the rest of the file to the byte. */
static sl_status check_layout(sl_st_file *f, uint64_t rest) {
  uint64_t at = 0;
  if (f->n > 1) qsort(f->entry, (size_t)f->n, sizeof *f->entry, by_offset);
  for (int i = 0; i < f->n; i++) {
    const sl_st_entry *e = &f->entry[i];
    SL_REQUIRE(e->begin == at, SL_EDATA,
               "%s: tensor %s begins at %llu, the one before ends at %llu",
               f->path, e->name, (unsigned long long)e->begin,
               (unsigned long long)at);
    at = e->end;
  }
  SL_REQUIRE(at == rest, SL_EDATA,
             "%s: the tensors take %llu bytes, the file has %llu for them "
             "(cut off, or not a safetensors file)",
             f->path, (unsigned long long)at, (unsigned long long)rest);
  return SL_OK;
}

/* Lists in objects in an object: no header needs more, and the JSON reader's
 * recursion should not be the file's to choose. */
static int nests_deeper(const char *text, size_t n, int most) {
  int depth = 0, quoted = 0;
  for (size_t i = 0; i < n; i++) {
    const char c = text[i];
    if (quoted) {
      i += c == '\\';
      quoted = c != '"';
    } else if (c == '"') {
      quoted = 1;
    } else if (c == '{' || c == '[') {
      if (++depth > most) return 1;
    } else if (c == '}' || c == ']') {
      depth--;
    }
  }
  return 0;
}

static sl_status parse_text(sl_st_file *f, const char *text, size_t n,
                            uint64_t rest) {
  json_error_t error;
  SL_REQUIRE(n > 0 && text[0] == '{', SL_EDATA,
             "%s is not a safetensors file: its header is no JSON", f->path);
  SL_REQUIRE(!nests_deeper(text, n, DEEPEST), SL_EDATA,
             "%s: bad header: nested more than %d deep", f->path, DEEPEST);
  json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
  SL_REQUIRE(j, SL_EDATA, "%s: bad header: %s", f->path, error.text);
  sl_status status = parse_header(f, j);
  json_decref(j);
  return status == SL_OK ? check_layout(f, rest) : status;
}

static sl_status file_size(const sl_st_file *f, uint64_t *size) {
  struct stat s;
  SL_REQUIRE(fstat(f->fd, &s) == 0, SL_EIO, "cannot read %s: %s", f->path,
             strerror(errno));
  SL_REQUIRE(S_ISREG(s.st_mode), SL_EIO, "%s is not a file", f->path);
  *size = (uint64_t)s.st_size;
  return SL_OK;
}

static sl_status read_header(sl_st_file *f) {
  unsigned char le[8];
  uint64_t size = 0, n = 0;
  SL_TRY(file_size(f, &size));
  SL_REQUIRE(size >= 8, SL_EDATA,
             "%s is not a safetensors file: it has %llu bytes", f->path,
             (unsigned long long)size);
  SL_TRY(sl_st_read_at(f, le, 8, 0));
  for (int i = 7; i >= 0; i--)
    n = n << 8 | le[i];
  SL_REQUIRE(n <= HEADER_MAX && n <= size - 8, SL_EDATA,
             "%s is not a safetensors file: a header of %llu bytes in a file "
             "of %llu",
             f->path, (unsigned long long)n, (unsigned long long)size);
  f->data = 8 + n;
  char *text = sl_alloc((size_t)n + 1, 1);
  if (!text) return no_memory(f);
  sl_status status = sl_st_read_at(f, text, (size_t)n, 8);
  if (status == SL_OK) status = parse_text(f, text, (size_t)n, size - f->data);
  sl_free(text);
  return status;
}

sl_status sl_st_open(sl_st_file *f, const char *path) {
  *f = (sl_st_file){.fd = open(path, O_RDONLY | O_CLOEXEC)};
  SL_REQUIRE(f->fd >= 0, SL_EIO, "cannot open %s: %s", path, strerror(errno));
  f->path = sl_strdup(path);
  const sl_status status =
      f->path ? read_header(f) : sl_fail(SL_ENOMEM, "out of memory");
  if (status != SL_OK) sl_st_close(f);
  return status;
}

void sl_st_close(sl_st_file *f) {
  if (f->fd >= 0) close(f->fd);
  for (int i = 0; i < f->n; i++)
    sl_free(f->entry[i].name);
  for (int i = 0; i < f->n_meta; i++) {
    sl_free(f->meta[i].key);
    sl_free(f->meta[i].value);
  }
  sl_free(f->entry);
  sl_free(f->meta);
  sl_free(f->path);
  *f = (sl_st_file){.fd = -1};
}

int sl_st_find(const sl_st_file *f, const char *name) {
  for (int i = 0; i < f->n; i++)
    if (!strcmp(name, f->entry[i].name)) return i;
  return -1;
}

const char *sl_st_meta(const sl_st_file *f, const char *key) {
  for (int i = 0; i < f->n_meta; i++)
    if (!strcmp(key, f->meta[i].key)) return f->meta[i].value;
  return NULL;
}
