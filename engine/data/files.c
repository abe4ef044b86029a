/* files.c -- see files.h. */
#include "data/files.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "data/names.h"

enum { NO_LABEL = -1, FIRST_LIST = -2 };

/* label: >= 0 a number of f->labels; NO_LABEL; FIRST_LIST - k: the labels are
 * f->lists[k] numbers, which follow there. */
typedef struct item {
  int32_t folder;
  uint32_t name;
  int32_t label;
} item;

struct sl_files {
  int references, frozen;
  int64_t n, room;
  item *items;
  sl_names folders; /* with the last slash; "" for a bare name */
  sl_text names;
  sl_names labels;
  int32_t *lists;
  int32_t n_lists, lists_room;
};

sl_status sl_files_new(sl_files **out) {
  *out = sl_alloc(1, sizeof **out);
  SL_REQUIRE(*out, SL_ENOMEM, "no memory for a file list");
  (*out)->references = 1;
  return SL_OK;
}

void sl_files_retain(sl_files *f) {
  f->references++;
}

void sl_files_release(sl_files *f) {
  if (!f || --f->references > 0) return;
  sl_free(f->items);
  sl_names_close(&f->folders);
  sl_text_close(&f->names);
  sl_names_close(&f->labels);
  sl_free(f->lists);
  sl_free(f);
}

void sl_files_freeze(sl_files *f) {
  f->frozen = 1;
}

static sl_status changeable(const sl_files *f) {
  SL_REQUIRE(!f->frozen, SL_EINVAL,
             "this file list feeds a loader and cannot change any more: make a "
             "new one");
  return SL_OK;
}

static sl_status make_room(sl_files *f) {
  if (f->n < f->room) return SL_OK;
  SL_REQUIRE(f->n < INT32_MAX, SL_EINVAL, "a file list ends at 2^31 files");
  const int64_t room = f->room ? f->room + f->room / 2 : 256;
  item *items = sl_realloc(f->items, (size_t)room * sizeof *items);
  SL_REQUIRE(items, SL_ENOMEM, "no memory for a list of %lld files",
             (long long)room);
  f->items = items;
  f->room = room;
  return SL_OK;
}

sl_status sl_files_add(sl_files *f, const char *path) {
  SL_TRY(changeable(f));
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  SL_REQUIRE(*name, SL_EINVAL, "'%s' is not the path of a file", path);
  SL_TRY(make_room(f));
  item *it = &f->items[f->n];
  it->label = NO_LABEL;
  SL_TRY(sl_names_add(&f->folders, path, (size_t)(name - path), &it->folder));
  SL_TRY(sl_text_add(&f->names, name, strlen(name), &it->name));
  f->n++;
  return SL_OK;
}

int64_t sl_files_count(const sl_files *f) {
  return f->n;
}

size_t sl_files_path(const sl_files *f, int64_t i, char *out, size_t size) {
  assert(i >= 0 && i < f->n);
  const item *it = &f->items[i];
  return (size_t)snprintf(out, size, "%s%s",
                          sl_names_get(&f->folders, it->folder),
                          f->names.bytes + it->name);
}

/* --- labels --------------------------------------------------------------- */

static sl_status label_number(sl_files *f, int64_t i, const char *label,
                              int32_t *id) {
  SL_TRY(changeable(f));
  SL_REQUIRE(i >= 0 && i < f->n, SL_EINVAL,
             "row %lld is not in a list of %lld files", (long long)i + 1,
             (long long)f->n);
  if (label && *label)
    return sl_names_add(&f->labels, label, strlen(label), id);
  char path[512];
  sl_files_path(f, i, path, sizeof path);
  return sl_fail(SL_EINVAL, "%s: an empty text is no label", path);
}

sl_status sl_files_set_label(sl_files *f, int64_t i, const char *label) {
  int32_t id = NO_LABEL;
  SL_TRY(label_number(f, i, label, &id));
  f->items[i].label = id;
  return SL_OK;
}

/* Makes room for k numbers more at the end of f->lists. */
static sl_status widen_lists(sl_files *f, int k) {
  if (f->n_lists + k <= f->lists_room) return SL_OK;
  SL_REQUIRE(f->n_lists < INT32_MAX / 4, SL_EINVAL, "too many labels");
  const int32_t room = 2 * (f->n_lists + k) + 64;
  int32_t *lists = sl_realloc(f->lists, (size_t)room * sizeof *lists);
  SL_REQUIRE(lists, SL_ENOMEM, "no memory for %d labels", (int)room);
  f->lists = lists;
  f->lists_room = room;
  return SL_OK;
}

