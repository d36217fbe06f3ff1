"""The one kind of error that is meant for a person: what is wrong, and how to mend it.

Nothing else may end a command: a traceback on someone's terminal is a bug of ours.
"""


class GuardError(Exception):
    """Something that the person at the keyboard can mend.

    `message` says what is wrong and where, in one line, without secrets; `hint` says what to do about it, or is empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
