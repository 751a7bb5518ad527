"""Managed plugins: installed from a registry or made here, and run by the engine itself.

A plugin's process is a container of a yard of its own (``yard.py``): the same records, shims and
restarts as of any container, on a shelf that nobody else sees. What Docker calls enabling is its
start. It refuses to know what plugins are asked; enabled ones are registered with
``engine.plugins``. Start at ``service.py``.
"""