sl_status sl_files_set_labels(sl_files *f, int64_t i, const char *const *labels,
                              int n) {
  SL_TRY(changeable(f));
  SL_REQUIRE(n >= 0 && n < 1 << 20, SL_EINVAL, "%d labels for one item", n);
  SL_REQUIRE(i >= 0 && i < f->n, SL_EINVAL,
             "row %lld is not in a list of %lld files", (long long)i + 1,
             (long long)f->n);
  SL_TRY(widen_lists(f, n + 1));
  int32_t *list = f->lists + f->n_lists;
  for (int j = 0; j < n; j++)
    SL_TRY(label_number(f, i, labels[j], &list[j + 1]));
  list[0] = n;
  f->items[i].label = FIRST_LIST - f->n_lists;
  f->n_lists += n + 1;
  return SL_OK;
}

int sl_files_label_count(const sl_files *f, int64_t i) {
  const int32_t label = f->items[i].label;
  if (label >= 0) return 1;
  return label == NO_LABEL ? -1 : f->lists[FIRST_LIST - label];
}

int32_t sl_files_label_id(const sl_files *f, int64_t i, int j) {
  const int32_t label = f->items[i].label;
  assert(j >= 0 && j < sl_files_label_count(f, i));
  return label >= 0 ? label : f->lists[FIRST_LIST - label + 1 + j];
}

const char *sl_files_label(const sl_files *f, int64_t i, int j) {
  return sl_names_get(&f->labels, sl_files_label_id(f, i, j));
}

int32_t sl_files_label_names(const sl_files *f) {
  return f->labels.n;
}

const char *sl_files_label_name(const sl_files *f, int32_t id) {
  return sl_names_get(&f->labels, id);
}

/* --- parts of a path ------------------------------------------------------ */

/* Cuts the last component that counts off [path, *end). */
static size_t last_component(const char *path, const char **end) {
  for (;;) {
    const char *e = *end;
    while (e > path && e[-1] == '/')
      e--;
    const char *b = e;
    while (b > path && b[-1] != '/')
      b--;
    *end = b;
    const size_t len = (size_t)(e - b);
    if (len == 0 || !(len == 1 && *b == '.')) return len;
  }
}

sl_status sl_path_folder(const char *path, int up, const char **name,
                         size_t *len) {
  SL_REQUIRE(up >= 1, SL_EINVAL, "level %d is not above the file", up);
  const char *end = strrchr(path, '/'); /* the file's own name goes first */
  *name = end ? end : path;
  *len = 0;
  for (int level = 0; level < up; level++) {
    *len = last_component(path, name);
    if (*len == 0 || (*len == 2 && memcmp(*name, "..", 2) == 0))
      return sl_fail(SL_EINVAL,
                     "%s has no named folder %d level%s above the file: give "
                     "the data's folder as a full path",
                     path, up, up == 1 ? "" : "s");
  }
  return SL_OK;
}

struct sl_folder_names {
  sl_names names;
  int32_t *of; /* for each folder of the list */
};

sl_status sl_folder_names_new(const sl_files *f, int up,
                              sl_folder_names **out) {
  sl_folder_names *n = sl_alloc(1, sizeof *n);
  SL_REQUIRE(n, SL_ENOMEM, "no memory for folder names");
  n->of = sl_alloc((size_t)f->folders.n, sizeof *n->of);
  sl_status status =
      n->of ? SL_OK : sl_fail(SL_ENOMEM, "no memory for folder names");
  for (int32_t i = 0; i < f->folders.n && status == SL_OK; i++) {
    const char *name = NULL;
    size_t len = 0;
    status = sl_path_folder(sl_names_get(&f->folders, i), up, &name, &len);
    if (status == SL_OK) status = sl_names_add(&n->names, name, len, &n->of[i]);
  }
  if (status != SL_OK) {
    sl_folder_names_free(n);
    return status;
  }
  *out = n;
  return SL_OK;
}

int32_t sl_folder_names_count(const sl_folder_names *n) {
  return n->names.n;
}

const char *sl_folder_names_get(const sl_folder_names *n, int32_t id) {
  return sl_names_get(&n->names, id);
}

int32_t sl_folder_names_of(const sl_folder_names *n, const sl_files *f,
                           int64_t row) {
  return n->of[f->items[row].folder];
}

void sl_folder_names_free(sl_folder_names *n) {
  if (!n) return;
  sl_names_close(&n->names);
  sl_free(n->of);
  sl_free(n);
}

sl_status sl_files_label_by_folder(sl_files *f, int up) {
  SL_TRY(changeable(f));
  sl_folder_names *n = NULL;
  sl_status status = sl_folder_names_new(f, up, &n);
  for (int64_t i = 0; n && i < f->n && status == SL_OK; i++)
    status = sl_files_set_label(
        f, i, sl_folder_names_get(n, sl_folder_names_of(n, f, i)));
  sl_folder_names_free(n);
  return status;
}
