"""nbflow.toml and NBFLOW_… variables: what they give, and every wrong way to write them."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nbflow.errors import InvalidManifest
from nbflow.settings import SETTINGS, Setting, Settings, find_project, load

COMPLETE = """
pipelines = ["notebooks", "more"]
[store]
database = "postgresql+psycopg://nbflow@db/nbflow"
outputs = "runs"
[executor]
kind = "local"
slots = 3
[pools]
warehouse = 2
api = {slots = 4}
[channels.ops]
urls = ["mailto://ops@example.org", "slack://a/b/c"]
[channels.sales]
urls = ["json://example.org"]
[alerts]
on_restart = ["ops"]
[server]
host = "0.0.0.0"
port = 8080
url = "https://nbflow.example.org/"
[jupyter]
url = "http://localhost:8888/lab/tree/"
[kernels]
start = "cold"
preload = ["pandas"]
idle = "5m"
spare = 2
[keep]
runs = "90d"
count = 500
[templates]
env = ["REGION", "NBFLOW_DEMO_POSTGRES"]
"""
CHOSEN = Settings(
    pipelines=("notebooks", "more"),
    database="postgresql+psycopg://nbflow@db/nbflow",
    outputs="runs",
    slots=3,
    pools={"warehouse": 2, "api": 4},
    channels={"ops": ("mailto://ops@example.org", "slack://a/b/c"), "sales": ("json://example.org",)},
    host="0.0.0.0",
    port=8080,
    on_restart=("ops",),
    server_url="https://nbflow.example.org",
    jupyter_url="http://localhost:8888/lab/tree",
    kernel_start="cold",
    kernel_preload=("pandas",),
    kernel_idle=timedelta(minutes=5),
    kernel_spare=2,
    keep_runs=timedelta(days=90),
    keep_count=500,
    env=("REGION", "NBFLOW_DEMO_POSTGRES"),
)
VARIABLES = {
    "NBFLOW_PIPELINES": "notebooks, more",
    "NBFLOW_JUPYTER_URL": "http://localhost:8888/lab/tree",
    "NBFLOW_ALERTS_ON_RESTART": "ops",
    "NBFLOW_KEEP_COUNT": "500",
    "NBFLOW_STORE_DATABASE": "postgresql+psycopg://nbflow@db/nbflow",
    "NBFLOW_STORE_OUTPUTS": "runs",
    "NBFLOW_EXECUTOR_KIND": "local",
    "NBFLOW_EXECUTOR_SLOTS": "3",
    "NBFLOW_POOLS_WAREHOUSE": "2",
    "NBFLOW_POOLS_API": "4",
    "NBFLOW_CHANNELS_OPS_URLS": '["mailto://ops@example.org", "slack://a/b/c"]',
    "NBFLOW_CHANNELS_SALES_URLS": "json://example.org",
    "NBFLOW_SERVER_HOST": "0.0.0.0",
    "NBFLOW_SERVER_PORT": "8080",
    "NBFLOW_SERVER_URL": "https://nbflow.example.org/",
    "NBFLOW_KERNELS_START": "cold",
    "NBFLOW_KERNELS_PRELOAD": "pandas",
    "NBFLOW_KERNELS_IDLE": "5m",
    "NBFLOW_KERNELS_SPARE": "2",
    "NBFLOW_KEEP_RUNS": "90d",
    "NBFLOW_TEMPLATES_ENV": "REGION,NBFLOW_DEMO_POSTGRES",
}


def loaded(folder: Path, text: str = "", **environ: str) -> Settings:
    (folder / "nbflow.toml").write_text(text)
    return load(folder, environ)


def problems(folder: Path, text: str = "", **environ: str) -> list[str]:
    with pytest.raises(InvalidManifest) as caught:
        loaded(folder, text, **environ)
    return [str(problem) for problem in caught.value.problems]


# --- what they give -----------------------------------------------------------------------------------------------


def test_without_a_file_every_setting_has_its_default(tmp_path: Path) -> None:
    assert load(tmp_path, {}) == Settings() == loaded(tmp_path, "")


def test_the_file_sets_every_setting(tmp_path: Path) -> None:
    assert loaded(tmp_path, COMPLETE) == CHOSEN


def test_variables_set_every_setting(tmp_path: Path) -> None:
    assert loaded(tmp_path, "", **VARIABLES) == CHOSEN


def test_variables_win_over_the_file_name_by_name(tmp_path: Path) -> None:
    text = '[executor]\nslots = 8\n[pools]\nwarehouse = 1\napi = 9\n[store]\noutputs = "kept"\n'
    found = loaded(tmp_path, text, NBFLOW_EXECUTOR_SLOTS="3", NBFLOW_POOLS_API="4")
    assert (found.slots, found.pools, found.outputs) == (3, {"warehouse": 1, "api": 4}, "kept")


def test_other_variables_are_not_for_settings(tmp_path: Path) -> None:
    others = {
        "NBFLOW_SECRET_KEY": "x",
        "NBFLOW_DEMO_POSTGRES": "x",
        "NBFLOW_RUN_ID": "r",
        "NBFLOW_PROJECT": "p",
        "HOME": "/",
    }
    assert loaded(tmp_path, "", NBFLOW_EXECUTOR_SLOTS="", NBFLOW_STORE_DATABASE=" ", **others) == Settings()


@pytest.mark.parametrize(
    ("database", "url"),
    [
        ("sqlite:///.nbflow/nbflow.db", "sqlite:////project/.nbflow/nbflow.db"),
        ("sqlite:///../shared.db", "sqlite:////project/../shared.db"),
        ("sqlite:////var/lib/nbflow.db", "sqlite:////var/lib/nbflow.db"),
        ("postgresql://nbflow@db/nbflow", "postgresql://nbflow@db/nbflow"),
    ],
)
def test_the_path_of_a_sqlite_file_begins_at_the_project(database: str, url: str) -> None:
    assert Settings(database=database).database_url(Path("/project")) == url


def test_templates_see_the_allowed_variables_that_are_set() -> None:
    assert Settings(env=("REGION", "TEAM")).template_env({"REGION": "emea", "HOME": "/"}) == {"REGION": "emea"}


# --- the table ----------------------------------------------------------------------------------------------------


def test_every_field_has_its_setting_and_every_setting_its_sentence() -> None:
    assert [setting.field for setting in SETTINGS] == [field.name for field in fields(Settings)]
    assert all(setting.about.endswith((".", "…")) and setting.kind.name for setting in SETTINGS)


def test_every_setting_can_be_set_by_the_variable_that_it_names() -> None:
    named = {setting.variable.replace("<NAME>", "OPS") for setting in SETTINGS}
    assert {name.replace("WAREHOUSE", "OPS") for name in VARIABLES} - {
        "NBFLOW_POOLS_API",
        "NBFLOW_CHANNELS_SALES_URLS",
    } == named


@pytest.mark.parametrize("setting", [setting for setting in SETTINGS if setting.default], ids=lambda each: each.key)
def test_the_documented_default_is_the_real_one(setting: Setting, tmp_path: Path) -> None:
    written: Any = tomllib.loads(f"value = {setting.default}")["value"]
    assert setting.kind.check(written) == getattr(Settings(), setting.field)
    assert loaded(tmp_path, f"{setting.key} = {setting.default}") == Settings()


def test_a_setting_without_a_documented_default_has_none() -> None:
    unset = [getattr(Settings(), setting.field) for setting in SETTINGS if not setting.default]
    assert all(value in (None, {}) for value in unset)


# --- where the project is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["nbflow.toml", ".nbflow/"])
def test_the_project_is_the_nearest_folder_upward_with_a_mark(tmp_path: Path, mark: str) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    if mark.endswith("/"):
        (tmp_path / mark).mkdir()
    else:
        (tmp_path / mark).touch()
    assert find_project(inner) == tmp_path
    (tmp_path / "a" / "nbflow.toml").touch()
    assert find_project(inner) == tmp_path / "a"


def test_without_a_mark_the_project_is_the_folder_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".nbflow").touch()  # a file is no mark
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert find_project(Path()) == tmp_path / "here"


# --- every wrong way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pipelines = 'notebooks'", "1:1: pipelines must be a list"),
        ("pipelines = [1]", "1:1: pipelines must be text, not the number 1"),
        ("pipelines = ['a/../../b']", "1:1: pipelines has 'a/../../b', which lies outside the project"),
        ("pipelines = ['/srv']", "1:1: pipelines has '/srv', which lies outside the project"),
        ("pipeline = []", "1:1: unknown key 'pipeline'. Did you mean 'pipelines'?"),
        ("[executer]\nslots = 2", "1:2: unknown key 'executer'. Did you mean 'executor'?"),
        ("[executor]\n\n  slot = 2", "3:3: unknown key 'slot' in executor. Did you mean 'slots'?"),
        ("executor.slots = 0", "1:1: executor.slots must be a whole number, 1 or more, not the number 0"),
        ("[executor]\nslots = true", "2:1: executor.slots must be a whole number, 1 or more, not true"),
        ("[executor]\nslots = '2'", "2:1: executor.slots must be a whole number, 1 or more, not the text '2'"),
        ("executor = 'local'", "1:1: executor must be a table, not the text 'local'. Write [executor]."),
        ("executor = {kind = 'dask'}", "1:1: executor.kind 'dask' is not yet supported"),
        ("[executor]\nkind = 'kubernetes'", "2:1: executor.kind must be local, not the text 'kubernetes'"),
        ("[executor]\nkind = ['local']", '2:1: executor.kind must be local, not the list ["local"]'),
        ("[store]\ndatabase = 5", "2:1: store.database must be text, not the number 5"),
        ("[store]\ndatabase = ''", "2:1: store.database must be text, not the text ''"),
        ("[store]\ndatabase = 'nbflow.db'",
         "2:1: store.database must be the address of a SQLite or PostgreSQL database. It begins like sqlite:///."),
        ("[store]\ndatabase = 'mysql://me:secret@db/x'",
         "2:1: store.database must be the address of a SQLite or PostgreSQL database, not of 'mysql'. It begins like sqlite:///."),
        ("[store]\ndatabase = 'sqlite://'",
         "2:1: store.database must name a file, because every command opens the database anew"),
        ("[store]\ndatabase = 'sqlite:///:memory:'",
         "2:1: store.database must name a file, because every command opens the database anew"),
        ("[store]\ndatabase = 'sqlite://x.db'",
         "2:1: store.database has two slashes where SQLite takes three. Write sqlite:///x.db."),
        ("[store]\noutputs = 's3://bucket/prefix'",
         "2:1: store.outputs is a remote place (s3://), which is not yet supported. Name a folder."),
        ("[store]\noutputs = 's3://'", "2:1: store.outputs names nothing behind s3://"),
        ("[pools]\nwarehouse = 0", "2:1: pools.warehouse must be a whole number, 1 or more, not the number 0"),
        ("[pools]\nwarehouse = {places = 2}",
         "2:1: pools.warehouse must be a whole number, or a table with 'slots' alone"),
        ("[pools.warehouse]\nslots = 'two'",
         "1:2: pools.warehouse must be a whole number, 1 or more, not the text 'two'"),
        ("[pools]\n'Ware house' = 2", "2:1: 'Ware house' cannot be a name in pools. It must match [a-z][a-z0-9_]*."),
        ("[channels.ops]\nurls = 'slack://secret'", "2:1: channels.ops.urls must be a list"),
        ("[channels.ops]\nurls = ['mailto://a', 'secret']",
         "2:1: channels.ops.urls has no address at place 2. An Apprise address begins like mailto://."),
        ("[channels]\nops = ['mailto://a']",
         '2:1: channels.ops must be a table, not the list ["mailto://a"]. Write [channels.ops].'),
        ("[channels.ops]\nurl = []", "2:1: unknown key 'url' in channels.ops. Did you mean 'urls'?"),
        ("[server]\nurl = 'nbflow.example.org'",
         "2:1: server.url must be an address such as https://nbflow.example.org, not the text 'nbflow.example.org'"),
        ("[server]\nport = 65536", "2:1: server.port must be a port, 65535 at most, not the number 65536"),
        ("[server]\nurl = 'http://['",
         "2:1: server.url must be an address such as https://nbflow.example.org, not the text 'http://['"),
        ("[jupyter]\nurl = 'javascript:alert(1)'",
         "2:1: jupyter.url must be an address such as https://nbflow.example.org, not the text 'javascript:alert(1)'"),
        *((f"[jupyter]\nurl = '{url}'",
           "2:1: jupyter.url must be an address without a token, a user or a #. Write what stands before them.")
          for url in ("http://h/lab?token=x", "http://ada:x@h/lab", "http://h/lab#x")),
        ("[kernels]\nstart = 'hot'", "2:1: kernels.start must be warm or cold, not the text 'hot'"),
        ("[kernels]\nidle = 600", "2:1: kernels.idle must be text, not the number 600"),
        ("[keep]\nruns = '6 months'",
         "2:1: keep.runs must be a duration such as 30s, 10m or 180d, not the text '6 months'"),
        ("[templates]\nenv = ['A-B']", "2:1: templates.env has 'A-B', which cannot be the name of a variable"),
        ("[templates]\nenv = ['NBFLOW_SECRET_KEY']",
         "2:1: templates.env has 'NBFLOW_SECRET_KEY', but secrets are not for templates. "
         "Name it under 'secrets' of the task."),
        ("[executor]\nworkers = 2", "2:1: unknown key 'workers' in executor. There are: kind, slots."),
        ("database = 'x'",
         "1:1: unknown key 'database'. There are: alerts, channels, executor, jupyter, keep, kernels, pipelines, "
         "pools and 3 more."),
        ("[executor]\nslots 2", "2:7: this is no TOML: Expected '=' after a key in a key/value pair"),
        ("[pools]\nwarehouse = " + "9" * 5000, "1:1: this is no TOML: a number in it has more than 4,300 digits"),
        ("[pools]\nwarehouse = " + "[" * 5000, "1:1: this is no TOML: it is nested too deep"),
        ("[executor]\nslots = 1\nslots = 2", "3:1: this is no TOML: Cannot overwrite a value"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_and_where(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text) == [f"nbflow.toml:{expected}"]


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("NBFLOW_EXECUTOR_SLOTS",
         "many", "NBFLOW_EXECUTOR_SLOTS must be a whole number, 1 or more, not the text 'many'"),
        ("NBFLOW_EXECUTOR_SLOTS", "-1", "NBFLOW_EXECUTOR_SLOTS must be a whole number, 1 or more, not the text '-1'"),
        ("NBFLOW_EXECUTOR_KIND", "dask", "NBFLOW_EXECUTOR_KIND 'dask' is not yet supported"),
        ("NBFLOW_EXECUTOR_SLOT",
         "2", "there is no setting NBFLOW_EXECUTOR_SLOT. Did you mean 'NBFLOW_EXECUTOR_SLOTS'?"),
        ("NBFLOW_STORE_OUTPUTS", "gs://bucket",
         "NBFLOW_STORE_OUTPUTS is a remote place (gs://), which is not yet supported. Name a folder."),
        ("NBFLOW_POOLS_2", "2", "'2' cannot be a name in pools. It must match [a-z][a-z0-9_]*."),
        ("NBFLOW_PIPELINES", "[notebooks", "NBFLOW_PIPELINES must be a list"),
        ("NBFLOW_PIPELINES", "[" * 5000, "NBFLOW_PIPELINES must be a list"),
        ("NBFLOW_CHANNELS_OPS_URLS", "slack//secret",
         "NBFLOW_CHANNELS_OPS_URLS has no address at place 1. An Apprise address begins like mailto://."),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_variable(tmp_path: Path, variable: str, text: str, expected: str) -> None:
    assert problems(tmp_path, "", **{variable: text}) == [f"environment:1:1: {expected}"]


def test_all_problems_come_in_one_report_in_the_order_of_the_text(tmp_path: Path) -> None:
    text = "pipelines = 1\n[pools]\nx = 0\n[executor]\nkind = 'dask'\nslots = 0\n"
    found = problems(tmp_path, text, NBFLOW_KEEP_RUNS="x", NBFLOW_KERNELS_START="x")
    places = [
        "nbflow.toml:1:1",
        "nbflow.toml:3:1",
        "nbflow.toml:5:1",
        "nbflow.toml:6:1",
        "environment:1:1",
        "environment:1:1",
    ]
    assert [problem.split(": ")[0] for problem in found] == places


def test_positions_are_found_below_comments_quotes_and_dots(tmp_path: Path) -> None:
    text = '# slots = 0\n[ "executor" ]\n# slots = 0\n"slots" = 0\n[channels]\nops . urls = 1\nsales = {urls = 2}\n'
    assert [problem[: len("nbflow.toml:0:0")] for problem in problems(tmp_path, text)] == [
        "nbflow.toml:4:1", "nbflow.toml:6:1", "nbflow.toml:7:1",
    ]  # fmt: skip


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "nbflow.toml").write_text("\ufeff[executor]\nslots = 3\n", encoding="utf-8")
    assert load(tmp_path, {}).slots == 3


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "nbflow.toml").write_bytes(b"pipelines = '\xff'")
    with pytest.raises(InvalidManifest, match=r"nbflow\.toml:1:1: this cannot be read: 'utf-8' codec"):
        load(tmp_path, {})


def test_no_message_repeats_a_secret(tmp_path: Path) -> None:
    text = (
        "[store]\ndatabase = 'mysql://me:secret@db'\n[channels.a]\nurls = 'secret'\n[channels.b]\nurls = ['secret']\n"
    )
    found = problems(tmp_path, text, NBFLOW_CHANNELS_C_URLS="secret", NBFLOW_STORE_DATABASE="oracle://secret")
    assert len(found) == 5
    assert "secret" not in "\n".join(found)


@pytest.mark.parametrize("folder", ["project", "a project? with #signs%20"])
def test_the_file_of_a_database(tmp_path: Path, folder: str) -> None:
    assert Settings().database_file(tmp_path / folder) == tmp_path / folder / ".nbflow" / "nbflow.db"
    assert Settings(database="sqlite:////var/nbflow.db").database_file(tmp_path) == Path("/var/nbflow.db")
    assert Settings(database="postgresql://ada@db/nbflow").database_file(tmp_path) is None


def test_a_channel_that_is_not_there_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "nbflow.toml").write_text('[channels.ops]\nurls = ["json://here"]\n[alerts]\non_restart = ["opz"]\n')
    with pytest.raises(InvalidManifest) as caught:
        load(tmp_path, {})
    [problem] = caught.value.problems
    assert str(problem) == (
        "nbflow.toml:1:1: alerts.on_restart names the channel 'opz', which is not there. Did you mean 'ops'?"
    )
