from __future__ import annotations

import math
from typing import Any

import pytest

from nbflow import params
from nbflow.errors import InvalidInput
from nbflow.model import Param
from nbflow.params.annotations import is_readable, read_annotation

FITS: list[tuple[str, Any]] = [
    ("", object.__doc__),
    ("Any", [1, {"a": None}]),
    ("object", 1),
    ("str", "5"),
    ("int", 5),
    ("float", 5),
    ("float", 5.5),
    ("bool", True),
    ("None", None),
    ("date", "2026-04-01"),
    ("datetime.date", "2026-04-01"),
    ("list", [1, "a"]),
    ("list[int]", [1, 2]),
    ("List[int]", []),
    ("Sequence[str]", ["a"]),
    ("list[list[int]]", [[1], []]),
    ("tuple[int, str]", [1, "a"]),
    ("tuple[int, ...]", [1, 2, 3]),
    ("tuple", [1]),
    ("dict", {"a": 1}),
    ("dict[str, int]", {"a": 1}),
    ("dict[int, str]", {"1": "a"}),
    ("typing.Mapping[str, list[int]]", {"a": [1]}),
    ("int | None", None),
    ("int | None", 5),
    ("Optional[int]", None),
    ("t.Optional[str]", "a"),
    ("Union[int, str]", "a"),
    ("int | str | None", "a"),
    ("Literal['a', 'b']", "b"),
    ("Literal['a', 1, None, True, -2]", -2),
    ("typing.Literal[1]", 1),
    ("Annotated[int, 'how many']", 5),
    ("'int | None'", None),
    ("list['int']", [1]),
    ("pd.DataFrame", {"any": "thing"}),
    ("list[pd.Timestamp]", ["a", 1]),
    ("not an annotation (", 5),
    ("int[", 5),
    ("x + y", 5),
    ("Literal[SOME]", 5),
]


@pytest.mark.parametrize(("annotation", "value"), FITS)
def test_check_takes_what_fits(annotation: str, value: Any) -> None:
    found = params.check(Param(name="p", type=annotation), value)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "value", "shown"),
    [
        ("str", 5, "the number 5"),
        ("str", None, "nothing"),
        ("int", "5", "the text '5'"),
        ("int", True, "true"),
        ("int", 5.0, "the number 5.0"),
        ("float", False, "false"),
        ("float", "1.5", "the text '1.5'"),
        ("bool", 1, "the number 1"),
        ("bool", "true", "the text 'true'"),
        ("None", 0, "the number 0"),
        ("date", "2026-02-30", "the text '2026-02-30'"),
        ("date", "20260401", "the text '20260401'"),
        ("date", "2026-04-01T00:00", "the text '2026-04-01T00:00'"),
        ("date", 20260401, "the number 20260401"),
        ("datetime", "noon", "the text 'noon'"),
        ("list[int]", "1", "the text '1'"),
        ("list[int]", [1, True], "the list [1, true]"),
        ("list[list[int]]", [[1], ["a"]], 'the list [[1], ["a"]]'),
        ("tuple[int, str]", [1], "the list [1]"),
        ("tuple[int, str]", ["a", 1], 'the list ["a", 1]'),
        ("dict[str, int]", {"a": "b"}, 'the mapping {"a": "b"}'),
        ("dict[int, str]", {"a": "b"}, 'the mapping {"a": "b"}'),
        ("dict", [], "the list []"),
        ("int | None", "5", "the text '5'"),
        ("Optional[int]", [], "the list []"),
        ("Literal['a', 'b']", "c", "the text 'c'"),
        ("Literal[1]", True, "true"),
        ("Literal[True]", 1, "the number 1"),
    ],
)
def test_check_refuses_what_does_not_fit(annotation: str, value: Any, shown: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        params.check(Param(name="p", type=annotation), value)
    assert str(raised.value) == f"parameter 'p' must be {annotation}, not {shown}"


@pytest.mark.parametrize("value", [math.inf, math.nan, {1, 2}, [object()], b"x", "\udcff", ["\ud800"]])
def test_check_takes_only_json(value: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^parameter 'p' must be a JSON value, not "):
        params.check(Param(name="p"), value)


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("2026-04-01", "2026-04-01T00:00:00"),
        ("2026-04-01 02:00", "2026-04-01T02:00:00"),
        ("2026-04-01T02:00:00Z", "2026-04-01T02:00:00+00:00"),
    ],
)
def test_times_become_canonical(given: str, canonical: str) -> None:
    assert params.check(Param(name="p", type="datetime"), given) == canonical
    assert params.check(Param(name="p", type="list[datetime | None]"), [given, None]) == [canonical, None]


def test_choices() -> None:
    param = Param(name="region", type="str", choices=("all", "emea"))
    assert params.check(param, "emea") == "emea"
    with pytest.raises(InvalidInput) as raised:
        params.check(param, "amer")
    assert str(raised.value) == "parameter 'region' cannot be the text 'amer'. Its choices are: all, emea."


