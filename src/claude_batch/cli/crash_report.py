"""Write the log of a bug, in the form of an issue."""

import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

from claude_batch import __version__

REPORT = """\
# claude-batch {version} ended with a bug

- command: `{command}`
- python: {python} on {platform}

```
{trace}
```
"""


def write_crash_report(argv: Sequence[str]) -> tuple[str, str]:
    """Write the log of the current exception. Return a problem and a remedy."""
    text = REPORT.format(
        version=__version__,
        command=" ".join(["claude-batch", *argv[1:]]),
        python=platform.python_version(),
        platform=platform.platform(),
        trace=traceback.format_exc().rstrip(),
    )
    kind = sys.exc_info()[0]
    name = kind.__name__ if kind else "error"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="claude-batch-", suffix=".md", delete=False, encoding="utf-8"
        ) as log:
            log.write(text)
    except OSError:
        sys.stderr.write(text)
        return f"a bug of claude-batch ({name})", "report it with the text above"
    return (
        f"a bug of claude-batch ({name}), written to {Path(log.name)}",
        "report it with that file; nothing that was recorded is lost",
    )
