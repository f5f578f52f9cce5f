/*
 * The journal, and the state that all processes of a test share.
 *
 * Invariant: a record reaches the journal with one write(2), so that a process
 * killed at any moment leaves whole records and at most one torn one, whose
 * operation has then not been started.
 */
#include "power_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

/* Descriptors from here on are out of the way of programs that count on low numbers. */
#define HIGH_DESCRIPTOR 900
#define READY 0x7075776372656431u

int active;
struct shared *shared;
static int journal = -1;

static uint64_t checksum_of(const char *bytes, size_t length) {
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t at = 0; at < length; at += 8) {
        uint64_t word;
        memcpy(&word, bytes + at, 8);
        sum = (sum ^ word) * 0x100000001b3u;
        sum ^= sum >> 32;
    }
    return sum;
}

/* Completes the head at the start of `whole`, whose payload is in place, and appends it all. */
static int try_append(struct record *record, char *whole) {
    size_t length = sizeof *record + record->first_length + record->second_length;
    size_t padded = (length + 7) & ~(size_t)7;
    memset(whole + length, 0, padded - length);
    record->magic = RECORD_MAGIC;
    record->length = (uint32_t)padded;
    record->checksum = 0;
    record->pid = (uint32_t)let_through(SYS_getpid, 0, 0, 0, 0, 0);
    memcpy(whole, record, sizeof *record);
    record->checksum = checksum_of(whole, padded);
    memcpy(whole, record, sizeof *record);
    return let_through(SYS_write, journal, (long)whole, (long)padded, 0, 0) == (long)padded;
}

void give_up(const char *reason) {
    char whole[1024] __attribute__((aligned(8)));
    struct record record = {.kind = KIND_FAULT};
    size_t length = strlen(reason);
    if (length > 512) length = 512;
    record.first_length = (uint32_t)length;
    memcpy(whole + sizeof record, reason, length);
    if (journal >= 0) (void)try_append(&record, whole);
    let_through(SYS_write, 2, (long)"power cut: ", 11, 0, 0);
    let_through(SYS_write, 2, (long)reason, (long)length, 0, 0);
    let_through(SYS_write, 2, (long)"\n", 1, 0, 0);
    for (;;) let_through(SYS_exit_group, 97, 0, 0, 0, 0);
}

void journal_append(struct record *record, char *whole) {
    if (!try_append(record, whole)) give_up("failed to append to the journal; is the disk full?");
}

void journal_write(struct record *record, const char *first, const char *second) {
    char whole[sizeof *record + 2 * PATH_MAX + 8] __attribute__((aligned(8)));
    record->first_length = first ? (uint32_t)strlen(first) : 0;
    record->second_length = second ? (uint32_t)strlen(second) : 0;
    if (first) memcpy(whole + sizeof *record, first, record->first_length);
    if (second) memcpy(whole + sizeof *record + record->first_length, second, record->second_length);
    journal_append(record, whole);
}

void journal_start(int filtered) {
    struct record record = {.kind = KIND_START, .size = (uint64_t)filtered};
    journal_write(&record, NULL, NULL);
}

void journal_done(uint64_t token, long result, uint64_t inode) {
    struct record record = {.kind = KIND_DONE, .token = token, .inode = inode};
    record.offset = (uint64_t)(result < 0 ? result : 0);
    journal_write(&record, NULL, NULL);
}

uint64_t next_token(void) {
    return atomic_fetch_add(&shared->tokens, 1) + 1;
}

void lock(pthread_mutex_t *mutex) {
    int outcome = pthread_mutex_lock(mutex);
    /* Its holder was killed. What it had journaled and not finished is judged when the power is cut. */
    if (outcome == EOWNERDEAD) outcome = pthread_mutex_consistent(mutex);
    if (outcome != 0) give_up("failed to take a lock of the shim");
}

void unlock(pthread_mutex_t *mutex) {
    if (pthread_mutex_unlock(mutex) != 0) give_up("failed to release a lock of the shim");
}

static void make_mutex(pthread_mutex_t *mutex) {
    pthread_mutexattr_t kind;
    if (pthread_mutexattr_init(&kind) || pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) ||
        pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) || pthread_mutex_init(mutex, &kind))
        give_up("failed to make a lock that processes share");
    pthread_mutexattr_destroy(&kind);
}

static int open_high(const char *folder, const char *name, int flags) {
    char path[PATH_MAX];
    if (strlen(folder) + strlen(name) + 2 > sizeof path) give_up("POWER_CUT_JOURNAL is too long");
    strcpy(path, folder);
    strcat(path, "/");
    strcat(path, name);
    long low = let_through(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC | O_CREAT, 0600, 0);
    if (low < 0) give_up("failed to open the journal; is POWER_CUT_JOURNAL a folder?");
    long high = let_through(SYS_fcntl, low, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR, 0, 0);
    if (high < 0) give_up("failed to move the journal to a high descriptor; the limit of open files is too low");
    let_through(SYS_close, low, 0, 0, 0, 0);
    return (int)high;
}

/* Reading and writing the mapping must not need the filter's consent: it can be inherited. */
static struct shared *map_shared(int descriptor) {
    long at = plain_call(SYS_mmap, 0, sizeof(struct shared), PROT_READ, MAP_SHARED, descriptor, 0);
    if (at < 0 && at > -4096) give_up("failed to map the shared state");
    if (let_through(SYS_mprotect, at, sizeof(struct shared), PROT_READ | PROT_WRITE, 0, 0) != 0)
        give_up("failed to make the shared state writable");
    return (struct shared *)at;
}

void journal_open(void) {
    const char *folder = getenv("POWER_CUT_JOURNAL");
    if (!folder) give_up("POWER_CUT_ROOT is set and POWER_CUT_JOURNAL is not");
    journal = open_high(folder, "records", O_WRONLY | O_APPEND);
    /* Held until the process ends: it tells the test whether somebody still runs. */
    if (let_through(SYS_flock, journal, LOCK_SH | LOCK_NB, 0, 0, 0) != 0)
        give_up("the power is being cut while this process starts");

    int state = open_high(folder, "state", O_RDWR);
    if (let_through(SYS_flock, state, LOCK_EX, 0, 0, 0) != 0) give_up("failed to lock the shared state");
    struct stat status;
    if (stat_of(state, &status) != 0) give_up("failed to read the shared state");
    if (status.st_size == 0 && let_through(SYS_ftruncate, state, sizeof(struct shared), 0, 0, 0) != 0)
        give_up("failed to size the shared state");
    shared = map_shared(state);
    if (shared->ready != READY) {
        make_mutex(&shared->names);
        for (int number = 0; number < CONTENT_LOCKS; number++) make_mutex(&shared->contents[number]);
        shared->ready = READY;
    }
    /* Closing would not unlock: the mapping holds the file open. */
    let_through(SYS_flock, state, LOCK_UN, 0, 0, 0);
    let_through(SYS_close, state, 0, 0, 0, 0);
}
