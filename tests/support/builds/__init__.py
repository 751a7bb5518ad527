"""Builds by several engines and clients, and what came of them beside each other.

Start in `examples.py`; `documents.py` compares images, `asking.py` speaks to the classic door.
"""
