/*
 * Changes to what files hold, and syncs.
 *
 * Invariant: while the lock of an inode is held its size and bytes do not
 * change but by the holder, so that the size and the bytes in the journal are
 * those that the change found.
 */
#include "power_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char chunks[CONTENT_LOCKS][RECORD_MAX] __attribute__((aligned(8)));

static pthread_mutex_t *content_lock(uint64_t inode) {
    return &shared->contents[inode % CONTENT_LOCKS];
}

static int all_zero(const char *bytes, size_t length) {
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/* Journals the bytes from `start` to `end`, leaving out those that are zero. */
static void save_before(int descriptor, uint64_t inode, uint64_t start, uint64_t end) {
    if (start >= end) return;
    /* The program's own descriptor may not allow reading. */
    char link[48];
    link_of(descriptor, link);
    long reader = let_through(SYS_openat, AT_FDCWD, (long)link, O_RDONLY | O_CLOEXEC, 0, 0);
    if (reader < 0) give_up("failed to read bytes that are about to be replaced");

    char *whole = chunks[inode % CONTENT_LOCKS];
    char *bytes = whole + sizeof(struct record);
    for (uint64_t at = start; at < end;) {
        long data = let_through(SYS_lseek, reader, (long)at, SEEK_DATA, 0, 0);
        if (data == -ENXIO) break;
        if (data > 0) at = (uint64_t)data;
        if (at >= end) break;
        uint64_t wanted = end - at < CHUNK_BYTES ? end - at : CHUNK_BYTES;
        long got = let_through(SYS_pread64, reader, (long)bytes, (long)wanted, (long)at, 0);
        if (got < 0) give_up("failed to read bytes that are about to be replaced");
        if (got == 0) break;
        if (!all_zero(bytes, (size_t)got)) {
            struct record record = {.kind = KIND_BEFORE, .inode = inode, .offset = at};
            record.first_length = (uint32_t)got;
            journal_append(&record, whole);
        }
        at += (uint64_t)got;
    }
    let_through(SYS_close, reader, 0, 0, 0, 0);
}

static void note_resize(uint64_t inode, uint64_t old_size, uint64_t size) {
    struct record record = {.kind = KIND_RESIZE, .inode = inode, .size = size, .old_size = old_size};
    journal_write(&record, NULL, NULL);
}

static void note_write(uint64_t inode, uint64_t offset, uint64_t length, uint64_t old_size) {
    struct record record = {.kind = KIND_WRITE, .inode = inode, .offset = offset, .size = length};
    record.old_size = old_size;
    journal_write(&record, NULL, NULL);
}

/* A file that comes from outside the root: none of its bytes were synced under our eyes. */
void note_import(uint64_t inode, uint64_t size) {
    note_write(inode, 0, size, 0);
}

static uint64_t note_sync(uint32_t kind, uint64_t inode) {
    struct record record = {.kind = kind, .inode = inode, .token = next_token()};
    journal_write(&record, NULL, NULL);
    return record.token;
}

/* Whether an open file is a regular one below the root; gives its status. */
static int tracked(int descriptor, struct stat *status) {
    return stat_of(descriptor, status) == 0 && S_ISREG(status->st_mode) && is_inside(descriptor, status);
}

uint64_t vector_length(const struct iovec *parts, long count) {
    uint64_t length = 0;
    /* More parts than this the kernel refuses. */
    if (count > IOV_MAX) return 0;
    for (long number = 0; number < count; number++) length += parts[number].iov_len;
    return length;
}

/* A write at `offset`, or at the file's position where that is negative. */
long do_write(const struct call *call, int descriptor, uint64_t length, int64_t offset) {
    struct stat status;
    if (length == 0 || !tracked(descriptor, &status)) return repeat(call);
    long flags = let_through(SYS_fcntl, descriptor, F_GETFL, 0, 0, 0);
    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) return repeat(call);

    uint64_t inode = status.st_ino;
    lock(content_lock(inode));
    if (stat_of(descriptor, &status) != 0) give_up("failed to read the size of a file that is written");
    uint64_t size = (uint64_t)status.st_size, start;
    if (flags & O_APPEND) start = size;
    else if (offset >= 0) start = (uint64_t)offset;
    else start = (uint64_t)let_through(SYS_lseek, descriptor, 0, SEEK_CUR, 0, 0);
    uint64_t end = start + length < size ? start + length : size;
    save_before(descriptor, inode, start, end);
    note_write(inode, start, length, size);
    long result = repeat(call);
    /* With O_SYNC and O_DSYNC a write that has returned is durable. */
    if (result > 0 && (flags & O_DSYNC)) journal_done(note_sync(KIND_SYNC, inode), 0, inode);
    unlock(content_lock(inode));
    return result;
}

