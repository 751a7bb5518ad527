"""Volumes: directories that outlive containers.

A volume's identity is its id, under which its files lie (``storage/volumes.py``); its name is one
field of the record. Who uses a volume follows from the containers' records and is counted nowhere.
It knows no HTTP and no container but through :class:`users.VolumeUsers`. Start at ``service.py``.
"""
