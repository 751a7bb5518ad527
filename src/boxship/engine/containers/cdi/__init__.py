"""Devices by the Container Device Interface: ``vendor.com/class=name``, described in files.

A vendor's file says which edits of a runtime spec give a container the device. ``documents.py``
reads one file, ``registry.py`` knows the devices of all directories, ``edits.py`` applies them.
Source: the specification at github.com/cncf-tags/container-device-interface, 0.3.0 to 1.1.0.
Refuses to know records and requests. Start reading at ``registry.py``.
"""
