/*
 * A library to preload: it describes every change below POWER_CUT_ROOT in a
 * journal, from which a test works out, once the process was killed, what a
 * power cut would have left.
 *
 * POWER_CUT_ROOT     the folder to watch: absolute, without symbolic links
 * POWER_CUT_JOURNAL  a folder outside it, for the journal and the shared state
 * POWER_CUT_GRAVE    a folder outside it, on its filesystem, for files that lost a name
 *
 * Invariant: what the program sees of its calls (results, errors, order) is
 * what it would see without the library.
 */
#include "power_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static long dispatch_content(const struct call *call) {
    const long *given = call->arguments;
    const struct iovec *parts = (const struct iovec *)given[1];
    switch (call->number) {
    case SYS_write: return do_write(call, (int)given[0], (uint64_t)given[2], -1);
    case SYS_pwrite64: return do_write(call, (int)given[0], (uint64_t)given[2], given[3]);
    case SYS_writev: return do_write(call, (int)given[0], vector_length(parts, given[2]), -1);
    case SYS_pwritev: return do_write(call, (int)given[0], vector_length(parts, given[2]), given[3]);
    case SYS_ftruncate: return do_resize((int)given[0], given[1]);
    case SYS_truncate: return do_truncate_path((const char *)given[0], given[1]);
    case SYS_fallocate: return do_allocate(call);
    case SYS_fsync:
    case SYS_fdatasync: return do_sync(call, (int)given[0]);
    case SYS_sync:
    case SYS_syncfs: return do_sync_all(call);
    case SYS_sendfile: return do_transfer(call, (int)given[0]);
    case SYS_splice: return do_transfer(call, (int)given[2]);
    case SYS_mmap: return do_map(call);
    default: return -ENOSYS;
    }
}

#ifdef SYS_open
/* The calls by path alone, which newer architectures lack. */
static long dispatch_old_names(const struct call *call) {
    const long *given = call->arguments;
    const char *first = (const char *)given[0], *second = (const char *)given[1];
    switch (call->number) {
    case SYS_open: return do_open(AT_FDCWD, first, (int)given[1], (mode_t)given[2]);
    case SYS_creat: return do_open(AT_FDCWD, first, O_CREAT | O_WRONLY | O_TRUNC, (mode_t)given[1]);
    case SYS_mkdir: return do_make(call, AT_FDCWD, first);
    case SYS_symlink: return do_make(call, AT_FDCWD, second);
    case SYS_mknod: return S_ISREG(given[1]) || !(given[1] & S_IFMT) ? do_make(call, AT_FDCWD, first) : repeat(call);
    case SYS_link: return do_link(AT_FDCWD, first, AT_FDCWD, second, 0);
    case SYS_unlink: return do_remove(AT_FDCWD, first, 0);
    case SYS_rmdir: return do_remove(AT_FDCWD, first, AT_REMOVEDIR);
    case SYS_rename: return do_rename(AT_FDCWD, first, AT_FDCWD, second, 0);
    default: return dispatch_content(call);
    }
}
#else
#define dispatch_old_names dispatch_content
#endif

long dispatch(const struct call *call) {
    const long *given = call->arguments;
    int folder = (int)given[0], second_folder = (int)given[2];
    const char *path = (const char *)given[1], *second_path = (const char *)given[3];
    switch (call->number) {
    case SYS_openat: return do_open(folder, path, (int)given[2], (mode_t)given[3]);
    case SYS_mkdirat: return do_make(call, folder, path);
    case SYS_symlinkat: return do_make(call, (int)given[1], (const char *)given[2]);
    case SYS_mknodat: return S_ISREG(given[2]) || !(given[2] & S_IFMT) ? do_make(call, folder, path) : repeat(call);
    case SYS_linkat: return do_link(folder, path, second_folder, second_path, (int)given[4]);
    case SYS_unlinkat: return do_remove(folder, path, (int)given[2]);
#ifdef SYS_renameat
    case SYS_renameat: return do_rename(folder, path, second_folder, second_path, 0);
#endif
    case SYS_renameat2: return do_rename(folder, path, second_folder, second_path, (unsigned)given[4]);
    default: return dispatch_old_names(call);
    }
}

static long finish(long result) {
    if (result >= 0 || result < -4095) return result;
    errno = (int)-result;
    return -1;
}

/* The calls made most often skip the trap: a signal costs more than the write of a small record. */
static long quick(long number, long a, long b, long c, long d) {
    struct call call = {number, {a, b, c, d, 0, 0}};
    return finish(active ? dispatch_content(&call) : repeat(&call));
}

EXPORTED ssize_t write(int descriptor, const void *bytes, size_t length) {
    return quick(SYS_write, descriptor, (long)bytes, (long)length, 0);
}

EXPORTED ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    return quick(SYS_writev, descriptor, (long)parts, count, 0);
}

EXPORTED ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    return quick(SYS_pwrite64, descriptor, (long)bytes, (long)length, offset);
}

EXPORTED ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
    return quick(SYS_pwrite64, descriptor, (long)bytes, (long)length, offset);
}

/*
 * A thread that blocks SIGSYS would be killed by its next trapped call
 * (librdkafka blocks every signal in its threads), so it stays open. The C
 * library keeps signals 32 and 33 for itself, and so does this.
 */
static int change_mask(int how, const sigset_t *set, sigset_t *old) {
    uint64_t mask;
    if (set) {
        memcpy(&mask, set, sizeof mask);
        mask &= ~((UINT64_C(1) << (SIGSYS - 1)) | (UINT64_C(3) << 31));
    }
    if (set && how == SIG_UNBLOCK) memcpy(&mask, set, sizeof mask);
    return (int)-let_through(SYS_rt_sigprocmask, how, (long)(set ? &mask : NULL), (long)old, sizeof mask, 0);
}

EXPORTED int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
    return change_mask(how, set, old);
}

EXPORTED int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
    return (int)finish(-change_mask(how, set, old));
}

__attribute__((constructor)) static void start(void) {
    const char *root = getenv("POWER_CUT_ROOT");
    if (!root) return;
    journal_open();
    paths_open();
    int filtered = trap_install();
    journal_start(filtered);
    active = 1;
}
