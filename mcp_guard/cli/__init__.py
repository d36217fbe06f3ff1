"""The command line: one module a command. Each reads its options, asks the rooms below, and prints; none decides.

Nothing here is imported before it is needed: `run` starts without a command-line library (`__main__`).
"""
