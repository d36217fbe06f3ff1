"""Agent clients and their configuration files: where each has its servers, and how a guard is put in front of them.

One small module a client says where its files are; two say how a file is edited without touching anything else in it.
Only `files` and `records` touch the disk.
"""
