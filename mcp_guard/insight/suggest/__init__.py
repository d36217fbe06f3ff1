"""A draft of a policy out of recorded calls: the tightest that reads well and lets through what was let through.

`profile` keeps what one argument was like, `observed` what one tool was, both bounded; `constraint` turns a profile
into a condition, `rules` a tool into rules, `draft` all of it into the text of a policy, and `verification` replays the
very calls on it. The same log gives the same text.
"""
