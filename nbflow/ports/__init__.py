"""The doors to everything outside the rules. The docstring is the contract; adapters are tested against it."""

from nbflow.ports.drafts import Drafts
from nbflow.ports.library import Library, NotebookFile, Wish
from nbflow.ports.outbox import Claim, Delivery, Letter, Message, MessageState, Notifier, Outbox
from nbflow.ports.outside import Clock, Driver, Executor, Logs, Say, Workspace
from nbflow.ports.people import PeopleStore
from nbflow.ports.runs import Owners, ReadStore, RunStore
from nbflow.ports.schedules import BackfillProgress, Leader, NewRun, ScheduleStore
from nbflow.ports.values import (
    LEASE,
    SCHEDULER,
    Definition,
    FailedCell,
    FrozenPipeline,
    Happened,
    Held,
    Lease,
    Manifest,
    Progress,
    Signature,
    StoredRun,
    age_of_sign,
    host_of,
    silence,
)
from nbflow.ports.versions import Versions

__all__ = [
    "LEASE",
    "SCHEDULER",
    "BackfillProgress",
    "Claim",
    "Clock",
    "Definition",
    "Delivery",
    "Drafts",
    "Driver",
    "Executor",
    "FailedCell",
    "FrozenPipeline",
    "Happened",
    "Held",
    "Leader",
    "Lease",
    "Letter",
    "Library",
    "Logs",
    "Manifest",
    "Message",
    "MessageState",
    "NewRun",
    "NotebookFile",
    "Notifier",
    "Outbox",
    "Owners",
    "PeopleStore",
    "Progress",
    "ReadStore",
    "RunStore",
    "Say",
    "ScheduleStore",
    "Signature",
    "StoredRun",
    "Versions",
    "Wish",
    "Workspace",
    "age_of_sign",
    "host_of",
    "silence",
]
