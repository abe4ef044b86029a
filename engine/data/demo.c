/* demo.c -- see demo.h. Paints with a few threads into a folder beside dir,
 * which gets its name at the very end. */
#define _GNU_SOURCE /* nftw */
#include "data/demo.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>

#include "base/threads.h"
#include "data/decode.h"
#include "data/demo_scene.h"

enum { MAX_THREADS = 8, FOLDER_SIZE = 3072, PATH_SIZE = 4096 };

/* What all threads share. */
typedef struct job {
  const char *folder;
  int n_train, total;
  uint64_t seed;
  sl_demo_progress *progress; /* called by the first thread only */
  void *context;
  atomic_int next; /* file to do; total and beyond: stop */
  atomic_int done;
} job;

typedef struct worker {
  job *job;
  int first; /* the caller's own thread */
  sl_status status;
  char why[512];
} worker;

/* --- one file ------------------------------------------------------------- */

/* RGB pixels to an image that is tagged as what is to be saved. */
static int tag(const sl_image *m, VipsInterpretation kind, VipsImage **out) {
  VipsImage *bare = vips_image_new_from_memory(
      m->px, (size_t)m->h * (size_t)m->w * 3, m->w, m->h, 3, VIPS_FORMAT_UCHAR);
  if (!bare) return -1;
  bare->Type = VIPS_INTERPRETATION_sRGB;
  const int failed = vips_colourspace(bare, out, kind, NULL);
  g_object_unref(bare);
  return failed;
}

static sl_status save(const sl_image *m, int grey, int quality,
                      const char *path) {
  VipsImage *image = NULL;
  int failed =
      tag(m, grey ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, &image);
  if (!failed) failed = vips_jpegsave(image, path, "Q", quality, NULL);
  if (image) g_object_unref(image);
  if (!failed) return SL_OK;
  sl_vips_fail(path);
  return SL_EIO;
}

/* File i of all; classes take turns. Its stream is its place in its part. */
static sl_status make_file(const job *j, int i, sl_image *buffer) {
  const int train = i < j->n_train, place = train ? i : i - j->n_train;
  const int class_number = place % SL_DEMO_CLASSES;
  sl_rng rng =
      sl_rng_at(j->seed, (uint32_t)!train, (uint32_t)place, SL_RNG_USER);
  int grey = 0;
  SL_TRY(sl_demo_paint(class_number, &rng, buffer, &grey));
  const int quality = 70 + (int)sl_rng_below(&rng, 26);
  char path[PATH_SIZE];
  snprintf(path, sizeof path, "%s/%s/%s/%04d.jpg", j->folder,
           train ? "train" : "val", sl_demo_classes[class_number].name,
           place / SL_DEMO_CLASSES + 1);
  return save(buffer, grey, quality, path);
}

/* --- threads -------------------------------------------------------------- */

static sl_status report(const worker *w) {
  job *j = w->job;
  if (!w->first || !j->progress) return SL_OK;
  SL_REQUIRE(!j->progress(j->context, atomic_load(&j->done), j->total),
             SL_EINTERRUPT, "the demo data set was not finished");
  return SL_OK;
}

static void *work(void *context) {
  worker *w = context;
  job *j = w->job;
  sl_image buffer = {0};
  int i;
  while (w->status == SL_OK && (i = atomic_fetch_add(&j->next, 1)) < j->total) {
    w->status = make_file(j, i, &buffer);
    if (w->status == SL_OK) {
      atomic_fetch_add(&j->done, 1);
      w->status = report(w);
    }
  }
  if (w->status != SL_OK) { /* messages are a thread's own: carry it over */
    snprintf(w->why, sizeof w->why, "%s", sl_error());
    atomic_store(&j->next, j->total);
  }
  sl_image_clear(&buffer);
  if (!w->first) sl_decode_thread_end();
  return NULL;
}

static sl_status make_files(job *j) {
  worker workers[MAX_THREADS] = {{0}};
  pthread_t ids[MAX_THREADS];
  const int n = sl_cores() < MAX_THREADS ? sl_cores() : MAX_THREADS;
  int started = 1; /* this thread; fewer than n is no error */
  for (int i = 0; i < MAX_THREADS; i++)
    workers[i] = (worker){.job = j, .first = i == 0};
  while (started < n &&
         pthread_create(&ids[started], NULL, work, &workers[started]) == 0)
    started++;
  work(&workers[0]);
  for (int i = 1; i < started; i++)
    pthread_join(ids[i], NULL);
  for (int i = 0; i < started; i++)
    SL_REQUIRE(workers[i].status == SL_OK, workers[i].status, "%s",
               workers[i].why);
  return report(&workers[0]);
}

/* --- folders -------------------------------------------------------------- */

static sl_status make_folder(const char *path) {
  SL_REQUIRE(mkdir(path, 0777) == 0 || errno == EEXIST, SL_EIO,
             "%s: cannot make the folder: %s", path, strerror(errno));
  return SL_OK;
}

static sl_status make_parents(const char *path) {
  char part[PATH_SIZE];
  for (const char *slash = path; (slash = strchr(slash + 1, '/'));) {
    snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
    SL_TRY(make_folder(part));
  }
  return SL_OK;
}

static sl_status make_folders(const char *folder) {
  static const char *const parts[] = {"train", "val"};
  char path[PATH_SIZE];
  for (int p = 0; p < 2; p++) {
    snprintf(path, sizeof path, "%s/%s", folder, parts[p]);
    SL_TRY(make_folder(path));
    for (int c = 0; c < SL_DEMO_CLASSES; c++) {
      snprintf(path, sizeof path, "%s/%s/%s", folder, parts[p],
               sl_demo_classes[c].name);
      SL_TRY(make_folder(path));
    }
  }
  return SL_OK;
}

static int drop(const char *path, const struct stat *st, int kind,
                struct FTW *f) {
  (void)st, (void)kind, (void)f;
  return remove(path);
}

/* All or nothing: another process that was faster has made the same. */
static sl_status publish(const char *folder, const char *dir) {
  SL_REQUIRE(chmod(folder, 0755) == 0, SL_EIO, "%s: %s", folder,
             strerror(errno));
  if (rename(folder, dir) == 0) return SL_OK;
  SL_REQUIRE(errno == EEXIST || errno == ENOTEMPTY, SL_EIO,
             "%s: cannot rename to %s: %s", folder, dir, strerror(errno));
  nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS);
  return SL_OK;
}

sl_status sl_demo_write(const char *dir, int n_train, int n_valid,
                        uint64_t seed, sl_demo_progress *progress,
                        void *context) {
  char folder[FOLDER_SIZE];
  SL_REQUIRE(n_train >= 0 && n_valid >= 0, SL_EINVAL,
             "%d training and %d validation images", n_train, n_valid);
  SL_REQUIRE(strlen(dir) < FOLDER_SIZE - 8, SL_EINVAL,
             "%s: this name is too long", dir);
  if (access(dir, F_OK) == 0) return SL_OK;
  SL_TRY(sl_vips_start());
  SL_TRY(make_parents(dir));
  snprintf(folder, sizeof folder, "%s.XXXXXX", dir);
  SL_REQUIRE(mkdtemp(folder), SL_EIO, "%s: cannot make the folder: %s", folder,
             strerror(errno));
  job j = {.folder = folder,
           .n_train = n_train,
           .total = n_train + n_valid,
           .seed = seed,
           .progress = progress,
           .context = context};
  sl_status status = make_folders(folder);
  if (status == SL_OK) status = make_files(&j);
  if (status == SL_OK) status = publish(folder, dir);
  if (status != SL_OK) nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS);
  return status;
}
