"""One function per instruction: a statement becomes its type.

A statement is a logical line taken apart: name, options, the rest, and the heredocs that it opens.
Nothing is looked up here that is outside of the statement. Start reading in ``table.py``.
"""
