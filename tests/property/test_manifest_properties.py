"""What holds for every manifest: dump and parse are inverse, checking never fails, every cycle is found."""

from __future__ import annotations

import string
from datetime import date, time, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nbflow.graph import cycle_path
from nbflow.manifest import check, dump, parse
from nbflow.manifest.kinds import GREATEST
from nbflow.model import Alerts, Keep, Param, Pipeline, PipelineName, Retries, Schedule, Task, TaskName
from nbflow.states import JoinRule

names = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=12).map(lambda tail: f"t{tail}")
identifiers = st.text(string.ascii_letters + "_", min_size=1, max_size=8).map(lambda tail: f"x{tail}")
plain_text = st.text(max_size=20).filter(lambda text: "{{" not in text and "{%" not in text)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | plain_text
    | st.sampled_from(
        ["no", "1e5", ".5e3", "0o14", "2026-04-01", "12:30", "null", "~", "<<", "=", "- a", "# b", "a: b"]
    )
    | st.just("{{ run_date }}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain_text, inner, max_size=3),
    max_leaves=8,
)
durations = st.timedeltas(timedelta(0), timedelta(days=1000))
some_time = st.timedeltas(timedelta(microseconds=1), timedelta(days=1000))
lines = plain_text.filter(lambda text: "\0" not in text)
words = lines.filter(str.strip)
word_lists = st.lists(words, max_size=3).map(tuple)
times = st.builds(time, st.integers(0, 23), st.integers(0, 59))
alerts = st.builds(
    Alerts,
    on_failure=word_lists,
    on_recovery=word_lists,
    on_missed=word_lists,
    on_late=word_lists,
    late_after=st.none() | times,
)

schedules = st.builds(
    lambda cadence, days, **rest: Schedule(**cadence, start=min(days), end=max(days), **rest),
    st.sampled_from([{"cron": "0 2 * * *"}, {"cron": "@daily"}, {"every": timedelta(minutes=15)}]),
    st.lists(st.dates(date(2000, 1, 1), date(9000, 12, 31)), min_size=1, max_size=2),
    timezone=st.sampled_from(["UTC", "America/Los_Angeles"]),
    missed=st.sampled_from(["latest", "none", "all"]) | st.integers(1, 99),
    grace=st.timedeltas(timedelta(minutes=1), timedelta(days=1000)),
    overlap=st.sampled_from(["queue", "skip", "cancel_running"]),
)
retries = st.just(Retries()) | st.builds(
    Retries,
    max_retries=st.integers(0, 9),
    delay=durations,
    backoff=st.sampled_from(["fixed", "exponential"]),
    max_delay=durations,
    jitter=st.floats(0, 1),
    never_on=word_lists,
    only_on=word_lists,
    on_lost=st.sampled_from(["retry", "fail"]),
)


def params_of(values: dict[str, Any]) -> dict[str, Param]:
    return {name: Param(name=name, **fields) for name, fields in values.items()}


param_fields = st.fixed_dictionaries({"default": json_values, "description": lines}) | st.sampled_from(
    [
        {"type": "int", "default": 3, "choices": (1, 3)},
        {"type": "date | None", "default": None},
        {"type": "Literal['a', 'b']", "default": "b"},
    ]
)


@st.composite
def tasks(draw: st.DrawFn, name: str, earlier: list[str]) -> Task:
    variables = draw(st.lists(identifiers, unique=True, max_size=4))
    half = len(variables) // 2
    optional: dict[str, Any] = {
        "params": st.dictionaries(identifiers, json_values, max_size=3),
        "run_if": st.sampled_from(JoinRule),
        "when": st.booleans() | st.just("{{ run_date == '2026-04-01' }}"),
        "retries": retries,
        "timeout": some_time,
        "cell_timeout": some_time,
        "pool_slots": st.integers(1, 9),
        "pool": words,
        "priority": st.integers(-GREATEST, GREATEST),
        "allow_failure": st.booleans(),
        "kernel": words,
        "env": st.fixed_dictionaries(dict.fromkeys(variables[:half], lines)),
        "secrets": st.fixed_dictionaries(dict.fromkeys(variables[half:], words)),
        "position": st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
    }
    upstreams = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
    return Task(
        name=TaskName(name),
        notebook=draw(st.sampled_from(["a.ipynb", "sub/b.ipynb", "zwei Wörter.ipynb"])),
        depends_on=tuple(map(TaskName, upstreams)),
        **draw(st.fixed_dictionaries({}, optional=optional)),
    )


