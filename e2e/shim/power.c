/*
 * Preloaded into the binary under test: remembers what has been synced, and ends the process at the
 * n-th call that writes, syncs or sends.
 *
 * Whenever a sync of a file below POWER_ROOT returns, the file's bytes are copied to POWER_IMAGE
 * under the number of its inode; of a directory, its names and their inodes. The harness makes from
 * that, after the process has died, what the disk could hold after a power cut (e2e/src/power.rs).
 *
 *   POWER_CUT   the number of the call at which the process kills itself, from 1; 0: never. The name
 *               of the call is left in POWER_IMAGE/cut
 *   POWER_ONLY  only calls of this name count
 *   POWER_LIE   of files whose path ends with this, syncs are not remembered: the disk lies
 *   POWER_FAIL  `call errno first last`: of the calls of this name on files below the root, those
 *               from the first to the last fail
 *
 * A call ends the process before it is carried out, or, where the number is even, after it. Nothing
 * that depends on a sync that has not been remembered can have been acknowledged: the sync has not
 * returned.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *root, *image, *lie, *only;
static size_t root_len;
static long cut_at;
static char fail_name[32];
static int fail_errno;
static long fail_first, fail_last;
static atomic_long calls, fail_calls;
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *cut = getenv("POWER_CUT");
    root = getenv("POWER_ROOT");
    image = getenv("POWER_IMAGE");
    root_len = root ? strlen(root) : 0;
    cut_at = cut ? atol(cut) : 0;
    lie = getenv("POWER_LIE");
    only = getenv("POWER_ONLY");
    const char *fail = getenv("POWER_FAIL");
    if (fail && sscanf(fail, "%31s %d %ld %ld", fail_name, &fail_errno, &fail_first, &fail_last) != 4)
        abort();
}

/* Whether the descriptor is of a file below the root; gives its path. */
static int is_below(int fd, char *path, size_t size) {
    char link[64];
    ssize_t len;
    if (!root) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, size - 1);
    if (len < (ssize_t)root_len) return 0;
    path[len] = 0;
    return strncmp(path, root, root_len) == 0;
}

static void put(int fd, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t written = syscall(SYS_write, fd, bytes, len);
        if (written <= 0) abort();
        bytes += written;
        len -= (size_t)written;
    }
}

