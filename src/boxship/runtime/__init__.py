"""From an OCI runtime spec to a running container.

``plan.py`` decides: a pure function turns a spec into typed, printable steps (``steps.py``).
``process.py`` does: it forks, walks the steps in the child and brings failures back as data.
``shim.py`` keeps one container; ``launcher.py`` forks shims without starting an interpreter.

Refuses to know images, networks, HTTP and asyncio, and imports the standard library alone: its
code is shared copy-on-write by every shim on the machine. Start reading at ``plan.py``.
"""
