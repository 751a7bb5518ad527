"""Where a build's result goes beside the image store: archives, files, registries.

::

    built images ─► packed (layers compressed) ─► bundle (manifests, index; pure) ─┬─► archive
                                                                                   └─► registry
    built images ─► their files ─► tar or directory at the client

Begin with ``../outputs.py``.
"""
