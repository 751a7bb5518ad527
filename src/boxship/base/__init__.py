"""What every layer may use: errors, identifiers, clock, units, atomic files.

Refuses to know anything else of Boxship, and imports the standard library alone, because the
launcher and its shims import it too. Start reading at ``errors.py``.
"""
