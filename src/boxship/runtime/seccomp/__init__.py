"""Seccomp filters without libseccomp: rules to BPF in plain Python.

``profile.py`` is Docker's default profile as data; ``compiler.py`` turns an OCI profile into a
program; ``bpf.py`` assembles it; ``numbers.json`` has the system calls' numbers, written by
``scripts/syscall-numbers`` from the kernel's headers. Refuses to know processes and containers.
"""
