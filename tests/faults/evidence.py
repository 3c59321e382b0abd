"""What a fault's test measured: each figure is compared with its bound, and shown in the fault's line at the end of the run."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

PROPERTY = "measured"


@dataclass(frozen=True)
class Figure:
    """One measured value."""

    what: str
    value: float
    unit: str
    at_most: float | None
    at_least: float | None


class Evidence:
    """The figures of one test, kept in `properties`, the `user_properties` of its report."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self.properties = properties

    def measured(
        self,
        what: str,
        value: float,
        unit: str = "",
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        detail: object = "",
    ) -> None:
        """Notes a value, then fails if it is out of its bounds. `detail` is shown with the failure."""
        # As a tuple, which a report takes from one process to another.
        self.properties.append((PROPERTY, astuple(Figure(what, value, unit, at_most, at_least))))
        shown = f"{what}: {_number(value)}{_space(unit)} {detail}"
        assert at_most is None or value <= at_most, f"{shown} (at most {_number(at_most)}{_space(unit)})"
        assert at_least is None or value >= at_least, f"{shown} (at least {_number(at_least)}{_space(unit)})"


def summed(figures: Iterable[object]) -> str:
    """One text of all figures: of those of one name the value nearest to its bound, or the range if there is none."""
    by_name: dict[str, list[Figure]] = {}
    for values in figures:
        assert isinstance(values, tuple)
        figure = Figure(*values)
        by_name.setdefault(figure.what, []).append(figure)
    return "; ".join(_shown(same) for same in by_name.values())


def _shown(same: list[Figure]) -> str:
    values = [figure.value for figure in same]
    unit = _space(same[0].unit)
    if same[0].at_most is not None:
        worst = max(same, key=lambda figure: figure.value - (figure.at_most or 0))
        return f"{worst.what} {_number(worst.value)}{unit} (at most {_number(worst.at_most or 0)})"
    if same[0].at_least is not None:
        worst = min(same, key=lambda figure: figure.value - (figure.at_least or 0))
        return f"{worst.what} {_number(worst.value)}{unit} (at least {_number(worst.at_least or 0)})"
    low, high = min(values), max(values)
    return f"{same[0].what} {_number(low)}{'' if low == high else f' to {_number(high)}'}{unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.2f}"


def _space(unit: str) -> str:
    return f" {unit}" if unit else ""
