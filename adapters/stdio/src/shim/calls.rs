//! System calls that no server needs and that open much of the kernel: they fail in a server that is shut in.

use std::collections::BTreeMap;
use std::io;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Compare, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter, sock_filter,
};

/// Calls that fail whatever their arguments are: looking into other processes, mounting, namespaces, programs in the
/// kernel, its keys, and the machine itself.
const REFUSED: [libc::c_long; 42] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    KEXEC_FILE_LOAD,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// Not every C library has its number.
const KEXEC_FILE_LOAD: libc::c_long = if cfg!(target_arch = "x86_64") { 320 } else { 294 };

/// What `clone` is not asked for: namespaces.
const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// What a terminal is not asked for: to take input that nobody typed.
const TERMINAL: [libc::c_ulong; 2] = [libc::TIOCSTI as libc::c_ulong, 0x541C];

/// An old name for raw packets, which has no name of its own any more.
const SOCK_PACKET: libc::c_int = 10;

/// The kinds of an IP socket that show or forge what others send.
const RAW: [libc::c_int; 2] = [libc::SOCK_RAW, SOCK_PACKET];

/// The bits of a socket's type that are the type.
const KIND: u64 = 0xf;

/// A bit in the numbers of calls of another kind on `x86_64`, which would pass by all rules.
const OTHER_KIND: u32 = 0x4000_0000;

/// From now on those calls fail here and in everything that is started from here, and so does making sockets that are
/// not IP's, or any without `network`. A local socket leads to whoever listens: to the hub, to a container engine, to
/// a key agent. Pairs of sockets stay, for they lead nowhere else.
pub(super) fn refuse(network: bool) -> io::Result<()> {
    for filter in [absent(), refused(network).map_err(io::Error::other)?] {
        apply_filter(&filter).map_err(io::Error::other)?;
    }
    Ok(())
}

fn refused(network: bool) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|&call| (call, vec![])).collect();
    let clone = NAMESPACES.iter().map(|&it| rule([(0, Compare::MaskedEq(bits(it)), bits(it))]));
    rules.insert(libc::SYS_clone, clone.collect::<Result<_, _>>()?);
    let ioctl = TERMINAL.iter().map(|&it| rule([(1, Compare::Eq, it)]));
    rules.insert(libc::SYS_ioctl, ioctl.collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_socket, if network { sockets()? } else { vec![] });
    let arch = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// All that is not TCP, UDP, or asking the kernel for the machine's addresses.
fn sockets() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let [v4, v6, netlink] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK].map(bits);
    let mut rules = vec![
        rule([(0, Compare::Ne, v4), (0, Compare::Ne, v6), (0, Compare::Ne, netlink)])?,
        rule([(0, Compare::Eq, netlink), (2, Compare::Ne, bits(libc::NETLINK_ROUTE))])?,
    ];
    for family in [v4, v6] {
        for kind in RAW.map(bits) {
            rules.push(rule([(0, Compare::Eq, family), (1, Compare::MaskedEq(KIND), kind)])?);
        }
    }
    Ok(rules)
}

fn rule<const N: usize>(all: [(u8, Compare, u64); N]) -> Result<SeccompRule, seccompiler::BackendError> {
    let condition =
        |(argument, compare, value)| SeccompCondition::new(argument, Width::Dword, compare, value);
    SeccompRule::new(all.into_iter().map(condition).collect::<Result<_, _>>()?)
}

fn bits(number: libc::c_int) -> u64 {
    u64::from(number.unsigned_abs())
}

/// A kernel without `clone3`: what it is asked for lies in memory, where no filter can see it, and whoever finds it
/// absent takes `clone`. And without calls of another kind.
fn absent() -> BpfProgram {
    let absent = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    let clone3 = u32::try_from(libc::SYS_clone3).unwrap_or(u32::MAX);
    let step =
        |code: u32, jt, jf, k| sock_filter { code: u16::try_from(code).unwrap_or_default(), jt, jf, k };
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, 0, OTHER_KIND),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, clone3),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, absent),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
