"""The API within a scope: which routes there are, and a backend that shows what the scope sees.

Two walls, each of which would do. A route that ``routes.py`` doesn't name is refused. And an
endpoint gets a backend of which every part keeps to the scope by itself, whatever the request looks
like: a part that has no business there refuses every call. Loaded with the first scope.
"""
