"""A small HTTP/1.1 client for one origin: kept connections, TLS, proxies, cookies. What is said over it is no matter of
this room.

`client.HttpClient` is the way in. `incoming` reads responses (llhttp, in its strict mode) and does no I/O; `connection`
carries one exchange at a time; `connecting` makes connections stand. Whatever goes wrong is an `errors.HttpError`, or
the `OSError` of a connection that never stood.
"""
