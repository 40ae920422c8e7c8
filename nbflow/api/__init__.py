"""Everything a front end can ask or order, with the caller's role checked: the one path of CLI, REST and app."""

from nbflow.api.actions import Actions
from nbflow.api.alerting import Alerting
from nbflow.api.bound import Store
from nbflow.api.definitions import Definitions, next_ticks
from nbflow.api.entrance import Entrance
from nbflow.api.health import Health
from nbflow.api.history import History
from nbflow.api.people import People
from nbflow.api.roles import Caller, Role, needs
from nbflow.api.runs import Runs
from nbflow.api.schedules import Schedules
from nbflow.api.upkeep import Upkeep
from nbflow.api.views import (
    BackfillPreview,
    BackfillView,
    Check,
    Figures,
    LogView,
    NewToken,
    PipelineView,
    RepairView,
    RunView,
    SchedulerView,
)


class Api(Definitions, History, Runs, Actions, Schedules, People, Alerting, Upkeep, Health):
    """Reads and commands for one caller. Methods raise NbflowError; nothing else is meant for people."""


__all__ = [
    "Api",
    "BackfillPreview",
    "BackfillView",
    "Caller",
    "Check",
    "Entrance",
    "Figures",
    "LogView",
    "NewToken",
    "PipelineView",
    "RepairView",
    "Role",
    "RunView",
    "SchedulerView",
    "Store",
    "needs",
    "next_ticks",
]
