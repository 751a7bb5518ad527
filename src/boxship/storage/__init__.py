"""File systems as stored things: blobs, layers, snapshots of containers.

A layer is kept once, unpacked, with a recipe that rebuilds its tar to the byte; a snapshot is a
writable place on top of layers. Refuses to know registries, HTTP, and what an image's name is. All
calls here block; the engine runs them in threads. Start reading at ``root.py`` (the tree on disk),
then ``layers.py``.
"""
