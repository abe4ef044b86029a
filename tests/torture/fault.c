/* fault.c -- file calls that fail when they are told to, and a record of those
 * that were made. It stands between a program and the C library: as
 * libfault.so by LD_PRELOAD, for any build, or linked into sota-lua itself
 * (CMake's SL_FAULT, on in Debug builds). Without SOTA_FAULT and
 * SOTA_FAULT_RECORD it passes everything on.
 *
 *   SOTA_FAULT=CALL:N[-M | +][=ERROR][,...]
 *     CALL   open (for writing), write, short (a write that does half), fsync,
 *            folder (fsync of a folder), rename, close, mkdir, unlink,
 *            truncate, or any: the N-th of all of them
 *     N      the N-th fails, N-M: those, N+: all from the N-th on
 *     ERROR  ENOSPC, EIO, EDQUOT, EROFS, EACCES, EMFILE
 *   SOTA_FAULT_UNDER=FOLDER   only files in there count
 *   SOTA_FAULT_LOG=FILE       a line for each call that failed
 *   SOTA_FAULT_RECORD=FILE    each call and its bytes: powercut.lua reads it
 *
 * Streams that write are made of our own open, write and close, for the C
 * library's calls of its own functions cannot be seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

enum { FILES = 1024, RULES = 16, STREAMS = 64 };

typedef enum call {
  OPEN,
  WRITE,
  SHORT,
  FSYNC,
  FOLDER,
  RENAME,
  CLOSE,
  MKDIR,
  UNLINK,
  TRUNCATE,
  ANY,
  CALLS
} call;

static const struct {
  const char *name;
  int error; /* unless it is told */
} calls[CALLS] = {
    [OPEN] = {"open", ENOSPC},  [WRITE] = {"write", ENOSPC},
    [SHORT] = {"short", 0},     [FSYNC] = {"fsync", EIO},
    [FOLDER] = {"folder", EIO}, [RENAME] = {"rename", EIO},
    [CLOSE] = {"close", EIO},   [MKDIR] = {"mkdir", ENOSPC},
    [UNLINK] = {"unlink", EIO}, [TRUNCATE] = {"truncate", EIO},
    [ANY] = {"any", 0},
};

static const struct {
  const char *name;
  int code;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO},       {"EDQUOT", EDQUOT},
              {"EROFS", EROFS},   {"EACCES", EACCES}, {"EMFILE", EMFILE}};

static struct {
  pthread_mutex_t lock;
  int ready;
  char under[PATH_MAX];
  int log, record; /* descriptors, -1: none */
  struct {
    call what;
    long first, last;
    int error;
  } rule[RULES];
  int n;
  long count[CALLS];
  struct {
    char *path; /* NULL: not one of ours */
    int folder;
  } file[FILES];
  struct {
    FILE *f;
    int fd;
  } stream[STREAMS];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .log = -1, .record = -1};

/* The C library's own: ISO C has no cast from an object to a function. */
#define NEXT(variable, name)                                                   \
  do {                                                                         \
    void *found_ = dlsym(RTLD_NEXT, name);                                     \
    memcpy(&(variable), &found_, sizeof found_);                               \
  } while (0)

/* --- beginning ------------------------------------------------------------ */

static int find_call(const char *name, size_t n) {
  for (int i = 0; i < CALLS; i++)
    if (strlen(calls[i].name) == n && !strncmp(name, calls[i].name, n))
      return i;
  return -1;
}

static int find_error(const char *name) {
  for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
    if (!strncmp(name, errors[i].name, strlen(errors[i].name)))
      return errors[i].code;
  return -1;
}

static void refuse(const char *text) {
  dprintf(2, "SOTA_FAULT: '%s' is none; such as write:3=ENOSPC, any:5-9\n",
          text);
  _exit(2);
}

static void read_rule(const char *text) {
  const char *colon = strchr(text, ':');
  const int what = colon ? find_call(text, (size_t)(colon - text)) : -1;
  char *end = NULL;
  const long first = what < 0 ? 0 : strtol(colon + 1, &end, 10);
  if (first < 1 || state.n == RULES) refuse(text);
  long last = first;
  if (*end == '-') last = strtol(end + 1, &end, 10);
  if (*end == '+') last = LONG_MAX, end++;
  const int error = *end == '=' ? find_error(end + 1) : 0;
  if (error < 0 || (*end && *end != '=' && *end != ',')) refuse(text);
  state.rule[state.n].what = (call)what;
  state.rule[state.n].first = first;
  state.rule[state.n].last = last;
  state.rule[state.n++].error = error;
}