/* Ends the process at this call, but not in the middle of a copy. */
static void die(const char *name) {
    char path[4096];
    pthread_mutex_lock(&one_at_a_time);
    if (image) {
        snprintf(path, sizeof path, "%s/cut", image);
        put((int)syscall(SYS_openat, AT_FDCWD, path, O_CREAT | O_WRONLY, 0600), name, strlen(name));
    }
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Counts a call before it is carried out; true: the process ends after it. */
static int counted(const char *name) {
    if (cut_at == 0 || (only && strcmp(name, only))) return 0;
    if (atomic_fetch_add(&calls, 1) + 1 != cut_at) return 0;
    if (cut_at % 2 == 1) die(name);
    return 1;
}

static void copy_file(int from, int to) {
    static char buffer[1 << 16];
    off_t at = 0;
    for (;;) {
        /* The descriptor may be open for writing only. */
        ssize_t len = syscall(SYS_pread64, from, buffer, sizeof buffer, at);
        if (len < 0) abort();
        if (len == 0) return;
        put(to, buffer, (size_t)len);
        at += len;
    }
}

static void copy_names(const char *path, int to) {
    char line[512];
    DIR *dir = opendir(path);
    struct dirent *entry;
    if (!dir) abort();
    while ((entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        int len = snprintf(line, sizeof line, "%llu %s\n", (unsigned long long)entry->d_ino,
                           entry->d_name);
        put(to, line, (size_t)len);
    }
    closedir(dir);
}

static int is_lied_about(const char *path) {
    size_t len = lie ? strlen(lie) : 0, path_len = strlen(path);
    return lie && path_len >= len && !strcmp(path + path_len - len, lie);
}

/* A sync has been carried out: what the file holds now will survive. */
static void remember(int fd) {
    char path[4096], name[4096], fresh[4200];
    struct stat stat;
    if (!image || !is_below(fd, path, sizeof path) || is_lied_about(path)) return;
    pthread_mutex_lock(&one_at_a_time);
    if (fstat(fd, &stat)) abort();
    snprintf(name, sizeof name, "%s/%llu", image, (unsigned long long)stat.st_ino);
    snprintf(fresh, sizeof fresh, "%s.new", name);
    int to = (int)syscall(SYS_openat, AT_FDCWD, fresh, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (to < 0) abort();
    if (S_ISDIR(stat.st_mode)) copy_names(path, to); else copy_file(fd, to);
    close(to);
    if (syscall(SYS_renameat2, AT_FDCWD, fresh, AT_FDCWD, name, 0)) abort();
    pthread_mutex_unlock(&one_at_a_time);
}

/* Whether this call is one that fails. */
static int fails(const char *name, int fd, const char *path) {
    char link[4096];
    long number;
    if (!fail_errno || strcmp(name, fail_name)) return 0;
    if (path ? strncmp(path, root, root_len) != 0 : !is_below(fd, link, sizeof link)) return 0;
    number = atomic_fetch_add(&fail_calls, 1) + 1;
    if (number < fail_first || number > fail_last) return 0;
    errno = fail_errno;
    return 1;
}

#define REAL(name) ((__typeof__(&name))real(&name##_, #name))
static void *real(void **kept, const char *name) {
    if (!*kept) *kept = dlsym(RTLD_NEXT, name);
    return *kept;
}

#define SYNC(name)                                        \
    static void *name##_;                                 \
    int name(int fd) {                                    \
        if (fails(#name, fd, NULL)) return -1;            \
        int last = counted(#name);                             \
        int result = REAL(name)(fd);                      \
        if (result == 0) remember(fd);                    \
        if (last) die(#name);                                  \
        return result;                                    \
    }
SYNC(fsync)
SYNC(fdatasync)

/* A call with these parameters, about this descriptor or this path. */
#define CALL(type, name, parameters, arguments, counts, fd, path) \
    static void *name##_;                                 \
    type name parameters {                                \
        if (fails(#name, fd, path)) return -1;            \
        int last = (counts) && counted(#name);                 \
        type result = REAL(name) arguments;               \
        if (last) die(#name);                                  \
        return result;                                    \
    }

static int is_data(int fd) {
    char path[4096];
    return cut_at && is_below(fd, path, sizeof path);
}

CALL(ssize_t, write, (int fd, const void *from, size_t len), (fd, from, len), is_data(fd), fd, NULL)
CALL(ssize_t, pwrite, (int fd, const void *from, size_t len, off_t at), (fd, from, len, at),
     is_data(fd), fd, NULL)
CALL(ssize_t, pwrite64, (int fd, const void *from, size_t len, off64_t at), (fd, from, len, at),
     is_data(fd), fd, NULL)
CALL(ssize_t, pwritev, (int fd, const struct iovec *from, int count, off_t at),
     (fd, from, count, at), is_data(fd), fd, NULL)
CALL(ssize_t, pwritev64, (int fd, const struct iovec *from, int count, off64_t at),
     (fd, from, count, at), is_data(fd), fd, NULL)
CALL(int, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len), is_data(fd), fd,
     NULL)
CALL(int, fallocate64, (int fd, int mode, off64_t at, off64_t len), (fd, mode, at, len),
     is_data(fd), fd, NULL)
CALL(int, ftruncate, (int fd, off_t len), (fd, len), is_data(fd), fd, NULL)
CALL(int, ftruncate64, (int fd, off64_t len), (fd, len), is_data(fd), fd, NULL)
CALL(int, unlink, (const char *path), (path), 1, -1, path)
CALL(int, rename, (const char *from, const char *to), (from, to), 1, -1, from)
CALL(ssize_t, send, (int fd, const void *from, size_t len, int flags), (fd, from, len, flags), 1,
     fd, NULL)
CALL(ssize_t, writev, (int fd, const struct iovec *from, int count), (fd, from, count), 1, fd, NULL)
