"""One table of variables: `.env.example` equals it, and a wrong value is named."""

from dataclasses import fields
from pathlib import Path

import pytest

from api._lib import VERSION
from api._lib.settings import Settings, SettingsInvalid, load_settings

REPOSITORY = Path(__file__).resolve().parents[2]


def _example() -> dict[str, str]:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_example_lists_every_variable_with_its_default():
    """Whoever copies the example gets exactly the defaults, and every variable there is."""
    rows = [row for row in fields(Settings) if not row.metadata["from_platform"]]

    assert list(_example()) == [row.metadata["names"][0] for row in rows]
    assert load_settings(_example()) == Settings()


def test_example_explains_every_variable():
    """The help of the table stands above each line."""
    text = " ".join((REPOSITORY / ".env.example").read_text().replace("#", " ").split())

    for row in fields(Settings):
        if not row.metadata["from_platform"]:
            assert row.metadata["help"] in text


def test_second_names_are_read_when_the_first_are_absent():
    """A store that was linked by its own account has other names."""
    environ = {"UPSTASH_REDIS_REST_URL": "https://kv.example/", "UPSTASH_REDIS_REST_TOKEN": "t"}

    assert load_settings(environ).kv_url == "https://kv.example"
    assert load_settings({**environ, "KV_REST_API_URL": "https://first.example"}).kv_url == "https://first.example"


def test_lists_and_numbers_are_parsed():
    """Values have the types of the table."""
    environ = {"ROWCAST_CORS_ORIGINS": "https://a.example/, https://b.example", "ROWCAST_MODEL_MEMORY_MB": "64"}

    loaded = load_settings({**environ, "VERCEL": "1"})

    assert loaded.cors_origins == ("https://a.example", "https://b.example")
    assert loaded.model_memory_mb == 64
    assert loaded.is_on_vercel


@pytest.mark.parametrize(
    "environ",
    [
        {"ROWCAST_MODEL_MEMORY_MB": "much"},
        {"ROWCAST_MODEL_MEMORY_MB": "0"},
        {"ROWCAST_LOG_LEVEL": "loud"},
        {"SUPABASE_URL": "https://x.example"},
        {"KV_REST_API_URL": "https://x.example"},
    ],
)
def test_wrong_values_are_named(environ: dict[str, str]):
    """A mistake ends with the name of the variable, at the first use."""
    with pytest.raises(SettingsInvalid, match=next(iter(environ))):
        load_settings(environ)


def test_version_is_the_projects():
    """The API says the version that is released."""
    assert f'version = "{VERSION}"' in (REPOSITORY / "pyproject.toml").read_text()
