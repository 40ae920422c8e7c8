"""The OpenAPI document is complete and true: Schemathesis asks for what it describes, and for what it does not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from rest_world import HOST, World
from schemathesis import GenerationMode

from nbflow.api import Caller, Role
from nbflow.rest import PREFIX, Listening, create_app
from nbflow.rest.caller import Behind

EXAMPLES = 8
SECRET = "nbf_of_the_test"
ROOT = Caller(name="root", role=Role.ADMIN)
IS_SOAK = bool(os.environ.get("NBFLOW_SOAK"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A caller that no request can take the token from, and one object of every kind."""
    quick = timedelta(milliseconds=1)
    made = World(tmp_path_factory.mktemp("schema"), listening=Listening(look_again=quick, longest=quick, beat=quick))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nbflow.api.people.hash_password", lambda password: f"hash of {len(password)}")
        made.app.state.behind = Behind(
            open_api=made.api, bearer=lambda secret: ROOT if secret == SECRET else made.entrance.bearer(secret)
        )
        made.people()
        made.seen()
        made.failed_run()
        yield made


@pytest.fixture(scope="module")
def schema(world: World) -> Any:
    return schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", world.app, headers={"Host": HOST})


def cases() -> Iterator[Any]:
    """Each operation with what it allows, and with what it does not, where there is anything to do wrong."""
    document = create_app(_nobody, bearer=_nobody).openapi()
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            for mode in GenerationMode:
                if mode is GenerationMode.POSITIVE or about.keys() & {"parameters", "requestBody"}:
                    yield pytest.param(path, method, mode, id=f"{about['operationId']}-{mode.value}")


def _nobody(_: object) -> Any:
    return None


@pytest.mark.soak
@pytest.mark.parametrize(("path", "method", "mode"), list(cases()))
def test_every_answer_is_as_it_is_described(schema: Any, path: str, method: str, mode: GenerationMode) -> None:
    operation = schema[path][method]

    @settings(
        max_examples=400 if IS_SOAK else EXAMPLES,
        derandomize=not IS_SOAK,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        case.call_and_validate(headers={"Host": HOST, "Authorization": f"Bearer {SECRET}"})

    ask()


def test_everything_has_a_summary_and_a_schema(world: World) -> None:
    document = world.app.openapi()
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            assert about["summary"], (method, path)
            for status, answer in about["responses"].items():
                if status != "204":
                    assert all(each.get("schema") for each in answer["content"].values()), (method, path, status)
            for parameter in about.get("parameters", ()):
                assert parameter.get("description") or parameter["schema"].get("description"), (path, parameter["name"])
    assert document["components"]["securitySchemes"].keys() == {"HTTPBearer", "APIKeyCookie"}


def test_errors_have_one_schema(world: World) -> None:
    document = world.app.openapi()
    for methods in document["paths"].values():
        for about in methods.values():
            for status, answer in about["responses"].items():
                if status.startswith(("4", "5")) and about["operationId"] != "is_ready":
                    (content,) = answer["content"].values()
                    assert content["schema"] == {"$ref": "#/components/schemas/ErrorAnswer"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_the_document_is_served(world: World) -> None:
    assert world.ask("GET", f"{PREFIX}/openapi.json", None).json() == world.app.openapi()
    assert world.ask("GET", "/docs", None).status_code == 404
