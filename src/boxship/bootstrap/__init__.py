"""A base image out of a distribution's package mirror, without a registry.

Knows Debian's archives and packages, and an engine through ``client``; refuses to know how the
engine does anything, and touches no file of this machine but temporary ones. The maintainer scripts
run in a container of the engine, so that it needs neither root nor Debian's tools here.

Start reading in ``building.py`` (the whole way), then ``archive.py`` (what a mirror offers) and
``resolving.py`` (which packages it takes).
"""
