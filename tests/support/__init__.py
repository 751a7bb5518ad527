"""What tests and benchmarks stand on: images, a private daemon, clients, and what is left over.

It drives Boxship from outside, through sockets, command lines and the kernel's own files, and
imports nothing of `boxship`: a bug there must not hide itself here. Start with `engine.py`, then
`residue.py`.
"""
