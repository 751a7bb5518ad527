"""Files that builds fetch themselves: from a URL, or out of a git repository.

Each is put into a directory of the caller's, and said by what it is: the digest of a file, a
repository's commit. Knows nothing of graphs and caches.
"""
