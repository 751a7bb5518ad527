"""Changes to trees without a program: COPY and ADD, files and directories made.

Everything goes by descriptors from two roots, one to read and one to write, and no link leads out
of either. Knows nothing of graphs and caches. Begin with ``actions.py``.
"""
