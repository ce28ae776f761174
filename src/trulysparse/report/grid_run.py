"""What controls of homes came to: what the report of a grid shows, as figures and arrays alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

AGENTS, RULE, BOUND = "agents", "rule", "bound"
"""Kinds of controls: what learned, what follows a rule, and what knows the future."""

SEEN, UNSEEN = "seen", "unseen"
"""Homes and weeks: learned from, or not."""

Hourly = NDArray[np.floating]


@dataclass(frozen=True)
class Share:
    """What a control came to in some homes and weeks.

    Args:
        ratio: cost over that without control.
        saving: share of the bound's saving that it reaches; NaN where the bound saves nothing.

    Example:
        >>> from trulysparse.report.grid_run import Share
        >>> Share(0.72, 0.85).saving
        0.85
    """

    ratio: float
    saving: float


@dataclass(frozen=True, kw_only=True)
class Control:
    """What one control of the homes came to.

    Args:
        name: of it.
        kind: AGENTS, RULE or BOUND.
        cost: $ of all homes in all weeks; of several seeds their mean.
        whole: in all homes and weeks.
        parts: by (SEEN or UNSEEN homes, SEEN or UNSEEN weeks); none where nothing is held out.
        lowest: share of saving of the seed with the least; None of one seed.
        highest: of the seed with the most.
        oracle: whether it knows what no controller could: the future.
        figures: more of it, by name, such as peak in kW.

    Example:
        >>> from trulysparse.report.grid_run import Control, Share
        >>> control = Control(name="self-consumption", kind="rule", cost=812.5, whole=Share(0.72, 0.85))
        >>> control.parts
        {}
    """

    name: str
    kind: str
    cost: float
    whole: Share
    parts: Mapping[tuple[str, str], Share] = field(default_factory=dict)
    lowest: float | None = None
    highest: float | None = None
    oracle: bool = False
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HomeWeek:
    """Some days of one home, an entry per hour.

    Args:
        home: its name.
        control: who controlled it.
        days: names of the days, that of the first hour included.
        first_hour: of the day, 0 to 23.
        load: kWh.
        pv: kWh, positive.
        net: kWh at the meter, above 0 where it imports.
        charge: kWh in the battery at the end of the hour.
        price: of import, $/kWh.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.grid_run import HomeWeek
        >>> hours = np.ones(24)
        >>> week = HomeWeek(home="home 1", control="agents", days=["Monday"], first_hour=0, load=hours, pv=0 * hours,
        ...                 net=hours, charge=0 * hours, price=0.2 * hours)
        >>> len(week.net)
        24
    """

    home: str
    control: str
    days: Sequence[str]
    first_hour: int
    load: Hourly
    pv: Hourly
    net: Hourly
    charge: Hourly
    price: Hourly


@dataclass(frozen=True, kw_only=True)
class GridHours:
    """What the grid saw under one control, an entry per hour.

    Args:
        control: its name.
        transformer: loading over its rating, the highest of several transformers.
        lowest: lowest voltage of all homes, p.u.
        highest: highest one.
        line: loading of the fullest line over its rating; () where it is not known.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.grid_run import GridHours
        >>> hours = GridHours(control="agents", transformer=np.array([0.4, 1.1]), lowest=np.array([0.96, 0.94]),
        ...                   highest=np.array([1.0, 1.01]))
        >>> float(hours.transformer.max())
        1.1
    """

    control: str
    transformer: Hourly
    lowest: Hourly
    highest: Hourly
    line: Hourly = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class BudgetRow:
    """A figure of the agents' devices.

    Args:
        name: of the figure, with its unit.
        mean: of the agents.
        largest: of the agents.
        allowed: on the device; None: no limit.
        dense: of a dense network of the same widths; None: not known.

    Example:
        >>> from trulysparse.report.grid_run import BudgetRow
        >>> BudgetRow("RAM, bytes", 9_000, 9_400, allowed=96_000).is_over
        False
    """

    name: str
    mean: float
    largest: float
    allowed: float | None = None
    dense: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether some agent needs more than its device has."""
        return self.allowed is not None and self.largest > self.allowed
