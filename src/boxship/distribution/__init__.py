"""The registry client: endpoints, authorization, manifests and blobs, both ways.

Blocking and thread-safe; whoever wants several transfers at once brings threads. It speaks the OCI
distribution specification and what Docker's registries speak beyond it. It refuses to know the
engine, the store and the Engine API: bytes go in and out as chunks, names as references. Start
reading at ``registries.py``, then ``repository.py``.
"""
