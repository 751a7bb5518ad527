"""Clients that other people wrote, driven through every kind of resource.

A script per client says each call and what came of it, and ends at the first surprise
(``telling.py``). `scripts/try-clients` shows all of them; tests run them too, and against Docker's
own daemon (`pytest --engine=dockerd`), which proves that they ask for what it does.
"""
