/* A file layer that forgets what was not synced, for the power-cut test.
 *
 * Preloaded into the server, it keeps for each file directly under the folder
 * POWERCUT_ROOT an undo log in POWERCUT_LOG: before a write or a truncation the
 * bytes and the size that it replaces, dropped when that file is synced. A new
 * file is marked until its folder is synced. After a kill -9 the test applies
 * the logs backwards, and the files are what a disk without power would hold.
 *
 * SQLite (github.com/mattn/go-sqlite3) changes its files through open64,
 * pwrite64, write, ftruncate64 and unlink, and syncs with fsync; the siblings of
 * those are covered as well. Files named *-shm are left out: they hold nothing
 * that outlives the process. A removal counts as durable at once. One lock holds
 * everything, so that the order of the log is the order of the writes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KIND_WRITE = 1, KIND_TRUNCATE = 2 };
enum { MAX_FD = 4096, MAX_FILES = 64, FOLDER = MAX_FILES };

struct record { /* read by the test: five little-endian 64-bit numbers */
  uint64_t kind, offset, length, old_length, old_size;
};

static struct file {
  char name[NAME_MAX + 1];
  int log; /* append-only */
} files[MAX_FILES];

static int nfiles;
static int watched[MAX_FD]; /* 1 + index into files, or FOLDER + 1 */
static char root[PATH_MAX], logs[PATH_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

/* die stops the server rather than let a change pass unrecorded. */
static void die(const char *what) {
  static const char head[] = "powercut: ";
  real_write(2, head, sizeof head - 1);
  real_write(2, what, strlen(what));
  real_write(2, "\n", 1);
  abort();
}

__attribute__((constructor)) static void begin(void) {
  real_open = dlsym(RTLD_NEXT, "open64");
  real_close = dlsym(RTLD_NEXT, "close");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_pread = dlsym(RTLD_NEXT, "pread64");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  const char *r = getenv("POWERCUT_ROOT"), *l = getenv("POWERCUT_LOG");
  if (r && l) {
    snprintf(root, sizeof root, "%s", r);
    snprintf(logs, sizeof logs, "%s", l);
  }
}

/* inside returns the name of a file directly under root, "" for root itself,
 * NULL for anything else. */
static const char *inside(const char *path) {
  size_t n = strlen(root);
  if (n == 0 || path == NULL || strncmp(path, root, n) != 0) return NULL;
  path += n;
  while (*path == '/') path++;
  if (strchr(path, '/')) return NULL;
  size_t len = strlen(path);
  if (len > 4 && strcmp(path + len - 4, "-shm") == 0) return NULL;
  return path;
}

static void log_path(char *out, size_t size, const char *name, const char *suffix) {
  snprintf(out, size, "%s/%s.%s", logs, name, suffix);
}

static int file_of(const char *name) {
  for (int i = 0; i < nfiles; i++)
    if (strcmp(files[i].name, name) == 0) return i;
  if (nfiles == MAX_FILES) die("too many files");
  char p[2 * PATH_MAX];
  log_path(p, sizeof p, name, "undo");
  struct file *f = &files[nfiles];
  snprintf(f->name, sizeof f->name, "%s", name);
  f->log = real_open(p, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  if (f->log < 0) die("cannot open an undo log");
  return nfiles++;
}

static int opened(const char *path, int flags, mode_t mode) {
  const char *name = inside(path);
  if (!name) return real_open(path, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat st;
  int fresh = *name && stat(path, &st) != 0;
  int fd = real_open(path, flags, mode);
  if (fd >= MAX_FD) die("too many open files");
  if (fd >= 0) {
    int i = *name ? file_of(name) : FOLDER;
    watched[fd] = i + 1;
    if (fresh && (flags & O_CREAT)) {
      char p[2 * PATH_MAX];
      log_path(p, sizeof p, name, "new");
      int m = real_open(p, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
      if (m < 0) die("cannot mark a new file");
      real_close(m);
    }
  }
  pthread_mutex_unlock(&lock);
  return fd;
}

static mode_t mode_of(int flags, va_list ap) {
  return (flags & (O_CREAT | O_TMPFILE)) ? (mode_t)va_arg(ap, int) : 0;
}

#define OPEN(name)                         \
  int name(const char *path, int flags, ...) { \
    va_list ap;                            \
    va_start(ap, flags);                   \
    mode_t mode = mode_of(flags, ap);      \
    va_end(ap);                            \
    return opened(path, flags, mode);      \
  }
OPEN(open)
OPEN(open64)

static int watching(int fd) { return fd >= 0 && fd < MAX_FD ? watched[fd] : 0; }

int close(int fd) {
  if (!watching(fd)) return real_close(fd);
  pthread_mutex_lock(&lock);
  watched[fd] = 0;
  int r = real_close(fd);
  pthread_mutex_unlock(&lock);
  return r;
}

/* note records what [offset, offset+length) and the size are now; the caller
 * holds the lock. */
static void note(int fd, uint64_t kind, uint64_t offset, uint64_t length) {
  struct stat64 st;
  if (fstat64(fd, &st) != 0) die("cannot stat a file");
  uint64_t size = (uint64_t)st.st_size, old = 0;
  if (offset < size) old = size - offset < length ? size - offset : length;
  struct record *r = malloc(sizeof *r + old);
  if (!r) die("no memory");
  *r = (struct record){kind, offset, length, old, size};
  if (old && real_pread(fd, r + 1, old, (off64_t)offset) != (ssize_t)old) die("cannot read what a write replaces");
  ssize_t n = (ssize_t)(sizeof *r + old);
  if (real_write(files[watched[fd] - 1].log, r, (size_t)n) != n) die("cannot write an undo log");
  free(r);
}

static int is_file(int fd) { return watching(fd) && watched[fd] != FOLDER + 1; }

static ssize_t pwritten(int fd, const void *buf, size_t n, off64_t off) {
  if (!is_file(fd)) return real_pwrite(fd, buf, n, off);
  pthread_mutex_lock(&lock);
  note(fd, KIND_WRITE, (uint64_t)off, n);
  ssize_t r = real_pwrite(fd, buf, n, off);
  pthread_mutex_unlock(&lock);
  return r;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t off) { return pwritten(fd, buf, n, off); }
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t off) { return pwritten(fd, buf, n, off); }

ssize_t write(int fd, const void *buf, size_t n) {
  if (!is_file(fd)) return real_write(fd, buf, n);
  pthread_mutex_lock(&lock);
  note(fd, KIND_WRITE, (uint64_t)lseek64(fd, 0, SEEK_CUR), n);
  ssize_t r = real_write(fd, buf, n);
  pthread_mutex_unlock(&lock);
  return r;
}

static int truncated(int fd, off64_t size) {
  if (!is_file(fd)) return real_ftruncate(fd, size);
  pthread_mutex_lock(&lock);
  note(fd, KIND_TRUNCATE, (uint64_t)size, UINT64_MAX / 2);
  int r = real_ftruncate(fd, size);
  pthread_mutex_unlock(&lock);
  return r;
}

int ftruncate(int fd, off_t size) { return truncated(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncated(fd, size); }

/* synced forgets how to undo what is on disk now. */
static int synced(int fd, int (*sync)(int)) {
  if (!watching(fd)) return sync(fd);
  pthread_mutex_lock(&lock);
  int r = sync(fd);
  if (r == 0 && watched[fd] == FOLDER + 1) {
    char p[2 * PATH_MAX];
    for (int i = 0; i < nfiles; i++) {
      log_path(p, sizeof p, files[i].name, "new");
      real_unlink(p);
    }
  } else if (r == 0 && real_ftruncate(files[watched[fd] - 1].log, 0) != 0) {
    die("cannot empty an undo log");
  }
  pthread_mutex_unlock(&lock);
  return r;
}

int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int unlink(const char *path) {
  const char *name = inside(path);
  if (!name || !*name) return real_unlink(path);
  pthread_mutex_lock(&lock);
  int r = real_unlink(path);
  for (int i = 0; r == 0 && i < nfiles; i++)
    if (strcmp(files[i].name, name) == 0) {
      char p[2 * PATH_MAX];
      log_path(p, sizeof p, name, "new");
      real_unlink(p);
      if (real_ftruncate(files[i].log, 0) != 0) die("cannot empty an undo log");
    }
  pthread_mutex_unlock(&lock);
  return r;
}
