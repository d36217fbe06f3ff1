"""Calls, prompts and resources that a person has to approve: asked through the client or in the store, waited for,
settled.

`waiting` holds what waits, `binding` ties an approval to exactly one call, `form` is what a person is shown and says,
`asking` puts the question, `settling` does what comes of it. Only `calls` and `offers` admit anything, here as
everywhere.
"""
