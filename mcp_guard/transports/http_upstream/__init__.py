"""Remote servers as ends of a switch: streamable HTTP in both protocol eras, and the HTTP+SSE of 2024-11-05.

Imported only where a remote server is guarded. HTTP itself is the room beside this one, `http_client`.
"""
