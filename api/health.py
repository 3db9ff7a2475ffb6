"""Is it alive, is it ready, and what can it do."""

import platform
from importlib.metadata import version

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api._lib import VERSION
from api._lib.app import create_app
from api._lib.settings import settings

router = APIRouter(tags=["health"])

_LIBRARIES = ("fastapi", "numpy", "onnxruntime", "pydantic")


class Health(BaseModel):
    """What runs here."""

    status: str = Field(description="Always 'pass': whoever answers is alive", examples=["pass"])
    version: str = Field(description="Version of Rowcast", examples=[VERSION])
    commit: str | None = Field(description="Git commit of the deployment, if the platform tells")
    region: str | None = Field(description="Region of the deployment, if the platform tells")
    python: str = Field(examples=["3.12.12"])
    libraries: dict[str, str] = Field(examples=[{"onnxruntime": "1.32.0"}])


@router.get("/api/health")
async def get_health() -> Health:
    """Say that this process is alive, and what it is made of. Asks nobody else."""
    return Health(
        status="pass",
        version=VERSION,
        commit=settings().commit or None,
        region=settings().region or None,
        python=platform.python_version(),
        libraries={name: version(name) for name in _LIBRARIES},
    )


app = create_app(router)
