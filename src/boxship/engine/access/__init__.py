"""Who may do what: scopes, the permissions they are made of, and the log of what was done by them.

A *scope* is a name, permissions (``containers:read``) and labels. Who comes in by a scope's socket
or with its token can do what the permissions say, with objects that carry the labels. This package
knows what a scope is and what may be asked within one; ``boxship.api.scoped`` keeps to it.
"""
