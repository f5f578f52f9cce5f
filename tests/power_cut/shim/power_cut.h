/*
 * What the parts of the shim share: kernel calls that its own filter lets
 * through, the layout of the journal, and the state common to all processes.
 *
 * Invariant: a change to a file or folder below the root is described in the
 * journal before it happens, and the order of the journal is the order of the
 * changes to each file, and to all names.
 */
#ifndef POWER_CUT_H
#define POWER_CUT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* The kinds of journal records; `journal.rs` has the same numbers. */
enum kind {
    KIND_START = 1,     /* a process began; size: 1 when the filter is on */
    KIND_DONE = 2,      /* the outcome of `token`; offset: 0 or -errno */
    KIND_CREATE = 3,    /* a new empty file, or a symbolic link, called `first` */
    KIND_MAKE_DIR = 4,  /* a new folder called `first` */
    KIND_LINK = 5,      /* `inode` gets the further name `first` */
    KIND_REMOVE = 6,    /* `first` is unlinked, or is a folder that is removed */
    KIND_RENAME = 7,    /* `first` becomes `second`; an empty one is outside the root */
    KIND_EXCHANGE = 8,  /* `first` and `second` swap what they stand for */
    KIND_NAMELESS = 9,  /* a new file without a name (O_TMPFILE) */
    KIND_BEFORE = 10,   /* bytes of `inode` at `offset` that the next change of it replaces */
    KIND_WRITE = 11,    /* up to `size` bytes at `offset`; the file had `old_size` */
    KIND_RESIZE = 12,   /* from `old_size` to `size` */
    KIND_SYNC = 13,     /* fsync of the file or folder `inode` begins */
    KIND_SYNC_ALL = 14, /* sync or syncfs begins */
    KIND_MAPPED = 15,   /* `first` was mapped so that stores reach the file */
    KIND_FAULT = 16,    /* the shim gave up; `first` says why */
};

#define RECORD_MAGIC 0x50435554u

/* A record: this head, then `first` and `second`, then zeros up to a multiple of 8. */
struct record {
    uint32_t magic;
    uint32_t length;   /* of the whole record */
    uint64_t checksum; /* over the record with this field zero */
    uint32_t kind;
    uint32_t pid;
    uint32_t first_length;
    uint32_t second_length;
    uint64_t token;
    uint64_t inode;
    uint64_t offset;
    uint64_t size;
    uint64_t old_size;
};

/* What a record may carry besides its head. */
#define CHUNK_BYTES (64 * 1024)
#define RECORD_MAX (sizeof(struct record) + CHUNK_BYTES + 8)

/* Locks for the content of files, chosen by inode. Taken after the names' lock, never before it. */
#define CONTENT_LOCKS 64

struct shared {
    uint64_t ready;
    atomic_uint_fast64_t tokens;
    atomic_uint_fast64_t generation; /* raised when a file crosses the root's border */
    pthread_mutex_t names;
    pthread_mutex_t contents[CONTENT_LOCKS];
};

/* A kernel call as a program makes it. */
struct call {
    long number;
    long arguments[6];
};

/* Where a path leads: a name in a folder below the root, or elsewhere. */
struct place {
    int inside;
    char path[PATH_MAX]; /* relative to the root */
};

extern int active;
extern struct shared *shared;

/* calls.c */
long let_through(long number, long a, long b, long c, long d, long e);
long repeat(const struct call *call);
long plain_call(long number, long a, long b, long c, long d, long e, long f);
long stat_of(int descriptor, struct stat *status);
long stat_at(int folder, const char *path, int flags, struct stat *status);

/* journal.c */
void journal_open(void);
void journal_write(struct record *record, const char *first, const char *second);
void journal_append(struct record *record, char *whole);
void journal_start(int filtered);
void journal_done(uint64_t token, long result, uint64_t inode);
uint64_t next_token(void);
void lock(pthread_mutex_t *mutex);
void unlock(pthread_mutex_t *mutex);
void give_up(const char *reason) __attribute__((noreturn));

/* paths.c */
void paths_open(void);
void link_of(int descriptor, char link[48]);
int path_of(int descriptor, char *path, size_t size);
int is_inside(int descriptor, const struct stat *status);
int judge(int descriptor, const struct stat *status);
int inode_is_inside(int folder, const char *path, int flags, const struct stat *status);
void find_place(int folder, const char *path, struct place *place);
void keep_in_grave(int folder, const char *path, uint64_t inode);

/* content.c */
long do_write(const struct call *call, int descriptor, uint64_t length, int64_t offset);
uint64_t vector_length(const struct iovec *parts, long count);
long do_resize(int descriptor, int64_t size);
long do_truncate_path(const char *path, int64_t size);
long do_allocate(const struct call *call);
long do_sync(const struct call *call, int descriptor);
long do_sync_all(const struct call *call);
long do_transfer(const struct call *call, int target);
long do_map(const struct call *call);
void note_import(uint64_t inode, uint64_t size);

/* names.c */
long do_open(int folder, const char *path, int flags, mode_t mode);
long do_make(const struct call *call, int folder, const char *path);
long do_link(int old_folder, const char *old_path, int folder, const char *path, int flags);
long do_remove(int folder, const char *path, int flags);
long do_rename(int old_folder, const char *old_path, int folder, const char *path, unsigned flags);

/* power_cut.c */
long dispatch(const struct call *call);

/* trap.c */
int trap_install(void);

#endif
