"""How a benchmark ends at an error of its user's: as the commands of whit do."""

import errno
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from whit.runtime.command_group import FAILED, tell
from whit.runtime.errors import WhitError, file_sentence


def one_sentence(main: Callable[[], None]) -> Callable[[], None]:
    """Returns `main` with errors of the user's as one sentence on stderr and exit code 2."""

    @wraps(main)
    def run() -> None:
        try:
            main()
        except WhitError as error:
            sentence = str(error)
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader went away: nobody is left to be told
                raise
            sentence = file_sentence(error, place=Path(sys.argv[0]).name)
        else:
            return
        tell(sentence)
        sys.exit(FAILED)

    return run
