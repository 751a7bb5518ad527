"""Verbs about manifests in registries.

They speak to the registry themselves; no daemon is asked. Start reading at ``inspect.py``.
"""
