"""Verbs about registries: logging in and out, searching.

What is known of a user's logins is kept by ``cli/keychain.py``; these verbs ask and tell. Start
reading at ``login.py``.
"""
