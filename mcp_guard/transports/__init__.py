"""Bytes to lines and back: pipes, processes, HTTP on either side. What a line means is the gate's business.

`stdio` is the pump between two pairs of pipes, the hot path; `switch` does the same for every other pair of ends. The
invariant of both: the row of a call is committed before its line goes upstream.
"""
