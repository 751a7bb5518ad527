"""Containers' logs as a shim has them: files it writes itself, and targets elsewhere.

``json-file`` and ``local`` are files, written by the shim. All other drivers run in a process of
their own, the sender, which the shim forks and feeds; what they have to be is in ``driver.py``. A
driver is a module of this package with ``open_driver``, loaded in the sender only. Standard library
only, no event loop; nothing here knows options' defaults or the engine: what arrives in a
``LogTarget`` has been checked.
"""
