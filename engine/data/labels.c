/* labels.c -- see labels.h. */
#include "data/labels.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "data/names.h"

struct sl_vocab {
  sl_names names; /* name k - 1 is class k */
};

static int64_t row_at(const int64_t *rows, int64_t i) {
  return rows ? rows[i] : i;
}

static sl_status no_label(const sl_files *f, int64_t row) {
  char path[512];
  sl_files_path(f, row, path, sizeof path);
  return sl_fail(SL_EINVAL, "%s has no label", path);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* names[0..*n): the label texts that the rows use, each once. */
static sl_status used_names(const sl_files *f, const int64_t *rows, int64_t n,
                            const char **names, int *n_names) {
  char *used = sl_alloc((size_t)sl_files_label_names(f), 1);
  SL_REQUIRE(used, SL_ENOMEM, "no memory for the class list");
  sl_status status = SL_OK;
  for (int64_t i = 0; i < n && status == SL_OK; i++) {
    const int64_t row = row_at(rows, i);
    const int count = sl_files_label_count(f, row);
    if (count < 0) status = no_label(f, row);
    for (int j = 0; j < count; j++)
      used[sl_files_label_id(f, row, j)] = 1;
  }
  *n_names = 0;
  for (int32_t id = 0; id < sl_files_label_names(f); id++)
    if (used[id]) names[(*n_names)++] = sl_files_label_name(f, id);
  sl_free(used);
  return status;
}

sl_status sl_vocab_from_rows(const sl_files *f, const int64_t *rows, int64_t n,
                             sl_vocab **out) {
  int n_names = 0;
  const char **names = sl_alloc((size_t)sl_files_label_names(f), sizeof *names);
  SL_REQUIRE(names, SL_ENOMEM, "no memory for the class list");
  sl_status status = used_names(f, rows, n, names, &n_names);
  if (status == SL_OK && n_names)
    qsort(names, (size_t)n_names, sizeof *names, by_text);
  if (status == SL_OK) status = sl_vocab_from_names(names, n_names, out);
  sl_free(names);
  return status;
}

sl_status sl_vocab_from_names(const char *const *names, int n, sl_vocab **out) {
  SL_REQUIRE(n > 0, SL_EINVAL, "no labels, so no classes");
  sl_vocab *v = sl_alloc(1, sizeof *v);
  SL_REQUIRE(v, SL_ENOMEM, "no memory for the class list");
  for (int k = 0; k < n; k++) {
    int32_t id;
    sl_status status = sl_names_add(&v->names, names[k], strlen(names[k]), &id);
    if (status == SL_OK && id != k)
      status =
          sl_fail(SL_EINVAL, "class '%s' is in the class list twice", names[k]);
    if (status != SL_OK) {
      sl_vocab_free(v);
      return status;
    }
  }
  *out = v;
  return SL_OK;
}

void sl_vocab_free(sl_vocab *v) {
  if (!v) return;
  sl_names_close(&v->names);
  sl_free(v);
}

int sl_vocab_size(const sl_vocab *v) {
  return v->names.n;
}

const char *sl_vocab_name(const sl_vocab *v, int k) {
  assert(k >= 1 && k <= v->names.n);
  return sl_names_get(&v->names, k - 1);
}

int sl_vocab_find(const sl_vocab *v, const char *name) {
  return sl_names_find(&v->names, name, strlen(name)) + 1;
}

/* --- targets -------------------------------------------------------------- */

static sl_status unknown_class(const sl_vocab *v, const sl_files *f,
                               int64_t row, const char *label,
                               const char *set) {
  char path[512], list[256] = "";
  size_t n = 0;
  sl_files_path(f, row, path, sizeof path);
  for (int k = 1; k <= sl_vocab_size(v) && n < sizeof list; k++)
    n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", k > 1 ? ", " : "",
                          sl_vocab_name(v, k));
  return sl_fail(
      SL_EINVAL,
      "%s item %s has class '%s', which is not one of the %d classes "
      "of the training items: %s%s",
      set, path, label, sl_vocab_size(v), list, n < sizeof list ? "" : "...");
}

/* How many classes the rows have in all; checks that they may have as many. */
static sl_status total_of(const sl_files *f, const int64_t *rows, int64_t n,
                          int multi, int64_t *total) {
  *total = 0;
  for (int64_t i = 0; i < n; i++) {
    const int64_t row = row_at(rows, i);
    const int count = sl_files_label_count(f, row);
    if (count < 0) return no_label(f, row);
    if (count != 1 && !multi) {
      char path[512];
      sl_files_path(f, row, path, sizeof path);
      return sl_fail(SL_EINVAL, "%s has %d labels where one class is wanted",
                     path, count);
    }
    *total += count;
  }
  return SL_OK;
}

/* class_of[id]: the class of label id of f, 0 when it is none. */
static sl_status look_up(const sl_vocab *v, const sl_files *f,
                         int32_t **class_of) {
  const int32_t n = sl_files_label_names(f);
  *class_of = sl_alloc((size_t)n, sizeof **class_of);
  SL_REQUIRE(*class_of, SL_ENOMEM, "no memory for labels");
  for (int32_t id = 0; id < n; id++)
    (*class_of)[id] = sl_vocab_find(v, sl_files_label_name(f, id));
  return SL_OK;
}

static sl_status fill(sl_targets *t, const sl_vocab *v, const sl_files *f,
                      const int64_t *rows, const int32_t *class_of,
                      const char *set) {
  int64_t used = 0;
  for (int64_t i = 0; i < t->n; i++) {
    const int64_t row = row_at(rows, i);
    const int count = sl_files_label_count(f, row);
    if (t->at) t->at[i] = used;
    for (int j = 0; j < count; j++) {
      const int32_t k = class_of[sl_files_label_id(f, row, j)];
      if (k == 0)
        return unknown_class(v, f, row, sl_files_label(f, row, j), set);
      t->classes[used++] = k;
    }
  }
  if (t->at) t->at[t->n] = used;
  return SL_OK;
}

sl_status sl_targets_init(sl_targets *t, const sl_vocab *v, const sl_files *f,
                          const int64_t *rows, int64_t n, int multi,
                          const char *set) {
  int64_t total;
  int32_t *class_of = NULL;
  *t = (sl_targets){.n = n, .n_classes = sl_vocab_size(v)};
  SL_TRY(total_of(f, rows, n, multi, &total));
  sl_status status = look_up(v, f, &class_of);
  if (status != SL_OK) goto done;
  t->classes = sl_alloc((size_t)total, sizeof *t->classes);
  if (multi) t->at = sl_alloc((size_t)n + 1, sizeof *t->at);
  if (!t->classes || (multi && !t->at)) {
    status = sl_fail(SL_ENOMEM, "no memory for %lld labels", (long long)total);
    goto done;
  }
  status = fill(t, v, f, rows, class_of, set);
done:
  sl_free(class_of);
  if (status != SL_OK) sl_targets_close(t);
  return status;
}

void sl_targets_close(sl_targets *t) {
  sl_free(t->at);
  sl_free(t->classes);
  *t = (sl_targets){0};
}

void sl_targets_count(const sl_targets *t, int64_t *counts) {
  const int64_t total = t->at ? t->at[t->n] : t->n;
  memset(counts, 0, (size_t)t->n_classes * sizeof *counts);
  for (int64_t i = 0; i < total; i++)
    counts[t->classes[i] - 1]++;
}
