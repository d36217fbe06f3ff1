"""How the whole suite runs.

The examples of a property are generated alike each time, so that what the suite says hangs on the code alone;
`--hypothesis-profile=search` generates others, to be run when a property or what it speaks of changes. They have no
deadline, since a busy machine is no bug. The programs that the suite starts hear Ctrl-C, also where it runs behind
something that ignores it (`nohup`, a shell's `&`) and would hand that on to them.
"""

import signal

from hypothesis import settings

settings.register_profile("project", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile("project")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
