"""A hostile server: tries what it must not be able to do, and says of each attempt how it went."""

import ctypes
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading

OUTSIDE = os.environ["OUTSIDE"]
LISTED = os.environ["LISTED"]
NEIGHBOUR = os.environ["NEIGHBOUR"]
SIBLING = int(os.environ["SIBLING"])
PORT = int(os.environ["PORT"])
LISTED_PORT = int(os.environ["LISTED_PORT"])
LIBC = ctypes.CDLL(None, use_errno=True)
# The numbers of calls that the library has no function for: x86_64 and aarch64.
CALLS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
}
NEWNS, NEWUSER = 0x00020000, 0x10000000


def read(path):
    with open(path) as file:
        return file.read(10)


def write(path):
    with open(path, "w") as file:
        file.write("it was here")


def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "")


def call(name, *args):
    number = CALLS[name][platform.machine() == "aarch64"]
    check(LIBC.syscall(number, *args))


def through_link():
    link = "link"
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(OUTSIDE + "/secret", link)
    read(link)


def hard_link():
    os.link(OUTSIDE + "/secret", "hard")
    read("hard")


def connect(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass


def listen(port):
    with socket.socket() as it:
        it.bind(("127.0.0.1", port))


def local_socket(path):
    with socket.socket(socket.AF_UNIX) as it:
        it.connect(path)


def make_socket(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()


def read_memory():
    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    space = ctypes.create_string_buffer(8)
    mine, theirs = Iovec(ctypes.addressof(space), 8), Iovec(ctypes.addressof(space), 8)
    check(LIBC.process_vm_readv(SIBLING, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0))


def trace():
    check(LIBC.ptrace(16, SIBLING, None, None))
    LIBC.ptrace(17, SIBLING, None, None)


def namespace_by_clone():
    # The library's function asks by `clone`, which a filter can see into.
    stack = ctypes.create_string_buffer(65536)
    entry = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(lambda _: 0)
    top = ctypes.c_void_p(ctypes.addressof(stack) + 65536)
    pid = LIBC.clone(entry, top, NEWUSER | signal.SIGCHLD, None)
    check(pid)
    os.waitpid(pid, 0)


def many_files():
    files = []
    try:
        while len(files) < 2000:
            files.append(open("/dev/null"))
    finally:
        for file in files:
            file.close()


def long_file():
    with open("long", "wb") as file:
        file.truncate(8 << 20)


def much_memory():
    try:
        bytearray(400 << 20)
    except MemoryError:
        raise OSError(12, "")


def core_file():
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))


def more_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (5000, 5000))


def run_a_program():
    subprocess.run(["/bin/sh", "-c", "exit 0"], check=True)


def threads():
    all = [threading.Thread(target=lambda: None) for _ in range(8)]
    for it in all:
        it.start()
    for it in all:
        it.join()


def temporary():
    with tempfile.TemporaryFile() as file:
        file.write(b"x")


ATTEMPTS = {
    "read a file": lambda: read(OUTSIDE + "/secret"),
    "read a file through a link": through_link,
    "read a file by a name of its own": hard_link,
    "list a directory": lambda: os.listdir(OUTSIDE),
    "write a file": lambda: write(OUTSIDE + "/made"),
    "remove a file": lambda: os.unlink(OUTSIDE + "/to-remove"),
    "move into a directory": lambda: (write("moved"), os.rename("moved", OUTSIDE + "/moved")),
    "write to what may be read": lambda: write(LISTED + "/readable/made"),
    "read another server's directory": lambda: read(NEIGHBOUR + "/secret"),
    "read another's environment": lambda: read(f"/proc/{SIBLING}/environ"),
    "read another's memory": read_memory,
    "signal another": lambda: os.kill(SIBLING, 0),
    "trace another": trace,
    "connect to a local socket": lambda: local_socket(OUTSIDE + "/socket"),
    "connect to a port": lambda: connect(PORT),
    "connect to a listed port": lambda: connect(LISTED_PORT),
    "listen on a port": lambda: listen(0),
    "make a UDP socket": lambda: make_socket(socket.AF_INET, socket.SOCK_DGRAM),
    "make a raw socket": lambda: make_socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "make a raw IPv6 socket": lambda: make_socket(socket.AF_INET6, socket.SOCK_RAW, 58),
    "make a packet socket": lambda: make_socket(socket.AF_PACKET, socket.SOCK_RAW),
    "ask for addresses": lambda: make_socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "talk to the firewall": lambda: make_socket(socket.AF_NETLINK, socket.SOCK_RAW, 12),
    "make a user namespace": lambda: check(LIBC.unshare(NEWUSER)),
    "make a mount namespace": lambda: check(LIBC.unshare(NEWNS)),
    "make a namespace by clone": namespace_by_clone,
    "mount": lambda: check(LIBC.mount(b"none", b"/proc", b"tmpfs", 0, None)),
    "change the root": lambda: os.chroot("."),
    "change an owner": lambda: (write("owned"), os.chown("owned", 12345, 12345)),
    "load a program into the kernel": lambda: call("bpf", 0, None, 0),
    "watch the machine": lambda: call("perf_event_open", None, 0, -1, -1, 0),
    "use the kernel's keys": lambda: call("keyctl", 0, -3, 0),
    "make a ring": lambda: call("io_uring_setup", 1, ctypes.create_string_buffer(256)),
    "handle page faults": lambda: call("userfaultfd", 1),
    "open many files": many_files,
    "raise the limit on files": more_files,
    "write a long file": long_file,
    "take much memory": much_memory,
    "leave a core file": core_file,
    "read its own directory": lambda: os.listdir("."),
    "write to its own directory": lambda: write("made"),
    "write to a temporary file": temporary,
    "read what is listed": lambda: read(LISTED + "/readable/file"),
    "write what is listed": lambda: write(LISTED + "/writable/made"),
    "see itself": lambda: read("/proc/self/status"),
    "know its user": lambda: read("/etc/passwd"),
    "throw away": lambda: write("/dev/null"),
    "run a program": run_a_program,
    "start threads": threads,
    "make a pair of sockets": lambda: [it.close() for it in socket.socketpair()],
    "resolve a name": lambda: socket.getaddrinfo("localhost", 80),
}

# A server that nothing holds back is asked for some only: others would harm the machine.
only = os.environ.get("ONLY")
for name, attempt in ATTEMPTS.items():
    if only and name not in only.split(","):
        continue
    try:
        attempt()
        print(name, "+", flush=True)
    except (OSError, ValueError) as error:
        # A limit that may not be raised is a wrong value.
        print(name, "-", error, flush=True)
print("end", flush=True)
sys.stdin.read()
