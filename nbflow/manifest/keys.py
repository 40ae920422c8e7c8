"""Every key of a manifest with its kind and its meaning: what is read, checked, completed and documented."""

from __future__ import annotations

from nbflow.manifest.containers import Key, list_of, map_of, pair_of, record, some
from nbflow.manifest.document import Node
from nbflow.manifest.kinds import (
    A_MINUTE_OR_MORE,
    A_SECOND_OR_MORE,
    DATE,
    DURATION,
    ENV_NAME,
    FLAG,
    JSON,
    NUMBER,
    PARAM_NAME,
    PIPELINE_NAME,
    SOME_TIME,
    TASK_NAME,
    TEXT,
    TIME,
    WHEN,
    WORD,
    Kind,
    integer,
    named,
    number,
    one_of,
)
from nbflow.manifest.report import Report
from nbflow.params import templates
from nbflow.scalars import Unfit, describe
from nbflow.states import JoinRule

MOST_ITEMS = 1000

# --- schedule, alerts, parameters ----------------------------------------------------------------------------------

_MISSED_WORD = one_of("latest", "none", "all")
_MISSED_LAST = record({"last": Key(integer(1), "How many of the latest missed ticks still run.", is_required=True)})


def _missed(node: Node, report: Report) -> str | int:
    if isinstance(node.value, dict):
        last: str | int = _MISSED_LAST.read(node, report).get("last", 1)
        return last
    word: str = _MISSED_WORD.read(node, report)
    return word


MISSED = Kind(_missed, {"anyOf": [_MISSED_WORD.schema, _MISSED_LAST.schema]})

SCHEDULE = {
    "cron": Key(WORD, "Five fields, six with seconds last, or a word such as @daily."),
    "every": Key(A_SECOND_OR_MORE, "Elapsed time between two runs, instead of cron; 1s or more."),
    "timezone": Key(WORD, "IANA name of the zone that times are written in; UTC without one."),
    "start": Key(DATE, "First day with runs, in the zone."),
    "end": Key(DATE, "Last day with runs, in the zone."),
    "missed": Key(
        MISSED, "Which ticks run that the scheduler sees too late: latest, none, all or {last: n}; latest without it."
    ),
    # A takeover takes up to 20 s, and must never lose a tick.
    "grace": Key(A_MINUTE_OR_MORE, "How late a tick may be seen without being missed; 10m without it, at least 1m."),
    "overlap": Key(
        one_of("queue", "skip", "cancel_running"),
        "What a tick does while max_active_runs runs are unfinished; queue without it.",
    ),
}

ALERTS = {
    "on_failure": Key(some(WORD), "Channels of nbflow.toml that hear of a failed run."),
    "on_recovery": Key(some(WORD), "Channels that hear of the first success after a failure."),
    "on_missed": Key(some(WORD), "Channels that hear of missed and skipped ticks, and backfills paused for a fault."),
    "on_late": Key(some(WORD), "Channels that hear of a run that is late."),
    "late_after": Key(TIME, "Time of day, in the schedule's zone, at which a run must have finished."),
}

_ANY = list_of(JSON)


def _choices(node: Node, report: Report) -> tuple[object, ...]:
    choices: tuple[object, ...] = _ANY.read(node, report)
    if not choices:
        raise Unfit("cannot be empty", "Leave it out where every value is allowed.")
    return choices


PARAM = {
    "type": Key(WORD, "A Python annotation: str, int | None, Literal['a', 'b'], list[str], date …"),
    "default": Key(JSON, "The value where none is given; without it one must be given."),
    "choices": Key(Kind(_choices, {**_ANY.schema, "minItems": 1}), "The only values that are allowed."),
    "description": Key(TEXT, "What it means, for the form in the app."),
}

# --- tasks ---------------------------------------------------------------------------------------------------------

RETRIES = {
    "max_retries": Key(integer(0), "How often a failed task is tried again: 3 means up to 4 attempts; 0 without it."),
    "delay": Key(DURATION, "Time from the end of a failed attempt to the next one; 30s without it."),
    "backoff": Key(
        one_of("fixed", "exponential"), "Whether the delay doubles with each failure; exponential without it."
    ),
    "max_delay": Key(DURATION, "The delay never grows beyond this; 10m without it."),
    "jitter": Key(number(0, 1), "0.2 multiplies each delay by a factor between 0.8 and 1.2; 0 without it."),
    "never_on": Key(some(WORD), "Names of exceptions that are not worth a retry."),
    "only_on": Key(some(WORD), "Names of the only exceptions that are worth a retry."),
    "on_lost": Key(one_of("retry", "fail"), "fail: never start it again when its process is gone; retry without it."),
}