@pytest.mark.parametrize(
    ("annotation", "is_known"),
    [
        ("", True),
        ("Any", True),
        ("list[int | None]", True),
        ("dict[str, Literal['a']]", True),
        ("tuple[int, ...]", True),
        ("string", False),
        ("list[string]", False),
        ("dict[str, Frame]", False),
        ("int | Frame", False),
        ("f(x)", False),
        ("(", False),
    ],
)
def test_is_readable(annotation: str, *, is_known: bool) -> None:
    assert is_readable(read_annotation(annotation)) is is_known


# --- text on the command line --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("str", "5", "5"),
        ("str", "null", "null"),
        ("str", "", ""),
        ("int", "5", 5),
        ("float", "5", 5),
        ("float", "1e3", 1000.0),
        ("bool", "true", True),
        ("date", "2026-04-01", "2026-04-01"),
        ("None", "null", None),
        ("list[str]", '["a", "b"]', ["a", "b"]),
        ("dict", '{"a": 1}', {"a": 1}),
        ("int | None", "null", None),
        ("str | None", "null", None),
        ("str | None", "a", "a"),
        ("str | int", "5", 5),
        ("None | str | int | float", "5.5", 5.5),
        ("date | str", "tomorrow", "tomorrow"),
        ("Literal['a', 'b']", "b", "b"),
        ("Literal[1, 2]", "2", 2),
        ("Literal['1', '2']", "2", "2"),
        ("", "5", 5),
        ("", "emea", "emea"),
        ("", "[1, 2]", [1, 2]),
        ("Any", "no", "no"),
        ("pd.Timestamp", "2026-04-01", "2026-04-01"),
    ],
)
def test_parse_text_follows_the_type(annotation: str, text: str, value: Any) -> None:
    found = params.parse_text(Param(name="p", type=annotation), text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        ("int", "five"),
        ("int", "5.5"),
        ("bool", "yes"),
        ("date", "today"),
        ("list[str]", "a,b"),
        ("list[int]", "[1"),
        ("", "[1"),
    ],
)
def test_parse_text_refuses_what_does_not_fit(annotation: str, text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        params.parse_text(Param(name="p", type=annotation), text)
    assert str(raised.value) == f"parameter 'p' must be {annotation or 'a JSON value'}, not the text '{text}'"


def test_parse_text_finds_a_choice_that_looks_like_something_else() -> None:
    assert params.parse_text(Param(name="p", choices=("1", "2")), "2") == "2"
    assert params.parse_text(Param(name="p", choices=(1, 2)), "2") == 2


def test_parse_texts() -> None:
    declared = {"n": Param(name="n", type="int"), "s": Param(name="s", type="str")}
    assert params.parse_texts(declared, {"n": "1", "s": "1"}) == {"n": 1, "s": "1"}
    with pytest.raises(InvalidInput, match=r"^there is no parameter 'm'"):
        params.parse_texts(declared, {"m": "1"})


# --- merge ---------------------------------------------------------------------------------------------------------

DECLARED = {
    "region": Param(name="region", type="str", default="all", choices=("all", "emea")),
    "day": Param(name="day", type="date", is_required=True),
    "limit": Param(name="limit", type="int | None"),
}


def test_merge_puts_what_was_given_over_the_defaults() -> None:
    merged = params.merge(DECLARED, {"limit": 5, "day": "2026-04-01"})
    assert list(merged.items()) == [("region", "all"), ("day", "2026-04-01"), ("limit", 5)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"regoin": "all", "day": "2026-04-01"}, "there is no parameter 'regoin'. Did you mean 'region'?"),
        ({}, "no value for the parameter day. Give one with -p day=VALUE."),
        ({"day": "soon"}, "parameter 'day' must be date, not the text 'soon'"),
        ({"day": None}, "parameter 'day' must be date, not nothing"),
        (
            {"day": "2026-04-01", "region": "amer"},
            "parameter 'region' cannot be the text 'amer'. Its choices are: all, emea.",
        ),
    ],
)
def test_merge_refuses(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        params.merge(DECLARED, given)
    assert str(raised.value) == message


def test_merge_without_parameters() -> None:
    assert params.merge({}, {}) == {}
    with pytest.raises(InvalidInput, match=r"^there is no parameter 'x'\. The pipeline takes none\.$"):
        params.merge({}, {"x": 1})


# --- the parameters of one task run --------------------------------------------------------------------------------


def test_resolve_for_resolves_and_checks() -> None:
    declared = (Param(name="n", type="int"), Param(name="when", type="datetime"))
    given = {"n": "{{ 1 + 1 }}", "when": "{{ day }}", "free": ["{{ day }}"]}
    assert params.resolve_for(declared, given, {"day": "2026-04-01"}) == {
        "n": 2,
        "when": "2026-04-01T00:00:00",
        "free": ["2026-04-01"],
    }


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{{ day }}", "parameter 'n' must be int, not the text '2026-04-01'"),
        ("{{ 1 / 0 }}", "parameter 'n': the template {{ 1 / 0 }} failed: ZeroDivisionError: division by zero"),
    ],
)
def test_resolve_for_names_the_parameter(value: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        params.resolve_for((Param(name="n", type="int"),), {"n": value}, {"day": "2026-04-01"})
    assert str(raised.value) == message
