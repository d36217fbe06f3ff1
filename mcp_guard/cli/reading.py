"""Reading the files that a person names."""

from mcp_guard.errors import GuardError


def read_file(path: str, what: str, hint: str = "check the path") -> bytes:
    """The bytes of a file that should hold a `what`; `hint` says how to mend it. Raises GuardError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except IsADirectoryError:
        raise GuardError(f"{path}: a directory, not a {what} file", "give a YAML or JSON file") from None
    except PermissionError as error:
        hint = "give this user the right to read it, and its directory"
        raise GuardError(f"{path}: cannot read the {what}: {error.strerror}", hint) from None
    except OSError as error:
        raise GuardError(f"{path}: cannot read the {what}: {error.strerror}", hint) from None
    except ValueError:  # a NUL in it, as YAML can write one
        raise GuardError(f"{path!r} names no file", hint) from None
