"""How the whole suite runs: generated examples have no deadline, since a busy machine is no bug."""

from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")
