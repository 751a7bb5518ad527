"""Boxship: containers, images and everything around them, in Python.

Start reading at ``ARCHITECTURE.md``; the layers are listed there from the command line
down to the system calls.
"""

__version__ = "0.1.0"
