"""Datagrams received and sent without giving up the interpreter's lock.

CPython's own ``recvfrom`` and ``sendto`` release the lock around each call. A thread that serves
thousands of datagrams a second then queues for the lock twice for each of them, up to a switch
interval (5 ms) a time, whenever another thread computes. These calls never block
(MSG_DONTWAIT) and take microseconds, so they keep it: ``PyDLL`` instead of ``CDLL``.
"""

import ctypes
import errno
import os

_LIBC = ctypes.PyDLL(None, use_errno=True)
_MSG_DONTWAIT = 0x40
_MSG_NOSIGNAL = 0x4000
_MSG_TRUNC = 0x20
_NOTHING_THERE = (errno.EAGAIN, errno.EINTR)
_ADDRESS_SIZE = 28
"""sizeof(struct sockaddr_in6), the larger one."""

_recvfrom = _LIBC.recvfrom
_recvfrom.argtypes = (
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
)
_recvfrom.restype = ctypes.c_ssize_t
_sendto = _LIBC.sendto
_sendto.argtypes = (
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_uint,
)
_sendto.restype = ctypes.c_ssize_t


class Inbox:
    """Room for one datagram and its sender's address, used again and again by one thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._buffer = ctypes.create_string_buffer(size)
        self._bytes = memoryview(self._buffer).cast("B")
        self._sender = ctypes.create_string_buffer(_ADDRESS_SIZE)
        self._sender_bytes = memoryview(self._sender).cast("B")
        self._sender_size = ctypes.c_uint(_ADDRESS_SIZE)
        self._arguments = (
            ctypes.addressof(self._buffer),
            size,
            _MSG_DONTWAIT | _MSG_TRUNC,
            ctypes.addressof(self._sender),
            ctypes.addressof(self._sender_size),
        )

    def take(self, fd: int) -> tuple[bytes, bytes] | None:
        """``recvfrom(2)``: the datagram and its sender as the kernel's ``sockaddr``.

        None if nothing is there. One that is larger than the inbox comes back empty.
        """
        self._sender_size.value = _ADDRESS_SIZE
        length = _recvfrom(fd, *self._arguments)
        if length < 0:
            code = ctypes.get_errno()
            if code in _NOTHING_THERE:
                return None
            raise OSError(code, f"recvfrom: {os.strerror(code)}")
        sender = bytes(self._sender_bytes[: self._sender_size.value])
        return (bytes(self._bytes[:length]) if length <= self._size else b""), sender


def send(fd: int, data: bytes, receiver: bytes) -> None:
    """``sendto(2)`` a ``sockaddr`` that ``Inbox.take`` gave; ``OSError`` if the kernel won't."""
    flags = _MSG_DONTWAIT | _MSG_NOSIGNAL
    if _sendto(fd, data, len(data), flags, receiver, len(receiver)) < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"sendto: {os.strerror(code)}")
