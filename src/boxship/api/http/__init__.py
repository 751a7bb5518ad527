"""An HTTP/1.1 server over asyncio's transports, for what the Engine API needs of one.

That is: small answers fast over kept-alive connections, long streams with back-pressure, uploads,
and connections that stop being HTTP. ``httptools`` (llhttp) parses what clients send. Refuses to
know Docker. Start reading at ``connection.py``.
"""
