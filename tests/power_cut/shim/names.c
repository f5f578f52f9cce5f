/*
 * Changes to which names there are.
 *
 * Invariant: they happen one at a time over all processes, under the names'
 * lock: the journal first says what is about to happen, then what came of it.
 * A file that loses a name stays reachable in the grave.
 */
#include "power_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

static long open_as_asked(int folder, const char *path, int flags, mode_t mode) {
    return let_through(SYS_openat, folder, (long)path, flags, mode, 0);
}

static void close_again(long descriptor) {
    let_through(SYS_close, descriptor, 0, 0, 0, 0);
}

/* Journals the intent, which `journal_done` with its token concludes. */
static uint64_t begin(uint32_t kind, uint64_t inode, const char *first, const char *second) {
    struct record record = {.kind = kind, .inode = inode, .token = next_token()};
    journal_write(&record, first, second);
    return record.token;
}

/* Journals the outcome of making something that is called `path`. */
static void conclude_made(uint64_t token, long result, int folder, const char *path) {
    struct stat status = {0};
    if (result >= 0) stat_at(folder, path, AT_SYMLINK_NOFOLLOW, &status);
    journal_done(token, result, status.st_ino);
}

static int is_modelled(const struct stat *status) {
    return S_ISREG(status->st_mode) || S_ISDIR(status->st_mode) || S_ISLNK(status->st_mode);
}