_CONDITION = {
    "file": Key(TEXT, "A file that must exist."),
    "pipeline": Key(TEXT, "A pipeline whose run for the same date must have ended well."),
    "seconds": Key(NUMBER, "Time that must pass."),
    "timeout": Key(SOME_TIME, "How long to wait at most."),
    "every": Key(SOME_TIME, "How often to look."),
}
_CONDITION_RECORD = record(_CONDITION)
_CONDITIONS = frozenset({"file", "pipeline", "seconds"})


def _condition(node: Node, report: Report) -> object:
    _CONDITION_RECORD.read(node, report)
    if len(node.entries.keys() & _CONDITIONS) != 1:
        raise Unfit("must have exactly one of file, pipeline, seconds")
    return node.plain()


def _items(node: Node, _: Report) -> object:
    match node.value:
        case str() as text if templates.is_template(text):
            return text
        case tuple() as items:
            count = len(items)
        case dict() as table if all(isinstance(column.value, tuple) for column in table.values()):
            count = 1
            for column in table.values():
                count *= len(column.value)
        case _:
            raise Unfit(f"must be a list, a table of lists or a template that gives one, not {describe(node.plain())}")
    if count > MOST_ITEMS:
        raise Unfit(f"has {count:,} items; at most {MOST_ITEMS:,} are allowed")
    return node.plain()


CONDITION = Kind(_condition, _CONDITION_RECORD.schema)
ITEMS = Kind(_items, {"type": ["array", "object", "string"]})

_SHARED = {
    "params": Key(map_of(JSON, PARAM_NAME), "Values for the notebook's parameters, or templates that give them."),
    "run_if": Key(one_of(*JoinRule), "What the upstreams must have done before it runs; all_success without it."),
    "retries": Key(record(RETRIES, short="max_retries"), "Whether and when a failed attempt is tried again."),
    "timeout": Key(SOME_TIME, "How long one attempt may take; no limit without it."),
    "cell_timeout": Key(SOME_TIME, "How long one cell may take; no limit without it."),
    "pool": Key(WORD, "A pool of nbflow.toml: at most so many at once across all pipelines."),
    "pool_slots": Key(integer(1), "How many places of the pool it takes; 1 without it."),
    "priority": Key(integer(), "Among ready tasks the higher one starts first; 0 without it."),
    "allow_failure": Key(FLAG, "Its failure does not fail the run."),
    "kernel": Key(WORD, "Name of the kernel; the notebook's own without it."),
    "env": Key(map_of(TEXT, ENV_NAME), "Environment variables of the kernel."),
    "secrets": Key(map_of(WORD, ENV_NAME), "Environment variables with secrets: their names, never the values."),
    "resources": Key(map_of(JSON), "What it needs of a machine, for executors that ask.", is_supported=False),
}

TASK = {
    "notebook": Key(WORD, "Path of the notebook, relative to the manifest.", is_required=True),
    "depends_on": Key(some(WORD), "The task, or the tasks, that it runs after."),
    "when": Key(WHEN, "true, false or a template that gives one; it is skipped on false."),
    "for_each": Key(ITEMS, "One task run for each item.", is_supported=False),
    "wait_for": Key(some(CONDITION), "What must be true before the first attempt.", is_supported=False),
    "reads": Key(some(TEXT), "Files or named assets that it reads.", is_supported=False),
    "produces": Key(some(TEXT), "Files or named assets that it must write.", is_supported=False),
    "position": Key(pair_of(NUMBER), "Where the editor drew it."),
    **_SHARED,
}

# --- the whole -----------------------------------------------------------------------------------------------------

KEEP = {
    "runs": Key(SOME_TIME, "How long finished runs are kept."),
    "count": Key(integer(1), "How many finished runs are kept at most; older ones go first."),
}

PIPELINE = {
    "name": Key(named(PIPELINE_NAME), "Name of the pipeline, unique in the project.", is_required=True),
    "description": Key(TEXT, "What it is for."),
    "owner": Key(TEXT, "Who answers for it."),
    "tags": Key(list_of(WORD), "Words to find it by."),
    "schedule": Key(record(SCHEDULE, short="cron"), "When runs start by themselves; without it only by hand."),
    "max_active_runs": Key(
        integer(1),
        "How many of its runs may go on at once; 1 without it. Others wait; nbflow run does not, but counts.",
    ),
    "params": Key(map_of(record(PARAM), PARAM_NAME), "Typed parameters of a run."),
    "defaults": Key(record(_SHARED), "Keys for every task; a task's own keys win."),
    "alerts": Key(record(ALERTS), "Who is told of what."),
    "keep": Key(record(KEEP, short="runs"), "How long its finished runs are kept, and how many."),
    "tasks": Key(map_of(record(TASK), TASK_NAME), "The tasks by name.", is_required=True),
}

MANIFEST = record(PIPELINE)
"""The document as a whole."""