/* Links are not followed: what a test names is what the program names. */
static void absolute(const char *path, char out[PATH_MAX]) {
  char here[PATH_MAX / 2] = "";
  if (*path != '/' && !getcwd(here, sizeof here)) *here = 0;
  while (*path == '.' && path[1] == '/')
    path += 2;
  snprintf(out, PATH_MAX, *here ? "%s/%s" : "%s%s", here, path);
}

static int own_file(const char *variable, int flags) {
  const char *path = getenv(variable);
  if (!path) return -1;
  return (int)syscall(SYS_openat, AT_FDCWD, path,
                      flags | O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

__attribute__((constructor)) static void begin(void) {
  if (state.ready) return;
  const char *fault = getenv("SOTA_FAULT"), *under = getenv("SOTA_FAULT_UNDER");
  state.ready = 1;
  while (fault && *fault) {
    read_rule(fault);
    fault = strchr(fault, ',');
    fault = fault ? fault + 1 : NULL;
  }
  if (under) absolute(under, state.under);
  state.log = own_file("SOTA_FAULT_LOG", 0);
  state.record = own_file("SOTA_FAULT_RECORD", O_TRUNC);
}

static int is_on(void) {
  begin(); /* others' constructors may come first */
  return state.n > 0 || state.record >= 0;
}

static int is_ours(const char *path, char full[PATH_MAX]) {
  if (!is_on()) return 0;
  absolute(path, full);
  const size_t n = strlen(state.under);
  if (n) return !strncmp(full, state.under, n) && strchr("/", full[n]);
  return strncmp(full, "/proc/", 6) && strncmp(full, "/dev/", 5) &&
         strncmp(full, "/sys/", 5);
}

/* --- counting and failing ------------------------------------------------- */

static void note(call what, const char *path, int error) {
  if (state.log >= 0)
    dprintf(state.log, "any %ld: %s %ld of %s: %s\n", state.count[ANY],
            calls[what].name, state.count[what], path,
            what == SHORT ? "half" : strerror(error));
}

/* 0: the call is to be made; otherwise its errno. *half: do half of a write. */
static int must_fail(call what, const char *path, int *half) {
  int error = 0;
  pthread_mutex_lock(&state.lock);
  state.count[what]++;
  state.count[ANY]++;
  if (what == WRITE) state.count[SHORT]++;
  for (int i = 0; i < state.n && !error; i++) {
    const call rule = state.rule[i].what;
    if (rule != what && rule != ANY && (rule != SHORT || what != WRITE))
      continue;
    const long k = state.count[rule];
    if (k < state.rule[i].first || k > state.rule[i].last) continue;
    if (rule == SHORT) {
      if (half) *half = 1;
      note(SHORT, path, 0);
      continue;
    }
    error = state.rule[i].error ? state.rule[i].error : calls[what].error;
    note(what, path, error);
  }
  pthread_mutex_unlock(&state.lock);
  return error;
}

/* A line and, with it, the bytes of a write. */
static void record(const void *data, size_t n, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void record(const void *data, size_t n, const char *fmt, ...) {
  if (state.record < 0) return;
  char line[2 * PATH_MAX + 64];
  va_list list;
  va_start(list, fmt);
  const int length = vsnprintf(line, sizeof line, fmt, list);
  va_end(list);
  pthread_mutex_lock(&state.lock);
  (void)!syscall(SYS_write, state.record, line, (size_t)length);
  if (n) (void)!syscall(SYS_write, state.record, data, n);
  pthread_mutex_unlock(&state.lock);
}

static const char *path_of(int fd) {
  return fd >= 0 && fd < FILES ? state.file[fd].path : NULL;
}

/* --- open and close ------------------------------------------------------- */

static int remember(int fd, const char *full, int flags) {
  if (fd < 0 || fd >= FILES) return fd;
  free(state.file[fd].path);
  state.file[fd].path = strdup(full);
  state.file[fd].folder = (flags & O_DIRECTORY) != 0;
  if (!state.file[fd].folder)
    record(NULL, 0, "open %d %s %s\n", fd, flags & O_TRUNC ? "new" : "old",
           full);
  return fd;
}

static int open_path(const char *path, int flags, mode_t mode) {
  char full[PATH_MAX];
  const int writes = (flags & O_ACCMODE) != O_RDONLY;
  if ((!writes && !(flags & O_DIRECTORY)) || !is_ours(path, full))
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  const int error = writes ? must_fail(OPEN, full, NULL) : 0;
  if (error) {
    errno = error;
    return -1;
  }
  return remember((int)syscall(SYS_openat, AT_FDCWD, path, flags, mode), full,
                  flags);
}

#define OPEN_AS(name)                                                          \
  PUBLIC int name(const char *path, int flags, ...);                           \
  PUBLIC int name(const char *path, int flags, ...) {                          \
    va_list list;                                                              \
    va_start(list, flags);                                                     \
    const mode_t mode =                                                        \
        flags & (O_CREAT | __O_TMPFILE) ? (mode_t)va_arg(list, unsigned) : 0;  \
    va_end(list);                                                              \
    return open_path(path, flags, mode);                                       \
  }
OPEN_AS(open)
OPEN_AS(open64)

PUBLIC int close(int fd) {
  char *path = NULL;
  if (path_of(fd)) {
    path = state.file[fd].path;
    state.file[fd].path = NULL;
  }
  const int folder = path && state.file[fd].folder;
  const int status = (int)syscall(SYS_close, fd);
  const int error = path && !folder ? must_fail(CLOSE, path, NULL) : 0;
  free(path);
  if (!error) return status;
  errno = error;
  return -1;
}

/* --- write, sync, truncate ------------------------------------------------ */

/* at < 0: where the file stands. */
static ssize_t write_at(int fd, const void *data, size_t n, off_t at) {
  const char *path = path_of(fd);
  int half = 0;
  const int error = path ? must_fail(WRITE, path, &half) : 0;
  if (error) {
    errno = error;
    return -1;
  }
  if (half) n = (n + 1) / 2;
  const off_t from = at >= 0 || !path ? at : lseek(fd, 0, SEEK_CUR);
  const ssize_t k = at < 0 ? syscall(SYS_write, fd, data, n)
                           : syscall(SYS_pwrite64, fd, data, n, at);
  if (path && k > 0)
    record(data, (size_t)k, "write %zd %lld %s\n", k, (long long)from, path);
  return k;
}

PUBLIC ssize_t write(int fd, const void *data, size_t n) {
  return write_at(fd, data, n, -1);
}
PUBLIC ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
  return write_at(fd, data, n, at);
}
PUBLIC ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  return write_at(fd, data, n, at);
}

static int sync_by(int fd, long number) {
  const char *path = path_of(fd);
  const int folder = path && state.file[fd].folder;
  const int error = path ? must_fail(folder ? FOLDER : FSYNC, path, NULL) : 0;
  if (error) {
    errno = error;
    return -1;
  }
  const int status = (int)syscall(number, fd);
  if (path && status == 0)
    record(NULL, 0, "%s %s\n", folder ? "folder" : "fsync", path);
  return status;
}

PUBLIC int fsync(int fd) {
  return sync_by(fd, SYS_fsync);
}
PUBLIC int fdatasync(int fd) {
  return sync_by(fd, SYS_fdatasync);
}

static int truncate_fd(int fd, off_t size) {
  const char *path = path_of(fd);
  const int error = path ? must_fail(TRUNCATE, path, NULL) : 0;
  if (error) {
    errno = error;
    return -1;
  }
  if (path) record(NULL, 0, "truncate %lld %s\n", (long long)size, path);
  return (int)syscall(SYS_ftruncate, fd, size);
}

PUBLIC int ftruncate(int fd, off_t size) {
  return truncate_fd(fd, size);
}
PUBLIC int ftruncate64(int fd, off64_t size) {
  return truncate_fd(fd, size);
}

/* --- names ---------------------------------------------------------------- */

PUBLIC int rename(const char *from, const char *to) {
  char a[PATH_MAX], b[PATH_MAX];
  const int ours = is_ours(to, b);
  const int error = ours ? must_fail(RENAME, b, NULL) : 0;
  if (error) {
    errno = error;
    return -1;
  }
  const int status =
      (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
  if (!ours || status != 0) return status;
  absolute(from, a);
  record(NULL, 0, "rename %zu %s %s\n", strlen(a), a, b);
  return status;
}

PUBLIC int mkdir(const char *path, mode_t mode) {
  char full[PATH_MAX];
  const int ours = is_ours(path, full);
  const int error = ours ? must_fail(MKDIR, full, NULL) : 0;
  if (error) {
    errno = error;
    return -1;
  }
  const int status = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  if (ours && status == 0) record(NULL, 0, "mkdir %s\n", full);
  return status;
}

static int remove_path(const char *path, int flags) {
  char full[PATH_MAX];
  const int ours = is_ours(path, full);
  const int error = ours ? must_fail(UNLINK, full, NULL) : 0;
  if (error) {
    errno = error;
    return -1;
  }
  const int status = (int)syscall(SYS_unlinkat, AT_FDCWD, path, flags);
  if (ours && status == 0) record(NULL, 0, "unlink %s\n", full);
  return status;
}

PUBLIC int unlink(const char *path) {
  return remove_path(path, 0);
}
PUBLIC int rmdir(const char *path) {
  return remove_path(path, AT_REMOVEDIR);
}
PUBLIC int remove(const char *path) {
  struct stat st;
  const int folder = lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
  return remove_path(path, folder ? AT_REMOVEDIR : 0);
}

/* --- streams -------------------------------------------------------------- */

static int descriptor(void *cookie) {
  return (int)(long)cookie;
}

static ssize_t stream_read(void *cookie, char *data, size_t n) {
  return read(descriptor(cookie), data, n);
}

/* As the C library does: until all is written, or one fails. */
static ssize_t stream_write(void *cookie, const char *data, size_t n) {
  size_t done = 0;
  while (done < n) {
    const ssize_t k = write(descriptor(cookie), data + done, n - done);
    if (k < 0) return 0; /* a cookie's way to say that it failed */
    done += (size_t)k;
  }
  return (ssize_t)done;
}

static int stream_seek(void *cookie, off64_t *at, int whence) {
  const off64_t place = lseek64(descriptor(cookie), *at, whence);
  if (place >= 0) *at = place;
  return place < 0 ? -1 : 0;
}

static int stream_close(void *cookie) {
  const int fd = descriptor(cookie);
  pthread_mutex_lock(&state.lock);
  for (int i = 0; i < STREAMS; i++)
    if (state.stream[i].f && state.stream[i].fd == fd) state.stream[i].f = NULL;
  pthread_mutex_unlock(&state.lock);
  return close(fd);
}

static FILE *stream_of(int fd, const char *mode) {
  FILE *f = fopencookie((void *)(long)fd, mode,
                        (cookie_io_functions_t){stream_read, stream_write,
                                                stream_seek, stream_close});
  if (!f) return NULL;
  pthread_mutex_lock(&state.lock);
  for (int i = 0; i < STREAMS; i++)
    if (!state.stream[i].f) {
      state.stream[i].f = f;
      state.stream[i].fd = fd;
      break;
    }
  pthread_mutex_unlock(&state.lock);
  return f;
}

static int flags_of(const char *mode) {
  const int plus = strchr(mode, '+') != NULL;
  const int way = plus ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
  return way | O_CLOEXEC |
         (*mode == 'w'   ? O_CREAT | O_TRUNC
          : *mode == 'a' ? O_CREAT | O_APPEND
                         : 0);
}

#define FOPEN_AS(name)                                                         \
  PUBLIC FILE *name(const char *path, const char *mode) {                      \
    char full[PATH_MAX];                                                       \
    const int flags = flags_of(mode);                                          \
    if ((flags & O_ACCMODE) == O_RDONLY || !is_ours(path, full)) {             \
      FILE *(*next)(const char *, const char *);                               \
      NEXT(next, #name);                                                       \
      return next(path, mode);                                                 \
    }                                                                          \
    const int fd = open_path(path, flags, 0666);                               \
    return fd < 0 ? NULL : stream_of(fd, mode);                                \
  }
FOPEN_AS(fopen)
FOPEN_AS(fopen64)

PUBLIC FILE *fdopen(int fd, const char *mode) {
  FILE *(*next)(int, const char *);
  NEXT(next, "fdopen");
  return path_of(fd) ? stream_of(fd, mode) : next(fd, mode);
}

PUBLIC int fileno(FILE *f) {
  for (int i = 0; i < STREAMS; i++)
    if (state.stream[i].f == f) return state.stream[i].fd;
  int (*next)(FILE *);
  NEXT(next, "fileno");
  return next(f);
}
