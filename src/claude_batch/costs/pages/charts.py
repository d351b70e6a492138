"""Plots as SVG text: no script, nothing fetched; colours come from the page's style.

Every mark has a <title>, which browsers show under the pointer and screen readers say; the whole
has a label. None among values is drawn as a word: what is unknown is not zero.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from html import escape

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 16, 32
LABELS = 8  # more would run into each other
NEAR = 4  # a limit further above the highest mark would flatten all: it is not drawn
CHARACTER = 7  # its width
STEPS = 4  # about so many lines across
ROUND = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
ZERO = Decimal(0)
Amount = Decimal | None


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    values: Sequence[Amount]


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    value: Decimal


@dataclass(frozen=True, slots=True)
class Chart:
    """`show` writes an amount of its unit."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    format: Callable[[Decimal], str]
    limit: Limit | None = None
    is_count: bool = False  # no half of a thing on the scale


@dataclass(frozen=True, slots=True)
class Scale:
    """From amounts to pixels; zero is always in sight."""

    low: Decimal
    high: Decimal
    step: Decimal
    slots: int

    def y(self, amount: Decimal) -> float:
        share = (amount - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - float(share) * (HEIGHT - TOP - BOTTOM)

    @property
    def slot(self) -> float:
        return (WIDTH - LEFT - RIGHT) / max(self.slots, 1)

    def x(self, index: int) -> float:
        """The middle of a slot."""
        return LEFT + self.slot * (index + 0.5)


def render_bar_chart(plot: Chart) -> str:
    """One group of bars for each label, one bar in it for each series."""
    scale = _scale(plot)
    return _whole(plot, [*_grid(plot, scale), *_bars(plot, scale), *_limit(plot, scale)])


def render_line_chart(plot: Chart) -> str:
    """A point for each amount; points of neighbouring labels are joined."""
    scale = _scale(plot)
    return _whole(plot, [*_grid(plot, scale), *_lines(plot, scale), *_limit(plot, scale)])


def _scale(plot: Chart) -> Scale:
    known = [value for series in plot.series for value in series.values if value is not None]
    low, high = min([*known, ZERO]), max([*known, ZERO])
    if plot.limit and plot.limit.value <= high * NEAR:
        high = max(high, plot.limit.value)
    step = _round_step((high - low) / STEPS or Decimal(1) / STEPS)
    step = max(step, Decimal(1)) if plot.is_count else step
    top = (high / step).to_integral_value(ROUND_CEILING) or Decimal(not low)
    foot = (low / step).to_integral_value(ROUND_FLOOR)
    return Scale(foot * step, top * step, step, len(plot.labels))


def _round_step(least: Decimal) -> Decimal:
    """The next of 1, 2, 2.5 and 5 times a power of ten."""
    power = Decimal(10) ** least.adjusted()
    return next(power * times for times in ROUND if power * times >= least)


def _whole(plot: Chart, marks: Sequence[str]) -> str:
    label = escape(plot.title, quote=True)
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">',
            f"<title>{label}</title>",
            *marks,
            "</svg>",
        ]
    )


def _grid(plot: Chart, scale: Scale) -> Iterator[str]:
    for step in range(int((scale.high - scale.low) / scale.step) + 1):
        amount = scale.low + scale.step * step
        y = scale.y(amount)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(plot.format(amount), LEFT - 6, y + 4, anchor="end")
    every = -(-len(plot.labels) // LABELS)
    for index, label in enumerate(plot.labels):
        if index % every == 0:
            room = int(scale.slot * every / CHARACTER)
            yield _text(_cut(label, room), scale.x(index), HEIGHT - BOTTOM + 18)


def _bars(plot: Chart, scale: Scale) -> Iterator[str]:
    width = scale.slot * 0.8 / max(len(plot.series), 1)
    for number, series in enumerate(plot.series):
        for index, value in enumerate(series.values):
            x = scale.x(index) - scale.slot * 0.4 + width * number
            if value is None:
                yield _text("?", x + width / 2, scale.y(ZERO) - 4, _said(plot, series, index))
                continue
            top, foot = sorted((scale.y(value), scale.y(ZERO)))
            yield (
                f'<rect class="s{number}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" '
                f'height="{foot - top:.1f}">{_said(plot, series, index)}</rect>'
            )


def _lines(plot: Chart, scale: Scale) -> Iterator[str]:
    for number, series in enumerate(plot.series):
        for index, value in enumerate(series.values):
            if value is None:
                continue
            x, y = scale.x(index), scale.y(value)
            before = series.values[index - 1] if index else None
            if before is not None:
                yield (
                    f'<line class="s{number}" x1="{scale.x(index - 1):.1f}" '
                    f'y1="{scale.y(before):.1f}" x2="{x:.1f}" y2="{y:.1f}"/>'
                )
            said = _said(plot, series, index)
            yield f'<circle class="s{number}" cx="{x:.1f}" cy="{y:.1f}" r="3">{said}</circle>'


def _limit(plot: Chart, scale: Scale) -> Iterator[str]:
    if plot.limit and plot.limit.value <= scale.high:
        y = scale.y(plot.limit.value)
        said = escape(f"{plot.limit.name}: {plot.format(plot.limit.value)}")
        yield (
            f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}">'
            f"<title>{said}</title></line>"
        )


def _said(plot: Chart, series: Series, index: int) -> str:
    value = series.values[index]
    amount = "unknown" if value is None else plot.format(value)
    return f"<title>{escape(f'{plot.labels[index]}, {series.name}: {amount}')}</title>"


def _cut(label: str, room: int) -> str:
    return label if len(label) <= room else f"{label[: room - 1]}…"


def _text(text: str, x: float, y: float, said: str = "", anchor: str = "middle") -> str:
    inner = escape(text) + said
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{inner}</text>'
