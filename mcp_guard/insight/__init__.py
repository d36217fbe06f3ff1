"""Questions asked of a policy and of the log together: replay, impact, effective access, suggestions.

Nothing here decides by itself: every answer is the policy's own `decide` or `preview`, on what was recorded.
"""
