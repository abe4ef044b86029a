/* cifar.c -- see cifar.h. */
#include "data/cifar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "data/cache_dir.h"

enum { FILES = SL_CIFAR_TRAIN_FILES + 1, MAX_NAME = 256 };

static const char *const file_names[FILES] = {
    "data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
    "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin",
};

/* --- before anything is read ---------------------------------------------- */

static sl_status check_folder(const char *folder) {
  struct stat st;
  char python[SL_PATH_MAX];
  SL_REQUIRE(stat(folder, &st) == 0, SL_EIO,
             "%s: there is no such folder; CIFAR-10's is wanted, with "
             "data_batch_1.bin",
             folder);
  SL_REQUIRE(S_ISDIR(st.st_mode), SL_EIO,
             "%s: a folder is wanted, the one that has data_batch_1.bin",
             folder);
  SL_TRY(sl_path_join(python, folder, "data_batch_1"));
  SL_REQUIRE(stat(python, &st) != 0, SL_EDATA,
             "%s is CIFAR-10's version for Python; the binary one is wanted, "
             "with data_batch_1.bin",
             folder);
  return SL_OK;
}

static sl_status count_records(const char *path, int64_t *n) {
  struct stat st;
  SL_REQUIRE(stat(path, &st) == 0, SL_EIO,
             "%s: %s; it is one of the six .bin files of CIFAR-10", path,
             strerror(errno));
  SL_REQUIRE(
      S_ISREG(st.st_mode) && st.st_size > 0 &&
          st.st_size % SL_CIFAR_RECORD == 0,
      SL_EDATA,
      "%s: its %lld bytes are not a number of records of %d bytes (a class "
      "and 32x32 pixels of 3 colours): cut short, or not a file of CIFAR-10",
      path, (long long)st.st_size, SL_CIFAR_RECORD);
  *n = st.st_size / SL_CIFAR_RECORD;
  return SL_OK;
}

/* A file that was cut between two records is found by the others. */
static sl_status check_sizes(const char *folder, int64_t *each) {
  char path[SL_PATH_MAX];
  int64_t n[FILES], most = 0;
  for (int i = 0; i < FILES; i++) {
    SL_TRY(sl_path_join(path, folder, file_names[i]));
    SL_TRY(count_records(path, &n[i]));
    if (n[i] > most) most = n[i];
  }
  for (int i = 0; i < FILES; i++)
    SL_REQUIRE(n[i] == most, SL_EDATA,
               "%s/%s: %lld records, where others of its folder have %lld: it "
               "was cut short",
               folder, file_names[i], (long long)n[i], (long long)most);
  *each = most;
  return SL_OK;
}

/* --- the names of the classes --------------------------------------------- */

static sl_status add_name(sl_cifar *c, const char *path, char *line) {
  line[strcspn(line, "\r\n")] = 0;
  if (!*line) return SL_OK;
  SL_REQUIRE(c->n_classes < SL_CIFAR_MAX_CLASSES, SL_EDATA,
             "%s: more than %d classes", path, SL_CIFAR_MAX_CLASSES);
  for (int k = 0; k < c->n_classes; k++)
    SL_REQUIRE(strcmp(c->names[k], line) != 0, SL_EDATA,
               "%s: there are two classes called %s", path, line);
  char *name = sl_strdup(line);
  SL_REQUIRE(name, SL_ENOMEM, "no memory for the names of the classes");
  c->names[c->n_classes++] = name;
  return SL_OK;
}

static sl_status read_lines(sl_cifar *c, const char *path, FILE *f) {
  char line[MAX_NAME];
  while (fgets(line, sizeof line, f)) {
    SL_REQUIRE(strchr(line, '\n') || feof(f), SL_EDATA,
               "%s: a line is longer than the name of a class", path);
    SL_TRY(add_name(c, path, line));
  }
  SL_REQUIRE(!ferror(f), SL_EIO, "%s: cannot be read: %s", path,
             strerror(errno));
  SL_REQUIRE(c->n_classes > 0, SL_EDATA,
             "%s: it has no line with the name of a class", path);
  return SL_OK;
}