/* Judges a file just opened for writing, and does by hand what O_TRUNC asks for. */
static long finish_open(long descriptor, int flags) {
    struct stat status;
    if (descriptor < 0 || stat_of((int)descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return descriptor;
    judge((int)descriptor, &status);
    if (!(flags & O_TRUNC)) return descriptor;
    long result;
    if ((flags & O_ACCMODE) == O_RDONLY) {
        char link[48];
        link_of((int)descriptor, link);
        result = do_truncate_path(link, 0);
    } else {
        result = do_resize((int)descriptor, 0);
    }
    if (result == 0) return descriptor;
    close_again(descriptor);
    return result;
}

static long open_nameless(int folder, const char *path, int flags, mode_t mode) {
    struct stat status;
    long descriptor = open_as_asked(folder, path, flags, mode);
    if (descriptor >= 0 && stat_of((int)descriptor, &status) == 0 && judge((int)descriptor, &status)) {
        struct record record = {.kind = KIND_NAMELESS, .inode = status.st_ino};
        journal_write(&record, NULL, NULL);
    }
    return descriptor;
}

long do_open(int folder, const char *path, int flags, mode_t mode) {
    if (flags & O_PATH) return open_as_asked(folder, path, flags, mode);
    if ((flags & O_TMPFILE) == O_TMPFILE) return open_nameless(folder, path, flags, mode);
    int kept = flags & ~O_TRUNC;
    if (!(flags & O_CREAT)) return finish_open(open_as_asked(folder, path, kept, mode), flags);
    struct place place;
    find_place(folder, path, &place);
    if (!place.inside) return finish_open(open_as_asked(folder, path, kept, mode), flags);

    struct stat status;
    lock(&shared->names);
    if (stat_at(folder, path, 0, &status) != -ENOENT) {
        long descriptor = open_as_asked(folder, path, kept, mode);
        unlock(&shared->names);
        return finish_open(descriptor, flags);
    }
    uint64_t token = begin(KIND_CREATE, 0, place.path, NULL);
    long descriptor = open_as_asked(folder, path, kept, mode);
    conclude_made(token, descriptor, folder, path);
    unlock(&shared->names);
    return finish_open(descriptor, kept);
}

/* mkdir, symlink and mknod in all their forms: `call` is repeated as it was made. */
long do_make(const struct call *call, int folder, const char *path) {
    struct place place;
    find_place(folder, path, &place);
    if (!place.inside) return repeat(call);
    int is_folder = call->number == SYS_mkdirat;
#ifdef SYS_mkdir
    is_folder = is_folder || call->number == SYS_mkdir;
#endif
    lock(&shared->names);
    uint64_t token = begin(is_folder ? KIND_MAKE_DIR : KIND_CREATE, 0, place.path, NULL);
    long result = repeat(call);
    conclude_made(token, result, folder, path);
    unlock(&shared->names);
    return result;
}

static long link_inside(int old_folder, const char *old_path, const struct place *place, const struct call *call) {
    struct stat status;
    int flags = (int)call->arguments[4];
    int looked = (flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
    if (stat_at(old_folder, old_path, looked, &status) != 0 || !is_modelled(&status)) return repeat(call);
    int imported = S_ISREG(status.st_mode) && !inode_is_inside(old_folder, old_path, flags, &status);
    uint64_t token = begin(KIND_LINK, status.st_ino, place->path, NULL);
    long result = repeat(call);
    journal_done(token, result, status.st_ino);
    if (result == 0 && imported) {
        note_import(status.st_ino, (uint64_t)status.st_size);
        atomic_fetch_add(&shared->generation, 1);
    }
    return result;
}

long do_link(int old_folder, const char *old_path, int folder, const char *path, int flags) {
    struct call call = {SYS_linkat, {old_folder, (long)old_path, folder, (long)path, flags, 0}};
    struct place place;
    find_place(folder, path, &place);
    if (!place.inside) return repeat(&call);
    lock(&shared->names);
    long result = link_inside(old_folder, old_path, &place, &call);
    unlock(&shared->names);
    return result;
}

long do_remove(int folder, const char *path, int flags) {
    struct call call = {SYS_unlinkat, {folder, (long)path, flags, 0, 0, 0}};
    struct place place;
    struct stat status;
    find_place(folder, path, &place);
    if (!place.inside) return repeat(&call);
    lock(&shared->names);
    long result;
    if (stat_at(folder, path, AT_SYMLINK_NOFOLLOW, &status) != 0 || !is_modelled(&status)) {
        result = repeat(&call);
    } else {
        if (!S_ISDIR(status.st_mode)) keep_in_grave(folder, path, status.st_ino);
        uint64_t token = begin(KIND_REMOVE, status.st_ino, place.path, NULL);
        result = repeat(&call);
        journal_done(token, result, status.st_ino);
    }
    unlock(&shared->names);
    return result;
}

/* What a rename below the root, or over its border, concerns. */
struct renaming {
    struct place from, to;
    struct stat source, target;
    int replaces;
};

static long rename_tracked(const struct call *call, const struct renaming *names) {
    int old_folder = (int)call->arguments[0], folder = (int)call->arguments[2];
    const char *old_path = (const char *)call->arguments[1], *path = (const char *)call->arguments[3];
    unsigned flags = (unsigned)call->arguments[4];
    int crossing = names->from.inside != names->to.inside;
    /* Both are what filesystems answer that cannot do it. */
    if (flags & RENAME_WHITEOUT) return -EINVAL;
    if (crossing && (S_ISDIR(names->source.st_mode) || (flags & RENAME_EXCHANGE))) return -EXDEV;

    uint32_t kind = flags & RENAME_EXCHANGE ? KIND_EXCHANGE : KIND_RENAME;
    int is_replaced = kind == KIND_RENAME && names->replaces && !(flags & RENAME_NOREPLACE);
    if (is_replaced && names->to.inside && !S_ISDIR(names->target.st_mode))
        keep_in_grave(folder, path, names->target.st_ino);
    if (!names->to.inside) keep_in_grave(old_folder, old_path, names->source.st_ino);
    uint64_t token = begin(kind, names->source.st_ino, names->from.path, names->to.path);
    long result = repeat(call);
    journal_done(token, result, names->source.st_ino);
    if (result == 0 && crossing) {
        if (names->to.inside && S_ISREG(names->source.st_mode))
            note_import(names->source.st_ino, (uint64_t)names->source.st_size);
        atomic_fetch_add(&shared->generation, 1);
    }
    return result;
}

long do_rename(int old_folder, const char *old_path, int folder, const char *path, unsigned flags) {
    struct call call = {SYS_renameat2, {old_folder, (long)old_path, folder, (long)path, flags, 0}};
    struct renaming names;
    find_place(old_folder, old_path, &names.from);
    find_place(folder, path, &names.to);
    if (!names.from.inside && !names.to.inside) return repeat(&call);
    lock(&shared->names);
    int known = stat_at(old_folder, old_path, AT_SYMLINK_NOFOLLOW, &names.source) == 0;
    names.replaces = stat_at(folder, path, AT_SYMLINK_NOFOLLOW, &names.target) == 0;
    /* Two names of one file: the kernel leaves both. */
    int same = known && names.replaces && names.source.st_ino == names.target.st_ino &&
               names.source.st_dev == names.target.st_dev;
    long result = !known || same || !is_modelled(&names.source) ? repeat(&call) : rename_tracked(&call, &names);
    unlock(&shared->names);
    return result;
}
