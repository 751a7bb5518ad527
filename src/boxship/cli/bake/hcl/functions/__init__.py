"""The functions that bake files may call: those of buildx, by the same names.

A function takes values and returns one; what is wrong with its arguments it says by
``FunctionError`` or ``ConversionError``, and the caller adds the place. Start in ``table.py``.
"""
