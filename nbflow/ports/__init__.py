"""The doors to everything outside the rules. The docstring is the contract; adapters are tested against it."""

from nbflow.ports.outbox import Claim, Message, MessageState, Outbox
from nbflow.ports.outside import Clock, Driver, Executor, Logs, Workspace
from nbflow.ports.people import PeopleStore
from nbflow.ports.runs import Owners, ReadStore, RunStore
from nbflow.ports.schedules import LEADER_TTL, BackfillProgress, Leader, NewRun, ScheduleStore
from nbflow.ports.values import SCHEDULER, Definition, FrozenPipeline, Held, Lease, Progress, Signature, StoredRun

__all__ = [
    "LEADER_TTL",
    "SCHEDULER",
    "BackfillProgress",
    "Claim",
    "Clock",
    "Definition",
    "Driver",
    "Executor",
    "FrozenPipeline",
    "Held",
    "Leader",
    "Lease",
    "Logs",
    "Message",
    "MessageState",
    "NewRun",
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
