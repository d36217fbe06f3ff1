"""The way in: `mcp-guard …` and `python -m mcp_guard …`.

`run` is the product, and clients wait for it at every start: its plain form goes to the guard without loading a
command-line library. Everything else, and every mistake, goes to the full command line.
"""

import gc
import sys


def main() -> None:
    """Run the command that the process was started with, and end with its status."""
    try:
        _run(sys.argv[1:])
    except KeyboardInterrupt:  # while it was still being loaded: from then on, each command takes it as it should
        raise SystemExit(130) from None


def _run(words: list[str]) -> None:
    if words[:1] == ["run"]:
        gc.disable()  # of what is imported, one object in a hundred is garbage; `start` has it enabled again
        from mcp_guard.cli.run_arguments import parse

        arguments = parse(words[1:])
        if arguments is not None:
            from mcp_guard.cli.start import start

            raise SystemExit(start(arguments))
        gc.enable()
    from mcp_guard.cli import app

    app.main(words)


if __name__ == "__main__":
    main()
