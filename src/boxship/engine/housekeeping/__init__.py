"""What concerns objects of several kinds at once, beyond what Docker does with them.

Copies of volumes stop the containers that write to them meanwhile; the trash brings back containers
with what they stand on. It knows no HTTP. Start at ``volumecopies.py`` or ``trash.py``.
"""
