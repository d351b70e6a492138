"""A progress bar for a terminal."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Rich

from claude_batch.batches.collect_result import Progress


class Bar:
    def __init__(self) -> None:
        self._rich = Rich(
            TextColumn("requests"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._rich.add_task("requests", total=None)
        self._rich.start()

    def show(self, progress: Progress) -> None:
        self._rich.update(self._task, total=progress.total, completed=progress.done, refresh=True)
        if progress.done >= progress.total:
            self._rich.stop()
