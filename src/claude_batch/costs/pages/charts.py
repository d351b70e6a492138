"""Charts as SVG text: no script, nothing fetched, colors from the page's style.

Every mark has a <title>, which browsers show under the pointer and screen readers read out.
A value of None is drawn as a question mark: unknown is not zero.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from html import escape

WIDTH, HEIGHT = 720, 240  # pixels, as all lengths here
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 16, 32  # margins
MAX_LABELS = 8  # more would overlap
MAX_LIMIT_RATIO = 4  # a limit further above the highest mark would flatten all marks
CHARACTER_WIDTH = 7
GRID_STEPS = 4  # about the number of grid lines
ROUND_FACTORS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
ZERO = Decimal(0)
Amount = Decimal | None


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    values: Sequence[Amount]


@dataclass(frozen=True, slots=True)
class Limit:
    """A horizontal line, such as a budget."""

    name: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    format: Callable[[Decimal], str]  # writes an amount with its unit
    limit: Limit | None = None
    is_count: bool = False  # the scale has no fractions
    is_line: bool = False  # lines instead of bars
    note: str = ""  # shown below the title

    def show(self, value: Amount) -> str:
        return "unknown" if value is None else self.format(value)

    @property
    def table_head(self) -> list[str]:
        return ["", *(series.name for series in self.series)]

    @property
    def table_rows(self) -> list[list[str]]:
        return [
            [label, *(self.show(series.values[index]) for series in self.series)]
            for index, label in enumerate(self.labels)
        ]

    @property
    def limit_label(self) -> str:
        return f"{self.limit.name}: {self.format(self.limit.value)}" if self.limit else ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Convert amounts to pixels. Zero is always on the scale."""

    low: Decimal
    high: Decimal
    step: Decimal
    slots: int  # number of labels

    def y(self, amount: Decimal) -> float:
        share = (amount - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - float(share) * (HEIGHT - TOP - BOTTOM)

    @property
    def slot_width(self) -> float:
        return (WIDTH - LEFT - RIGHT) / max(self.slots, 1)

    def x(self, index: int) -> float:
        """Return the middle of a slot."""
        return LEFT + self.slot_width * (index + 0.5)


def render_chart(chart: Chart) -> str:
    """Return a chart with a group of bars per label, or a point per amount.

    Lines join the points of neighboring labels.
    """
    scale = _scale(chart)
    title = escape(chart.title, quote=True)
    marks = _lines(chart, scale) if chart.is_line else _bars(chart, scale)
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            *_grid(chart, scale),
            *marks,
            *_limit(chart, scale),
            "</svg>",
        ]
    )


def _scale(chart: Chart) -> Scale:
    known = [value for series in chart.series for value in series.values if value is not None]
    low, high = min([*known, ZERO]), max([*known, ZERO])
    if chart.limit and chart.limit.value <= high * MAX_LIMIT_RATIO:
        high = max(high, chart.limit.value)
    step = _round_up((high - low) / GRID_STEPS or Decimal(1) / GRID_STEPS)
    step = max(step, Decimal(1)) if chart.is_count else step
    steps_above = (high / step).to_integral_value(ROUND_CEILING) or Decimal(not low)
    steps_below = (low / step).to_integral_value(ROUND_FLOOR)
    return Scale(steps_below * step, steps_above * step, step, len(chart.labels))


def _round_up(amount: Decimal) -> Decimal:
    """Return the next of 1, 2, 2.5 and 5 times a power of ten."""
    power = Decimal(10) ** amount.adjusted()
    return next(power * factor for factor in ROUND_FACTORS if power * factor >= amount)


def _grid(chart: Chart, scale: Scale) -> Iterator[str]:
    for step in range(int((scale.high - scale.low) / scale.step) + 1):
        amount = scale.low + scale.step * step
        y = scale.y(amount)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(chart.format(amount), LEFT - 6, y + 4, anchor="end")
    every = -(-len(chart.labels) // MAX_LABELS)
    for index, label in enumerate(chart.labels):
        if index % every == 0:
            max_length = int(scale.slot_width * every / CHARACTER_WIDTH)
            yield _text(_shorten(label, max_length), scale.x(index), HEIGHT - BOTTOM + 18)


def _bars(chart: Chart, scale: Scale) -> Iterator[str]:
    width = scale.slot_width * 0.8 / max(len(chart.series), 1)
    for number, series in enumerate(chart.series):
        for index, value in enumerate(series.values):
            title = _title(chart, series, index)
            x = scale.x(index) - scale.slot_width * 0.4 + width * number
            if value is None:
                yield _text("?", x + width / 2, scale.y(ZERO) - 4, title)
                continue
            top, bottom = sorted((scale.y(value), scale.y(ZERO)))
            yield (
                f'<rect class="s{number}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" '
                f'height="{bottom - top:.1f}">{title}</rect>'
            )


def _lines(chart: Chart, scale: Scale) -> Iterator[str]:
    for number, series in enumerate(chart.series):
        for index, value in enumerate(series.values):
            if value is None:
                continue
            x, y = scale.x(index), scale.y(value)
            previous = series.values[index - 1] if index else None
            if previous is not None:
                yield (
                    f'<line class="s{number}" x1="{scale.x(index - 1):.1f}" '
                    f'y1="{scale.y(previous):.1f}" x2="{x:.1f}" y2="{y:.1f}"/>'
                )
            title = _title(chart, series, index)
            yield f'<circle class="s{number}" cx="{x:.1f}" cy="{y:.1f}" r="3">{title}</circle>'


def _limit(chart: Chart, scale: Scale) -> Iterator[str]:
    if chart.limit and chart.limit.value <= scale.high:
        y = scale.y(chart.limit.value)
        yield (
            f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}">'
            f"<title>{escape(chart.limit_label)}</title></line>"
        )


def _title(chart: Chart, series: Series, index: int) -> str:
    amount = chart.show(series.values[index])
    return f"<title>{escape(f'{chart.labels[index]}, {series.name}: {amount}')}</title>"


def _shorten(label: str, max_length: int) -> str:
    return label if len(label) <= max_length else f"{label[: max_length - 1]}…"


def _text(text: str, x: float, y: float, title: str = "", anchor: str = "middle") -> str:
    content = escape(text) + title
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{content}</text>'
