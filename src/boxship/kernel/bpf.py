"""eBPF programs that decide over a cgroup's devices: ``bpf(2)``."""

import ctypes
import os
import struct

from boxship.kernel.libc import LONG, POINTER, system_call

_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH = 5, 8, 9
_PROG_GET_FD_BY_ID, _PROG_QUERY = 13, 16
_PROG_TYPE_CGROUP_DEVICE = 15
_ATTACH_CGROUP_DEVICE = 6
_ALLOW_MULTI = 2
_MOST_PROGRAMS = 64
_LOG_SIZE = 1 << 16

_bpf = system_call("bpf", {"x86_64": 321, "aarch64": 280}, LONG, POINTER, LONG)


def load_device_program(program: bytes) -> int:
    """Load a program of 8-byte instructions; return its descriptor. The verifier's words go into
    the error."""
    code = ctypes.create_string_buffer(program, len(program))
    license_name = ctypes.create_string_buffer(b"Apache-2.0")
    log = ctypes.create_string_buffer(_LOG_SIZE)
    head = struct.pack(
        "=IIQQIIQ",
        _PROG_TYPE_CGROUP_DEVICE,
        len(program) // 8,
        ctypes.addressof(code),
        ctypes.addressof(license_name),
        0,
        0,
        0,
    )
    try:
        return _call(_PROG_LOAD, head)
    except OSError:
        # Once more with a log, which is costly and hardly ever wanted.
        logged = head[:24] + struct.pack("=IIQ", 1, _LOG_SIZE, ctypes.addressof(log))
        try:
            return _call(_PROG_LOAD, logged)
        except OSError as error:
            words = log.value.decode("ascii", "replace").strip().splitlines()
            # The last line but that of its statistics.
            told = [word for word in words if not word.startswith("processed ")]
            last = told[-1] if told else os.strerror(error.errno or 0)
            raise OSError(error.errno, f"bpf: {last}") from None


def attach_device_program(cgroup: int, program: bytes) -> None:
    """Put a program over the devices of a cgroup2 directory, in place of those it has.

    Directories below may have programs of their own, which can only take away.
    """
    loaded = load_device_program(program)
    try:
        before = attached_device_programs(cgroup)
        _call(_PROG_ATTACH, _target(cgroup, loaded, _ALLOW_MULTI))
        for number in before:
            old = _call(_PROG_GET_FD_BY_ID, struct.pack("=III", number, 0, 0))
            try:
                _call(_PROG_DETACH, _target(cgroup, old, 0))
            finally:
                os.close(old)
    finally:
        os.close(loaded)


def attached_device_programs(cgroup: int) -> tuple[int, ...]:
    """Return the kernel's numbers of the programs attached to the directory itself."""
    numbers = (ctypes.c_uint32 * _MOST_PROGRAMS)()
    query = ctypes.create_string_buffer(
        struct.pack(
            "=IIIIQII",
            cgroup,
            _ATTACH_CGROUP_DEVICE,
            0,
            0,
            ctypes.addressof(numbers),
            _MOST_PROGRAMS,
            0,
        )
    )
    _bpf(_PROG_QUERY, ctypes.addressof(query), len(query) - 1)
    (count,) = struct.unpack_from("=I", query.raw, 24)
    return tuple(numbers[:count])


def _target(cgroup: int, program: int, flags: int) -> bytes:
    return struct.pack("=IIII", cgroup, program, _ATTACH_CGROUP_DEVICE, flags)


def _call(command: int, attributes: bytes) -> int:
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    return _bpf(command, ctypes.addressof(buffer), len(attributes))
