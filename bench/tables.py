"""Tables in Markdown, and the sizes that pull requests are sorted into."""

import sys
from collections.abc import Iterable, Iterator

# Upper limits in bytes of diff.
SIZES = (("< 2 KB", 2_000), ("2–8 KB", 8_000), ("8–32 KB", 32_000), ("> 32 KB", 10**12))


def head(*names: str) -> Iterator[str]:
    """The first column is text, the others are figures."""
    yield row(names)
    yield row(["---", *("---:" for _ in names[1:])])


def row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def write_targets(targets: Iterable[tuple[str, str, str]]) -> None:
    """Write rows of name, target and measurement as soon as each is known."""
    sys.stdout.write(f"{row(['what', 'target', 'measured'])}\n{row(['---'] * 3)}\n")
    for target in targets:
        sys.stdout.write(f"{row(target)}\n")
        sys.stdout.flush()


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def ratio(part: float, whole: float) -> str:
    return f"{part / whole:.2f}" if whole else "–"


def size_of(diff: int) -> str:
    return next(name for name, below in SIZES if diff < below)
