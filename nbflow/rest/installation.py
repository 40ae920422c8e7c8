"""Routes of the installation."""

from __future__ import annotations

from fastapi import APIRouter

from nbflow import shapes
from nbflow.api import Api
from nbflow.documents import DoctorDocument
from nbflow.rest.caller import TheApi
from nbflow.rest.routing import route

router = APIRouter(tags=["installation"])


@route(router, "GET /doctor", Api.doctor)
def check_installation(api: TheApi) -> DoctorDocument:
    """Check the installation and the project; each finding says what to do about it."""
    return shapes.doctor_document(api.doctor())