@st.composite
def pipelines(draw: st.DrawFn) -> Pipeline:
    task_names = draw(st.lists(names, unique=True, min_size=1, max_size=5))
    optional: dict[str, Any] = {
        "description": lines,
        "owner": lines,
        "tags": word_lists,
        "schedule": schedules,
        "max_active_runs": st.integers(1, 9),
        "params": st.dictionaries(identifiers, param_fields, max_size=3).map(params_of),
        "alerts": alerts,
        "keep": st.builds(Keep, runs=some_time, count=st.none() | st.integers(1, 9999)),
    }
    return Pipeline(
        name=PipelineName(draw(names)),
        tasks={TaskName(name): draw(tasks(name, task_names[:at])) for at, name in enumerate(task_names)},
        **draw(st.fixed_dictionaries({}, optional=optional)),
    )


@given(pipelines())
def test_parse_gives_back_what_dump_wrote(pipeline: Pipeline) -> None:
    assert parse(dump(pipeline)) == pipeline


@given(pipelines())
def test_dump_is_canonical(pipeline: Pipeline) -> None:
    text = dump(pipeline)
    assert dump(parse(text)) == text


graphs = st.lists(names, unique=True, min_size=1, max_size=6).flatmap(
    lambda found: st.fixed_dictionaries(
        {
            name: st.lists(st.sampled_from(found), unique=True).map(lambda ups, own=name: [u for u in ups if u != own])
            for name in found
        }
    )
)


@given(graphs)
def test_a_cycle_is_reported_exactly_where_there_is_one(upstreams: dict[str, list[str]]) -> None:
    listed = (f"  {name}: {{notebook: a.ipynb, depends_on: [{', '.join(ups)}]}}\n" for name, ups in upstreams.items())
    pipeline, problems = check("name: p\ntasks:\n" + "".join(listed))
    assert (pipeline is None) is bool(problems) is (cycle_path(upstreams) is not None)
    for problem in problems:
        steps = problem.message.removeprefix("cycle: ").split(" → ")
        assert steps[0] == steps[-1]
        assert len(set(steps)) == len(steps) - 1
        assert all(up in upstreams[down] for up, down in pairwise(steps))


SOUND = dump(
    Pipeline(
        name=PipelineName("p"),
        schedule=Schedule(cron="0 2 * * *"),
        params={"region": Param(name="region", type="str", default="all", choices=("all", "emea"))},
        tasks={
            TaskName("a"): Task(name=TaskName("a"), notebook="a.ipynb", params={"x": "{{ params.region }}"}),
            TaskName("b"): Task(
                name=TaskName("b"),
                notebook="b.ipynb",
                depends_on=(TaskName("a"),),
                when="{{ tasks.a.outputs.rows > 0 }}",
                retries=Retries(max_retries=3, never_on=("KeyError",)),
                timeout=timedelta(hours=1),
            ),
        },
    )
)


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(SOUND)),
            st.integers(0, 12),
            st.text(max_size=4)
            | st.sampled_from(
                ["{", "}", "[", "]", ": ", "- ", "\n", "&a ", "*a", "!!str ", "{{", "}}", "\t", "'", '"']
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_is_written_is_a_pipeline_or_a_list_of_problems_with_places(edits: list[tuple[int, int, str]]) -> None:
    text = SOUND
    for at, cut, inserted in edits:
        text = text[:at] + inserted + text[at + cut :]
    pipeline, problems = check(text)
    assert (pipeline is None) is any(problem.severity == "error" for problem in problems)
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + text.count("\u2029") + 1
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in problems)


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert check(text)[0] is None or check(text)[1] == []
