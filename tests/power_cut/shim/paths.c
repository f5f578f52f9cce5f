/*
 * Which files lie below the root.
 *
 * Invariant: a file is judged by where the kernel says that it is, not by how
 * the program spelled its path: relative paths, folders' descriptors and
 * symbolic links all come to the same answer.
 */
#include "power_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Answers kept per process, found by inode: 4 * inode + 2 * inside + 1. */
#define REMEMBERED 4096

static char root[PATH_MAX];
static size_t root_length;
static dev_t root_device;
static const char *grave;
static atomic_uint_fast64_t remembered[REMEMBERED];
static atomic_uint_fast64_t remembered_generation;

void paths_open(void) {
    const char *given = getenv("POWER_CUT_ROOT");
    grave = getenv("POWER_CUT_GRAVE");
    struct stat status;
    if (!grave || strlen(grave) + 24 > PATH_MAX) give_up("POWER_CUT_GRAVE is missing or too long");
    if (given[0] != '/' || strlen(given) >= sizeof root || stat_at(AT_FDCWD, given, 0, &status) != 0)
        give_up("POWER_CUT_ROOT is not the absolute path of a folder");
    strcpy(root, given);
    root_length = strlen(root);
    root_device = status.st_dev;
}

static char *append_number(char *end, uint64_t number) {
    char digits[24];
    int count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0) *end++ = digits[--count];
    *end = '\0';
    return end;
}

/* Writes the name under which /proc has an open file. */
void link_of(int descriptor, char link[48]) {
    strcpy(link, "/proc/self/fd/");
    append_number(link + strlen(link), (uint64_t)descriptor);
}

/* Writes the path of an open file, as the kernel knows it, and gives its length; -1 where it has none. */
int path_of(int descriptor, char *path, size_t size) {
    char link[48];
    link_of(descriptor, link);
    long length = let_through(SYS_readlinkat, AT_FDCWD, (long)link, (long)path, (long)size - 1, 0);
    if (length < 0) return -1;
    path[length] = '\0';
    return (int)length;
}

/* The part of `path` below the root ("" for the root itself), or NULL for what lies elsewhere. */
static const char *below_root(const char *path) {
    if (strncmp(path, root, root_length) != 0) return NULL;
    if (path[root_length] == '/') return path + root_length + 1;
    return path[root_length] == '\0' ? path + root_length : NULL;
}

static void remember(uint64_t inode, int inside) {
    atomic_store(&remembered[inode % REMEMBERED], inode * 4 + (inside ? 2 : 0) + 1);
}

static void forget_after_crossing(void) {
    uint64_t now = atomic_load(&shared->generation);
    if (atomic_exchange(&remembered_generation, now) == now) return;
    for (int number = 0; number < REMEMBERED; number++) atomic_store(&remembered[number], 0);
}

/* Whether an open file or folder lies below the root, by its path and not by what is remembered. */
int judge(int descriptor, const struct stat *status) {
    char path[PATH_MAX];
    if (status->st_dev != root_device || !(S_ISREG(status->st_mode) || S_ISDIR(status->st_mode))) return 0;
    int inside = path_of(descriptor, path, sizeof path) >= 0 && below_root(path) != NULL;
    if (S_ISREG(status->st_mode)) remember(status->st_ino, inside);
    return inside;
}

/*
 * Like `judge`, for regular files on the way of every write. An inode's number can return in another file only
 * through an open for writing, which judges anew.
 */
int is_inside(int descriptor, const struct stat *status) {
    if (status->st_dev != root_device || !S_ISREG(status->st_mode)) return 0;
    forget_after_crossing();
    uint64_t known = atomic_load(&remembered[status->st_ino % REMEMBERED]);
    if (known / 4 == status->st_ino && known % 2 == 1) return (known & 2) != 0;
    return judge(descriptor, status);
}

/* Like `judge`, for a file that is not open. */
int inode_is_inside(int folder, const char *path, int flags, const struct stat *status) {
    int how = O_PATH | O_CLOEXEC | (flags & AT_SYMLINK_FOLLOW ? 0 : O_NOFOLLOW);
    if ((flags & AT_EMPTY_PATH) && path[0] == '\0') return judge(folder, status);
    long descriptor = let_through(SYS_openat, folder, (long)path, how, 0, 0);
    if (descriptor < 0) return 0;
    char found[PATH_MAX];
    int inside = path_of((int)descriptor, found, sizeof found) >= 0 && below_root(found) != NULL;
    let_through(SYS_close, descriptor, 0, 0, 0, 0);
    return inside;
}

/* Finds the folder that holds the name at the end of `path`. What cannot be resolved counts as outside. */
void find_place(int folder, const char *path, struct place *place) {
    char holder[PATH_MAX];
    char name[NAME_MAX + 1];
    place->inside = 0;
    place->path[0] = '\0';
    size_t end = strnlen(path, PATH_MAX);
    if (end == PATH_MAX) return;
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') start--;
    if (end - start > NAME_MAX || end == start) return;
    memcpy(name, path + start, end - start);
    name[end - start] = '\0';
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return;
    memcpy(holder, path, start);
    holder[start] = '\0';

    const char *opened = start == 0 ? "." : holder;
    long descriptor = let_through(SYS_openat, folder, (long)opened, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);
    if (descriptor < 0) return;
    char found[PATH_MAX];
    int length = path_of((int)descriptor, found, sizeof found);
    let_through(SYS_close, descriptor, 0, 0, 0, 0);
    const char *below = length < 0 ? NULL : below_root(found);
    if (!below) return;
    if (strlen(below) + strlen(name) + 2 > sizeof place->path) give_up("a path below the root is too long");
    strcpy(place->path, below);
    if (below[0] != '\0') strcat(place->path, "/");
    strcat(place->path, name);
    place->inside = 1;
}

/* Gives a file a hidden second name, so that its content outlives the one about to go. */
void keep_in_grave(int folder, const char *path, uint64_t inode) {
    char kept[PATH_MAX];
    strcpy(kept, grave);
    strcat(kept, "/");
    append_number(kept + strlen(kept), inode);
    long result = let_through(SYS_linkat, folder, (long)path, AT_FDCWD, (long)kept, 0);
    if (result != 0 && result != -EEXIST)
        give_up("failed to keep a file that loses its name; is POWER_CUT_GRAVE on the root's filesystem?");
}