static sl_status read_names(sl_cifar *c, const char *folder) {
  char path[SL_PATH_MAX];
  SL_TRY(sl_path_join(path, folder, "batches.meta.txt"));
  FILE *f = fopen(path, "re");
  SL_REQUIRE(f, SL_EIO, "%s: %s; it has the names of the classes", path,
             strerror(errno));
  const sl_status status = read_lines(c, path, f);
  fclose(f);
  return status;
}

/* --- records -------------------------------------------------------------- */

/* Three planes to pixels of three. */
static void interleave(const uint8_t *planes, uint8_t *out) {
  enum { N = SL_CIFAR_SIDE * SL_CIFAR_SIDE };
  for (int i = 0; i < N; i++)
    for (int c = 0; c < 3; c++)
      out[3 * i + c] = planes[c * N + i];
}

static sl_status add_record(sl_cifar *c, sl_files *files, const char *path,
                            int64_t number, const uint8_t *record) {
  uint8_t pixels[SL_CIFAR_BYTES];
  char item[SL_PATH_MAX + 32];
  SL_REQUIRE(record[0] < c->n_classes, SL_EDATA,
             "%s: record %lld is of class %d, but batches.meta.txt names only "
             "the classes 0 to %d",
             path, (long long)number, record[0], c->n_classes - 1);
  const int64_t row = sl_files_count(files);
  snprintf(item, sizeof item, "%s/%05lld", path, (long long)number);
  SL_TRY(sl_files_add(files, item));
  SL_TRY(sl_files_set_label(files, row, c->names[record[0]]));
  interleave(record + 1, pixels);
  sl_decoded_put(
      c->images, row,
      &(sl_kept){
          .h = SL_CIFAR_SIDE,
          .w = SL_CIFAR_SIDE,
          .shrink = 1,
          .image = {.h = SL_CIFAR_SIDE, .w = SL_CIFAR_SIDE, .px = pixels}});
  SL_REQUIRE(sl_decoded_own(c->images, row), SL_ENOMEM,
             "no memory for the images of %s", path);
  return SL_OK;
}

static sl_status read_records(sl_cifar *c, sl_files *files, const char *path,
                              int64_t n, FILE *f) {
  uint8_t record[SL_CIFAR_RECORD];
  for (int64_t i = 1; i <= n; i++) {
    SL_REQUIRE(fread(record, sizeof record, 1, f) == 1, SL_EIO,
               "%s: cannot be read beyond record %lld", path, (long long)i - 1);
    SL_TRY(add_record(c, files, path, i, record));
  }
  return SL_OK;
}

static sl_status read_file(sl_cifar *c, sl_files *files, const char *folder,
                           const char *name, int64_t n) {
  char path[SL_PATH_MAX];
  SL_TRY(sl_path_join(path, folder, name));
  FILE *f = fopen(path, "rbe");
  SL_REQUIRE(f, SL_EIO, "%s: %s", path, strerror(errno));
  const sl_status status = read_records(c, files, path, n, f);
  fclose(f);
  return status;
}

static sl_status read_all(sl_cifar *c, const char *folder, sl_files *files) {
  int64_t n;
  SL_TRY(check_folder(folder));
  SL_TRY(check_sizes(folder, &n));
  SL_TRY(read_names(c, folder));
  SL_TRY(sl_decoded_new(FILES * n, FILES * n * SL_CIFAR_BYTES, &c->images));
  for (int i = 0; i < FILES; i++)
    SL_TRY(read_file(c, files, folder, file_names[i], n));
  c->n_train = SL_CIFAR_TRAIN_FILES * n;
  return SL_OK;
}

sl_status sl_cifar_open(const char *folder, sl_files *files, sl_cifar *out) {
  *out = (sl_cifar){0};
  SL_REQUIRE(sl_files_count(files) == 0, SL_EINVAL,
             "the list of files must be empty, but has %lld",
             (long long)sl_files_count(files));
  const sl_status status = read_all(out, folder, files);
  if (status != SL_OK) sl_cifar_clear(out);
  return status;
}

void sl_cifar_clear(sl_cifar *c) {
  sl_decoded_release(c->images);
  for (int k = 0; k < c->n_classes; k++)
    sl_free(c->names[k]);
  *c = (sl_cifar){0};
}
