"""Writing policies in an editor: what a language server says, worked out without one.

`draft` reads a policy that is being written, `completion`, `hover` and `navigation` answer for a place in it. Pure: the
text and a catalog of tools go in. `server` alone knows the protocol of editors, and is imported by nothing else here.
"""
