"""What concerns objects of several kinds at once, beyond what Docker does with them.

Copies of volumes stop the containers that write to them meanwhile. It knows no HTTP. Start at
``volumecopies.py``.
"""
