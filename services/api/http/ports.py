"""What the routes reach the world with."""

from collections.abc import Callable
from dataclasses import dataclass

from contracts.clock import Clock
from services.api.corrections.ports import Corrects
from services.api.kpis.answers import Kpis
from services.api.questions.ports import AsksOthers
from services.api.views.reading import ViewsRead


@dataclass(frozen=True)
class Ports:
    """What answers are made of."""

    views: ViewsRead
    kpis: Kpis
    clock: Clock
    openapi: Callable[[], str]
    others: AsksOthers
    corrects: Corrects
