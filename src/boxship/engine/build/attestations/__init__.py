"""What is told about an image beside it: how it was made, and what is in it.

Pure: facts in, in-toto statements out (https://github.com/in-toto/attestation), the same bytes for
the same facts. Who puts them where is ``outputs.py``'s business.
Start reading in ``statements.py``.
"""
