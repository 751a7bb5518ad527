"""Real images made of Debian packages, as `docker save` archives cached in `.cache/images`.

Knows tar files and Debian's tools; knows nothing of Boxship, so that an archive made here is as
foreign to it as one from anywhere else. Start with `catalog.py`.
"""
