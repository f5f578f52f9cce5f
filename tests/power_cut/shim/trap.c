/*
 * Catching the kernel calls that do not come through an interposed function.
 *
 * A seccomp filter raises SIGSYS for every call that may change a file, unless
 * the shim itself makes it, and the handler makes the call in its place. So
 * calls are seen that the C library makes internally, and those of code that
 * does without the C library (Rust's crate rustix, which renames the files of
 * crate tempfile and so of fjall).
 *
 * Invariant: no call that can change a file below the root passes unseen; one
 * that could not be followed is refused as an old kernel would refuse it.
 */
#include "power_cut.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "pass.h"

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif

#define PROGRAM_MAX 512
#define SPLICE_PASS 8

static struct sock_filter program[PROGRAM_MAX];
static unsigned short program_length;
static volatile sig_atomic_t caught;

static void emit(uint16_t code, uint8_t if_true, uint8_t if_false, uint32_t value) {
    if (program_length == PROGRAM_MAX) give_up("the filter is too long");
    program[program_length++] = (struct sock_filter){code, if_true, if_false, value};
}

static void load(size_t offset) {
    emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

/* The lower half of an argument; both architectures are little-endian. */
static void load_argument(int number) {
    load(offsetof(struct seccomp_data, args) + (size_t)number * 8);
}

static void answer(uint32_t action) {
    emit(BPF_RET | BPF_K, 0, 0, action);
}

/* Six instructions: let the shim's own calls through, trap the others. */
static void answer_by_pass(void) {
    load_argument(5);
    emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, (uint32_t)PASS);
    load(offsetof(struct seccomp_data, args) + 5 * 8 + 4);
    emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)((uint64_t)PASS >> 32));
    answer(SECCOMP_RET_ALLOW);
    answer(SECCOMP_RET_TRAP);
}

/* The rule that follows, of so many instructions, is for this call only. */
static void only_for(long number, uint8_t instructions) {
    emit(BPF_JMP | BPF_JEQ | BPF_K, 0, instructions, (uint32_t)number);
}

static void trap_call(long number) {
    only_for(number, 6);
    answer_by_pass();
}

/* Opening for reading only changes nothing. */
static void trap_open(long number, int flags_argument) {
    only_for(number, 9);
    load_argument(flags_argument);
    emit(BPF_JMP | BPF_JSET | BPF_K, 1, 0, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
    answer(SECCOMP_RET_ALLOW);
    answer_by_pass();
}

/* Mappings of a file that are shared and writable. */
static void trap_map(void) {
    only_for(SYS_mmap, 10);
    load_argument(2);
    emit(BPF_JMP | BPF_JSET | BPF_K, 0, 6, PROT_WRITE);
    load_argument(3);
    emit(BPF_JMP | BPF_JSET | BPF_K, 4, 0, MAP_ANONYMOUS);
    emit(BPF_ALU | BPF_AND | BPF_K, 0, 0, MAP_TYPE);
    emit(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, MAP_SHARED);
    emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, MAP_SHARED_VALIDATE);
    answer(SECCOMP_RET_TRAP);
    answer(SECCOMP_RET_ALLOW);
    answer(SECCOMP_RET_ALLOW);
}

static void trap_splice(void) {
    only_for(SYS_splice, 4);
    load_argument(5);
    emit(BPF_JMP | BPF_JSET | BPF_K, 1, 0, SPLICE_PASS);
    answer(SECCOMP_RET_TRAP);
    answer(SECCOMP_RET_ALLOW);
}

static void refuse_call(long number, int error) {
    only_for(number, 1);
    answer(SECCOMP_RET_ERRNO | (uint32_t)error);
}

/* Cloning blocks of one file into another. */
static void refuse_clones(void) {
    only_for(SYS_ioctl, 6);
    load_argument(1);
    emit(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, (uint32_t)FICLONE);
    emit(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, (uint32_t)FICLONERANGE);
    emit(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (uint32_t)FIDEDUPERANGE);
    answer(SECCOMP_RET_ALLOW);
    answer(SECCOMP_RET_ERRNO | EOPNOTSUPP);
}

static void write_program(void) {
    static const long trapped[] = {
        SYS_write, SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_ftruncate, SYS_truncate, SYS_fallocate,
        SYS_fsync, SYS_fdatasync, SYS_sync, SYS_syncfs, SYS_sendfile, SYS_mkdirat, SYS_symlinkat,
        SYS_mknodat, SYS_linkat, SYS_unlinkat, SYS_renameat2,
#ifdef SYS_renameat
        SYS_renameat,
#endif
#ifdef SYS_open
        SYS_creat, SYS_mkdir, SYS_symlink, SYS_mknod, SYS_link, SYS_unlink, SYS_rmdir, SYS_rename,
#endif
    };
    load(offsetof(struct seccomp_data, arch));
    emit(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, THIS_ARCH);
    answer(SECCOMP_RET_KILL_PROCESS);
    load(offsetof(struct seccomp_data, nr));
    for (size_t number = 0; number < sizeof trapped / sizeof trapped[0]; number++) trap_call(trapped[number]);
    trap_open(SYS_openat, 2);
#ifdef SYS_open
    trap_open(SYS_open, 1);
#endif
    trap_map();
    trap_splice();
    refuse_clones();
    /* Callers fall back to the plain calls, as on a kernel that lacks these. */
    refuse_call(SYS_copy_file_range, EXDEV);
    refuse_call(SYS_openat2, ENOSYS);
    refuse_call(SYS_pwritev2, ENOSYS);
    refuse_call(SYS_io_setup, ENOSYS);
    refuse_call(SYS_io_uring_setup, ENOSYS);
    answer(SECCOMP_RET_ALLOW);
}

static void on_trap(int signal, siginfo_t *information, void *context) {
    (void)signal;
    mcontext_t *machine = &((ucontext_t *)context)->uc_mcontext;
    caught = 1;
#if defined(__x86_64__)
    greg_t *registers = machine->gregs;
    struct call call = {information->si_syscall,
                        {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX], registers[REG_R10],
                         registers[REG_R8], registers[REG_R9]}};
    registers[REG_RAX] = dispatch(&call);
#elif defined(__aarch64__)
    unsigned long long *registers = machine->regs;
    struct call call = {information->si_syscall,
                        {(long)registers[0], (long)registers[1], (long)registers[2], (long)registers[3],
                         (long)registers[4], (long)registers[5]}};
    registers[0] = (unsigned long long)dispatch(&call);
#endif
}

/* Installs the filter unless this process inherited it; gives 0 where the kernel refuses. */
int trap_install(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_RESTART};
    /* Nothing else runs on this thread while a lock of the shim is held. */
    sigfillset(&action.sa_mask);
    if (sigaction(SIGSYS, &action, NULL) != 0) return 0;
    /* It may come blocked from the process that started this one. */
    uint64_t sigsys = UINT64_C(1) << (SIGSYS - 1);
    let_through(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&sigsys, 0, sizeof sigsys, 0);
    plain_call(SYS_write, -1, 0, 0, 0, 0, 0);
    if (caught) return 1;

    write_program();
    struct sock_fprog filter = {.len = program_length, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 0;
    if (plain_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, (long)&filter, 0, 0, 0) != 0)
        return 0;
    plain_call(SYS_write, -1, 0, 0, 0, 0, 0);
    return caught;
}
