"""Docker's default seccomp profile as data: what any container may call.

``default_profile`` makes an OCI profile of it, for the capabilities a container gets: some calls
are let through because the kernel will ask for the capability anyway. Everything that is not
listed fails with EPERM.
"""

from functools import lru_cache

from boxship.base.frozen import dataclass
from boxship.oci.runtime import Seccomp, SeccompArg, SeccompRule

_ALWAYS = {
    "files and directories": """
        access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3
        faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod
        fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat fstat64
        fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents
        getdents64 inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown
        lchown32 link linkat listmount _llseek lseek lstat lstat64 memfd_create memfd_secret
        mkdir mkdirat mknod mknodat name_to_handle_at open openat openat2 pipe pipe2 pread64
        preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv rename
        renameat renameat2 rmdir sendfile sendfile64 splice stat stat64 statfs statfs64
        statmount statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64
        umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev
    """,
    "extended attributes": """
        fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr
        listxattrat llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr
        setxattrat
    """,
    "memory": """
        brk madvise map_shadow_stack membarrier mincore mlock mlock2 mlockall mmap mmap2
        mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect
        process_mrelease remap_file_pages
    """,
    "time": """
        adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64
        clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer
        gettimeofday io_pgetevents_time64 mq_timedreceive mq_timedreceive_time64 mq_timedsend
        mq_timedsend_time64 nanosleep ppoll_time64 pselect6_time64 recvmmsg_time64
        rt_sigtimedwait rt_sigtimedwait_time64 sched_rr_get_interval_time64 semtimedop
        semtimedop_time64 setitimer time timer_create timer_delete timer_getoverrun
        timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create
        timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times
    """,
    "waiting for events": """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 futex futex_requeue futex_time64 futex_wait futex_waitv
        futex_wake _newselect poll ppoll pselect6 select signalfd signalfd4
    """,
    "processes and threads": """
        execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getpeername
        getpgid getpgrp getpid getppid getpriority getrlimit getrusage getsid gettid ioprio_get
        ioprio_set kill pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq
        sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
        sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr
        sched_setparam sched_setscheduler sched_yield set_robust_list set_thread_area
        set_tid_address setpgid setpriority setrlimit setsid tgkill tkill ugetrlimit uretprobe
        vfork wait4 waitid waitpid
    """,
    "signals": """
        rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
        rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
    """,
    "identity and limits on oneself": """
        capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32
        getresgid getresgid32 getresuid getresuid32 getuid getuid32 landlock_add_rule
        landlock_create_ruleset landlock_restrict_self seccomp setfsgid setfsgid32 setfsuid
        setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid
        setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32
    """,
    "sockets": """
        accept accept4 bind connect getsockname getsockopt listen recv recvfrom recvmmsg recvmsg
        send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
    """,
    "System V and POSIX message queues, semaphores, shared memory": """
        ipc mq_getsetattr mq_notify mq_open mq_unlink msgctl msgget msgrcv msgsnd semctl semget
        semop shmat shmctl shmdt shmget
    """,
    "asynchronous input and output": """
        io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit
    """,
    "the rest": """
        cachestat getrandom newfstatat sysinfo uname
    """,
}


@dataclass(frozen=True, slots=True)
class _Grant:
    """Calls that a condition adds; ``capability`` of "" is no condition."""

    names: str
    capability: str = ""
    machines: tuple[str, ...] = ()
    minimum_kernel: tuple[int, int] = (0, 0)


_GRANTS = (
    _Grant("process_vm_readv process_vm_writev ptrace", minimum_kernel=(4, 8)),
    _Grant("arch_prctl modify_ldt", machines=("x86_64",)),
    _Grant(
        "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2",
        machines=("aarch64",),
    ),
    _Grant("open_by_handle_at", "CAP_DAC_READ_SEARCH"),
    _Grant(
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
        "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount "
        "open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog "
        "umount umount2 unshare",
        "CAP_SYS_ADMIN",
    ),
    _Grant("reboot", "CAP_SYS_BOOT"),
    _Grant("chroot", "CAP_SYS_CHROOT"),
    _Grant("delete_module finit_module init_module", "CAP_SYS_MODULE"),
    _Grant("acct", "CAP_SYS_PACCT"),
    _Grant(
        "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
        "CAP_SYS_PTRACE",
    ),
    _Grant("ioperm iopl", "CAP_SYS_RAWIO"),
    _Grant("clock_settime clock_settime64 settimeofday stime", "CAP_SYS_TIME"),
    _Grant("vhangup", "CAP_SYS_TTY_CONFIG"),
    _Grant("get_mempolicy mbind set_mempolicy set_mempolicy_home_node", "CAP_SYS_NICE"),
    _Grant("syslog", "CAP_SYSLOG"),
    _Grant("bpf", "CAP_BPF"),
    _Grant("perf_event_open", "CAP_PERFMON"),
)

_ALLOW = "SCMP_ACT_ALLOW"
_AF_ALG = 38
_AF_NFC = 39
_AF_VSOCK = 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""Linux, 32-bit Linux, both with the old uname, and asking what it is."""
_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEW* of mount, cgroup, uts, ipc, user, pid and network together."""
_ENOSYS = 38

_ARCHITECTURES = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}


@lru_cache(maxsize=64)
def default_profile(
    capabilities: tuple[str, ...], machine: str, kernel: tuple[int, int]
) -> Seccomp:
    """Return the profile for a container with the bounding set ``capabilities``."""
    names = {name for topic in _ALWAYS.values() for name in topic.split()}
    for grant in _GRANTS:
        has_capability = not grant.capability or grant.capability in capabilities
        is_machine = not grant.machines or machine in grant.machines
        if has_capability and is_machine and kernel >= grant.minimum_kernel:
            names.update(grant.names.split())
    rules = [SeccompRule(tuple(sorted(names)), _ALLOW), *_sockets(), *_personalities()]
    if "CAP_SYS_ADMIN" not in capabilities:
        rules += _clone()
    return Seccomp(
        default_action="SCMP_ACT_ERRNO",
        default_errno_ret=1,
        architectures=_ARCHITECTURES.get(machine, ()),
        syscalls=tuple(rules),
    )


def _sockets() -> list[SeccompRule]:
    """Allow every family but AF_ALG (the kernel's crypto) and AF_VSOCK (the hypervisor)."""
    below = SeccompArg(0, _AF_ALG, "SCMP_CMP_LT")
    between = SeccompArg(0, _AF_NFC, "SCMP_CMP_EQ")
    above = SeccompArg(0, _AF_VSOCK, "SCMP_CMP_GT")
    return [SeccompRule(("socket",), _ALLOW, args=(arg,)) for arg in (below, between, above)]


def _personalities() -> list[SeccompRule]:
    return [
        SeccompRule(("personality",), _ALLOW, args=(SeccompArg(0, value, "SCMP_CMP_EQ"),))
        for value in _PERSONALITIES
    ]


def _clone() -> list[SeccompRule]:
    """Allow clone without new namespaces. clone3 hides its flags in memory, where no filter sees

    them: it is said not to exist, and C libraries fall back to clone.
    """
    without = SeccompArg(0, _NEW_NAMESPACES, "SCMP_CMP_MASKED_EQ", 0)
    return [
        SeccompRule(("clone",), _ALLOW, args=(without,)),
        SeccompRule(("clone3",), "SCMP_ACT_ERRNO", errno_ret=_ENOSYS),
    ]
