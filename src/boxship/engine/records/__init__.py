"""What the engine remembers: one SQLite database, typed records, one writer.

Refuses to know what a record means. Start reading at ``database.py``.
"""
