"""How the whole suite runs: generated examples have no deadline, since a busy machine is no bug; and the programs that
it starts hear Ctrl-C, also where the suite runs behind something that ignores it (`nohup`, a shell's `&`) and would
hand that on to them.
"""

import signal

from hypothesis import settings

settings.register_profile("project", deadline=None)
settings.load_profile("project")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
