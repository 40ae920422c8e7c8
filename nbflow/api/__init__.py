"""Everything a front end can ask or order, with the caller's role checked: the one path of CLI, REST and app."""

from nbflow.api.actions import Actions
from nbflow.api.alerting import Alerting
from nbflow.api.authoring import Authoring
from nbflow.api.bound import Store
from nbflow.api.definitions import Definitions, next_ticks, usable
from nbflow.api.entrance import Entrance
from nbflow.api.health import Health
from nbflow.api.history import History
from nbflow.api.people import People
from nbflow.api.roles import Caller, Role, needs
from nbflow.api.schedules import Schedules
from nbflow.api.trying import Trying
from nbflow.api.upkeep import Upkeep
from nbflow.api.views import (
    BackfillPreview,
    BackfillView,
    Check,
    DraftView,
    Figures,
    LogView,
    NewPipelineView,
    NewToken,
    PipelineView,
    RepairView,
    ReplayView,
    RunView,
    Saved,
    SchedulerView,
    Whys,
)


class Api(Definitions, Authoring, History, Trying, Actions, Schedules, People, Alerting, Upkeep, Health):
    """Reads and commands for one caller. Methods raise NbflowError; nothing else is meant for people."""


__all__ = [
    "Api",
    "BackfillPreview",
    "BackfillView",
    "Caller",
    "Check",
    "DraftView",
    "Entrance",
    "Figures",
    "LogView",
    "NewPipelineView",
    "NewToken",
    "PipelineView",
    "RepairView",
    "ReplayView",
    "Role",
    "RunView",
    "Saved",
    "SchedulerView",
    "Store",
    "Whys",
    "needs",
    "next_ticks",
    "usable",
]
