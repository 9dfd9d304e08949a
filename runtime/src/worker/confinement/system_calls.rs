//! The system calls that running guests takes. Every other one fails as one does that the kernel does not have: so the C
//! library makes threads by the call whose arguments can be looked at.

use std::collections::BTreeMap;

use anyhow::Result;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// Those that may be made with any arguments.
#[rustfmt::skip]
const ALLOWED: &[i64] = &[
    // Memory.
    libc::SYS_brk, libc::SYS_madvise, libc::SYS_mincore, libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_mremap,
    libc::SYS_munmap, libc::SYS_membarrier, libc::SYS_memfd_create,
    // Threads, and their end.
    libc::SYS_exit, libc::SYS_exit_group, libc::SYS_futex, libc::SYS_gettid, libc::SYS_getpid,
    libc::SYS_rseq, libc::SYS_sched_getaffinity, libc::SYS_sched_yield, libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    // Signals of its own: traps of guests are some.
    libc::SYS_restart_syscall, libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    // Time and chance.
    libc::SYS_clock_getres, libc::SYS_clock_gettime, libc::SYS_clock_nanosleep, libc::SYS_getrandom,
    libc::SYS_gettimeofday, libc::SYS_nanosleep,
    // Files, of which only those can be opened for reading that landlock allows.
    libc::SYS_close, libc::SYS_dup, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_fadvise64, libc::SYS_fcntl,
    libc::SYS_fstat, libc::SYS_fstatfs, libc::SYS_getcwd, libc::SYS_getdents64, libc::SYS_lseek,
    libc::SYS_newfstatat, libc::SYS_openat, libc::SYS_openat2, libc::SYS_pread64, libc::SYS_preadv, libc::SYS_read,
    libc::SYS_readlinkat, libc::SYS_readv, libc::SYS_statx, libc::SYS_write, libc::SYS_writev,
    // Waiting for several things.
    libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2, libc::SYS_eventfd2,
    libc::SYS_pipe2, libc::SYS_ppoll, libc::SYS_pselect6,
    // Sockets; of which kind is said below.
    libc::SYS_bind, libc::SYS_connect, libc::SYS_getpeername, libc::SYS_getsockname, libc::SYS_getsockopt,
    libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_recvmmsg, libc::SYS_sendmmsg, libc::SYS_sendmsg,
    libc::SYS_sendto, libc::SYS_setsockopt, libc::SYS_shutdown,
    // What the C library asks about the machine.
    libc::SYS_geteuid, libc::SYS_getuid, libc::SYS_getegid, libc::SYS_getgid, libc::SYS_getpriority, libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// Older names of the same, which other processors than these never had.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[i64] = &[
    libc::SYS_access, libc::SYS_arch_prctl, libc::SYS_epoll_wait, libc::SYS_lstat, libc::SYS_open, libc::SYS_poll,
    libc::SYS_readlink, libc::SYS_select, libc::SYS_stat, libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[i64] = &[];

/// Those of which one argument has to be one of these.
const CONDITIONAL: &[(i64, u8, &[u64])] = &[
    // A terminal is among what an inherited file may be, and it can be typed into.
    (
        libc::SYS_ioctl,
        1,
        &[libc::FIONBIO, libc::FIOCLEX, libc::FIONREAD, PAGEMAP_SCAN, UFFDIO_REGISTER, UFFDIO_WRITEPROTECT],
    ),
    // Servers, and the list of the machine's own addresses, by which the C library orders those of a name.
    (libc::SYS_socket, 0, &[libc::AF_INET as u64, libc::AF_INET6 as u64, libc::AF_NETLINK as u64]),
    (libc::SYS_socketpair, 0, &[libc::AF_UNIX as u64]),
    (
        libc::SYS_prctl,
        0,
        &[libc::PR_SET_NAME as u64, libc::PR_GET_NAME as u64, libc::PR_SET_VMA as u64, libc::PR_SET_DUMPABLE as u64],
    ),
    // Its own threads': lowering one is all that is left to do.
    (libc::SYS_setpriority, 1, &[0]),
    // Reading them: a new value is in the argument before.
    (libc::SYS_prlimit64, 2, &[0]),
];

/// `linux/fs.h` and `linux/userfaultfd.h`: the two that find what a guest has written.
const PAGEMAP_SCAN: u64 = 0xc060_6610;
const UFFDIO_REGISTER: u64 = 0xc020_aa00;
const UFFDIO_WRITEPROTECT: u64 = 0xc018_aa06;

/// A thread is made in this process, or not at all.
const SAME_PROCESS: u64 = libc::CLONE_THREAD as u64;

/// Restricts the calling thread, and all that it starts. False where the kernel has no such filter.
pub(super) fn restrict() -> Result<bool> {
    let filter = SeccompFilter::new(
        rules()?,
        SeccompAction::Errno(libc::ENOSYS as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    let program: BpfProgram = filter.try_into()?;
    match apply_filter(&program) {
        Ok(()) => Ok(true),
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error))
            if error.raw_os_error() == Some(libc::ENOSYS) || error.raw_os_error() == Some(libc::EINVAL) =>
        {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut rules: BTreeMap<_, _> = ALLOWED.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    for (call, argument, values) in CONDITIONAL {
        let equal = |value: &u64| {
            let length = if *call == libc::SYS_prlimit64 { SeccompCmpArgLen::Qword } else { SeccompCmpArgLen::Dword };
            SeccompRule::new(vec![SeccompCondition::new(*argument, length, SeccompCmpOp::Eq, *value)?])
        };
        rules.insert(*call, values.iter().map(equal).collect::<Result<_, _>>()?);
    }
    let thread = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(SAME_PROCESS), SAME_PROCESS)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![thread])?]);
    let own = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, u64::from(std::process::id()))?;
    rules.insert(libc::SYS_tgkill, vec![SeccompRule::new(vec![own])?]);
    Ok(rules)
}
