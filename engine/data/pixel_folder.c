/* pixel_folder.c -- see pixel_folder.h. */
#include "data/pixel_folder.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data/cache_dir.h"

typedef struct found {
  int64_t bytes;            /* of all */
  char oldest[SL_PATH_MAX]; /* empty: there is none */
  time_t used;
} found;

/* Also what a killed process left behind while it replaced a file. */
static int is_ours(const char *name, const char *keep) {
  return strstr(name, SL_PIXEL_FILE_END) && strcmp(name, keep) != 0;
}

static void look_at(found *f, const char *path) {
  struct stat st;
  if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) return;
  f->bytes += st.st_size;
  if (f->oldest[0] && st.st_mtime >= f->used) return;
  memcpy(f->oldest, path, strlen(path) + 1); /* both SL_PATH_MAX long */
  f->used = st.st_mtime;
}

static void look(const char *folder, const char *keep, found *f) {
  char path[SL_PATH_MAX];
  *f = (found){0};
  DIR *dir = opendir(folder);
  if (!dir) return;
  for (struct dirent *e; (e = readdir(dir)) != NULL;)
    if (is_ours(e->d_name, keep) &&
        sl_path_join(path, folder, e->d_name) == SL_OK)
      look_at(f, path);
  closedir(dir);
}

int64_t sl_pixel_folder_shrink(const char *folder, const char *keep,
                               int64_t most) {
  found f;
  look(folder, keep, &f);
  while (f.bytes > most && f.oldest[0] && unlink(f.oldest) == 0)
    look(folder, keep, &f);
  return f.bytes;
}
