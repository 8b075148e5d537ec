"""The figure of the comparison: wall and CPU seconds of each contestant, with the spread of the rounds."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison.table import Line, Spread
from tasks.figure_style import BLUE, INK, VERMILLION, DrawnFigure, new_figure, save


def draw_comparison(lines: Sequence[Line], folder: Path, name: str, work: str) -> DrawnFigure | None:
    """Draw a bar for wall and one for CPU seconds, as PNG and SVG; nothing if everybody failed.

    Args:
        lines: What each contestant took; those that failed are left out.
        folder: Where the files go; made when missing.
        name: The files' name.
        work: What was trained, in words.
    """
    done = [line for line in lines if line.wall and line.cpu]
    if not done:
        return None
    title = f"Seconds for {work}"
    caption = (
        "Median of the rounds, start-up included; whiskers: from the least to the most. CPU seconds are "
        "those of the whole process tree."
    )
    words = [f"{line.contestant.title} {line.wall.median:.1f} s" for line in done if line.wall]
    with new_figure(7.2, 0.9 + 0.62 * len(done)) as figure:
        axes = figure.add_subplot(title=title, xlabel="Seconds")
        axes.grid(False, axis="y")
        axes.grid(True, axis="x")
        places = range(len(done))
        for spreads, shift, colour, hatch, label in (
            ([line.wall for line in done if line.wall], -0.19, BLUE, "", "wall"),
            ([line.cpu for line in done if line.cpu], 0.19, VERMILLION, "///", "CPU"),
        ):
            bars = axes.barh(
                [place + shift for place in places], [each.median for each in spreads], 0.36,
                xerr=_whiskers(spreads), color=colour, hatch=hatch, edgecolor="white", label=label,
                error_kw={"ecolor": INK, "elinewidth": 1, "capsize": 2},
            )  # fmt: skip
            axes.bar_label(bars, [f"{each.median:.1f}" for each in spreads], padding=6, fontsize=9)
        axes.set_yticks(list(places), [line.contestant.title.replace("`", "") for line in done])
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.legend(loc="lower right")
        alt = f"{title}: {', '.join(words)}"
        return save(figure, folder, name, exercise=0, title=title, caption=caption, alt=alt)


def _whiskers(spreads: Sequence[Spread]) -> list[list[float]]:
    return [[each.median - each.least for each in spreads], [each.most - each.median for each in spreads]]
