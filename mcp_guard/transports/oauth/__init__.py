"""Logging in to remote servers with OAuth: the flows are the SDK's, imported only when one has to be run.

What is kept here is where tokens live, how a person is asked, and how a token gets onto the guard's own requests.
"""