long do_resize(int descriptor, int64_t size) {
    struct stat status;
    if (size < 0 || !tracked(descriptor, &status))
        return let_through(SYS_ftruncate, descriptor, size, 0, 0, 0);
    uint64_t inode = status.st_ino;
    lock(content_lock(inode));
    if (stat_of(descriptor, &status) != 0) give_up("failed to read the size of a file that is resized");
    save_before(descriptor, inode, (uint64_t)size, (uint64_t)status.st_size);
    note_resize(inode, (uint64_t)status.st_size, (uint64_t)size);
    long result = let_through(SYS_ftruncate, descriptor, size, 0, 0, 0);
    unlock(content_lock(inode));
    return result;
}

long do_truncate_path(const char *path, int64_t size) {
    long descriptor = let_through(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0, 0);
    if (descriptor < 0) return descriptor;
    long result = do_resize((int)descriptor, size);
    let_through(SYS_close, descriptor, 0, 0, 0, 0);
    return result;
}

long do_allocate(const struct call *call) {
    int descriptor = (int)call->arguments[0];
    int mode = (int)call->arguments[1];
    int64_t offset = call->arguments[2], length = call->arguments[3];
    struct stat status;
    if (!tracked(descriptor, &status) || offset < 0 || length <= 0) return repeat(call);
    int zeroes = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE);
    /* Moving bytes about within a file is not modelled. */
    if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) return -EOPNOTSUPP;

    uint64_t inode = status.st_ino;
    lock(content_lock(inode));
    if (stat_of(descriptor, &status) != 0) give_up("failed to read the size of a file that is allocated");
    uint64_t size = (uint64_t)status.st_size, end = (uint64_t)(offset + length);
    if (zeroes && (uint64_t)offset < size) {
        uint64_t last = end < size ? end : size;
        save_before(descriptor, inode, (uint64_t)offset, last);
        note_write(inode, (uint64_t)offset, last - (uint64_t)offset, size);
    }
    if (!(mode & FALLOC_FL_KEEP_SIZE) && end > size) note_resize(inode, size, end);
    long result = repeat(call);
    unlock(content_lock(inode));
    return result;
}

long do_sync(const struct call *call, int descriptor) {
    struct stat status;
    if (stat_of(descriptor, &status) != 0 || !judge(descriptor, &status)) return repeat(call);
    pthread_mutex_t *mutex = S_ISDIR(status.st_mode) ? &shared->names : content_lock(status.st_ino);
    /* Only what was complete before the call began is durable when it has returned. */
    lock(mutex);
    uint64_t token = note_sync(KIND_SYNC, status.st_ino);
    unlock(mutex);
    long result = repeat(call);
    if (result == 0) journal_done(token, 0, status.st_ino);
    return result;
}

/* sync or syncfs, which counts for the root whatever filesystem it names. */
long do_sync_all(const struct call *call) {
    lock(&shared->names);
    for (int number = 0; number < CONTENT_LOCKS; number++) lock(&shared->contents[number]);
    uint64_t token = note_sync(KIND_SYNC_ALL, 0);
    for (int number = 0; number < CONTENT_LOCKS; number++) unlock(&shared->contents[number]);
    unlock(&shared->names);
    long result = repeat(call);
    if (result == 0) journal_done(token, 0, 0);
    return result;
}

/* sendfile and splice. Into a file below the root they are refused, and callers copy by hand. */
long do_transfer(const struct call *call, int target) {
    struct stat status;
    if (tracked(target, &status)) return -EINVAL;
    if (call->number == SYS_sendfile) return repeat(call);
    const long *given = call->arguments;
    /* splice ignores this flag, which tells the filter that the call comes from here. */
    return plain_call(call->number, given[0], given[1], given[2], given[3], given[4], given[5] | 8);
}

/* A mapping through which stores reach a file: they cannot be seen, only reported. */
long do_map(const struct call *call) {
    const long *given = call->arguments;
    struct stat status;
    if (tracked((int)given[4], &status)) {
        char path[PATH_MAX];
        struct record record = {.kind = KIND_MAPPED, .inode = status.st_ino};
        if (path_of((int)given[4], path, sizeof path) < 0) path[0] = '\0';
        journal_write(&record, path, NULL);
    }
    long at = plain_call(SYS_mmap, given[0], given[1], given[2] & ~PROT_WRITE, given[3], given[4], given[5]);
    if (at < 0 && at > -4096) return at;
    long result = let_through(SYS_mprotect, at, given[1], given[2], 0, 0);
    return result == 0 ? at : result;
}
