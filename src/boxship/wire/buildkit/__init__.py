"""BuildKit's messages and the names of its methods, as its clients send them.

Facts of moby/buildkit's and tonistiigi/fsutil's ``.proto`` files: names, numbers, types. A module
per ``.proto`` file; ``methods.py`` has the table of all calls. No logic.
"""
