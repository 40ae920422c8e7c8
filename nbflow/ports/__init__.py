"""The doors to everything outside the rules. The docstring is the contract; adapters are tested against it."""

from nbflow.ports.outbox import Claim, Delivery, Letter, Message, MessageState, Notifier, Outbox
from nbflow.ports.outside import Clock, Driver, Executor, Logs, Workspace
from nbflow.ports.people import PeopleStore
from nbflow.ports.runs import Owners, ReadStore, RunStore
from nbflow.ports.schedules import LEADER_TTL, BackfillProgress, Leader, NewRun, ScheduleStore
from nbflow.ports.values import (
    SCHEDULER,
    Definition,
    FailedCell,
    FrozenPipeline,
    Held,
    Lease,
    Progress,
    Signature,
    StoredRun,
)

__all__ = [
    "LEADER_TTL",
    "SCHEDULER",
    "BackfillProgress",
    "Claim",
    "Clock",
    "Definition",
    "Delivery",
    "Driver",
    "Executor",
    "FailedCell",
    "FrozenPipeline",
    "Held",
    "Leader",
    "Lease",
    "Letter",
    "Logs",
    "Message",
    "MessageState",
    "NewRun",
    "Notifier",
    "Outbox",
    "Owners",
    "PeopleStore",
    "Progress",
    "ReadStore",
    "RunStore",
    "ScheduleStore",
    "Signature",
    "StoredRun",
    "Workspace",
]
