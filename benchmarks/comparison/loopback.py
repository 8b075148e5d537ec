"""A network of its own with nothing but loopback: what listens in it is heard by nobody outside.

Ray's processes listen at the address that they find the machine to have. In a network namespace in which
there is loopback alone, that is 127.0.0.1 (looked at with Ray 2.60: none of its sockets listens elsewhere),
and whatever listens at every address is heard by nobody outside. It needs `unshare` (util-linux) and either
root or unprivileged user namespaces.
"""

import fcntl
import socket
import struct
import subprocess
from functools import cache

import psutil

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP: netdevice(7)


@cache
def isolating_prefix() -> tuple[str, ...]:
    """What to put before a command so that it starts in such a network; nothing where it cannot be had."""
    for prefix in (("unshare", "--net"), ("unshare", "--map-root-user", "--net")):
        try:
            subprocess.run([*prefix, "true"], check=True, capture_output=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            continue
        return prefix
    return ()


def open_loopback() -> None:
    """In a new network: switch loopback on, and make sure that there is nothing else.

    Raises:
        RuntimeError: another interface is up.
        OSError: loopback cannot be switched on.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh22x", b"lo", flags | _UP))
    up = sorted(name for name, state in psutil.net_if_stats().items() if state.isup)
    if up != ["lo"]:
        raise RuntimeError(f"the network has {', '.join(up)} up, expected lo alone")


def is_loopback(address: str) -> bool:
    """Whether who listens at this address is heard on this machine only."""
    return address.startswith(("127.", "::ffff:127.")) or address == "::1"


def list_wide_listeners(process: psutil.Process) -> set[str]:
    """Where a process listens beyond loopback, as "name address:port"."""
    try:
        name, connections = process.name(), process.net_connections("inet")
    except psutil.Error:  # it has ended
        return set()
    return {
        f"{name} {each.laddr.ip}:{each.laddr.port}"
        for each in connections
        if each.status == psutil.CONN_LISTEN and not is_loopback(each.laddr.ip)
    }
