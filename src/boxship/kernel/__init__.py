"""The Linux kernel as Boxship calls it: one thin function per system call.

The only place with ``ctypes``. Functions raise ``OSError`` with the call's name and path and hold
no policy: who may call what, in which order and why is the business of ``boxship.runtime``.
Start reading at ``libc.py``, then the module of the subject: ``mounts.py``, ``namespaces.py``,
``processes.py``, ``credentials.py``, ``paths.py``.
"""
