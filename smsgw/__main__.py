"""`smsgw` and `python -m smsgw`: the command line, and what its end says to the system.

Expected failures end with their reason on standard error and their exit code (sysexits.h where one fits), never with a traceback. A
wrong command line is 2, but 64 for `serve`: systemd is told not to start that again (RestartPreventExitStatus).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

FAILED = 1
USAGE = 2
EX_USAGE = 64
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process."""
    from smsgw.cli import build

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        build(given[0] if given else "")(args=given, prog_name="smsgw")
    except SystemExit as end:
        if end.code == USAGE and given[:1] == ["serve"]:
            raise SystemExit(EX_USAGE) from None
        raise
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader of our pipe has seen enough; what is left must not be flushed into it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(FAILED) from None
    except Exception as error:
        lines = getattr(error, "errors", None) or [str(error) or type(error).__name__]
        code = getattr(error, "exit_code", None)
        if code is None:  # ours: a bug
            raise
        sys.stderr.writelines(f"smsgw: {line}\n" for line in lines)
        raise SystemExit(code) from None


if __name__ == "__main__":
    main()
