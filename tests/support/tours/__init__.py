"""Walks through what Boxship does with real parts, printed for a person to read."""
