"""Networks as the kernel has them: interfaces, namespaces, firewall, names.

Mechanism only, blocking, standard library and `boxship.kernel`: netlink is spoken by code of our
own, and no program is started. It refuses to know containers, records, JSON and HTTP; which
network a container is on, and why, is the engine's business. Start reading at `sandbox.py` (the
network side of one container), then `links.py` and `netlink/`.
"""
