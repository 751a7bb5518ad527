"""Verify what is stored, and put right what can be without loss.

Safe beside a running engine: an object is looked at under a lease or a lock, and whatever may just
be in the making is left alone. Start reading at ``layer.py``; what a layer's tree must look like is
told by unpacking its headers once more (``outline.py``), so there is no second opinion on that.
"""
