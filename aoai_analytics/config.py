"""The kit's shipped files, and its settings: flags first, then ``AOAI_*``, then ``aoai.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .errors import WrongUse


def shipped(folder: str) -> Path:
    """A folder shipped with the package: ``kql`` or ``notebooks``, from the wheel or the checkout."""
    package = Path(__file__).parent
    for place in (package / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise WrongUse(f"the '{folder}' folder is missing from this installation: reinstall aoai-analytics")


@dataclass(frozen=True)
class Settings:
    """User settings.

    ``lake`` and ``reports`` are folders; ``source`` defaults to the lake; ``time_zone`` is an IANA name; ``keep`` is
    how long to keep reports (``400d``; None: forever); ``deliver`` is their destination and ``link`` its public URL;
    ``deliver_prompts`` allows delivery of reports that show prompts and responses; ``credential`` names an
    azure-identity class; ``query_memory`` (``50%``, ``4GB``) and ``query_seconds`` limit a query of a lake;
    ``prices`` is the raw ``[prices]`` table, which ``prices.own`` reads, and ``dimensions`` that of ``dimensions``;
    ``only`` are ``COLUMN=VALUE`` of the requests to keep (in ``AOAI_ONLY`` a JSON list).
    """

    lake: Path = Path("lake")
    source: str | None = None
    reports: Path = Path("reports")
    time_zone: str = "UTC"
    keep: str | None = None
    deliver: str | None = None
    link: str | None = None
    deliver_prompts: bool = False
    credential: str | None = None
    query_memory: str = "50%"
    query_seconds: float | None = None
    prices: dict[str, Any] = field(default_factory=dict)
    dimensions: dict[str, Any] = field(default_factory=dict)
    only: list[str] = field(default_factory=list)


@cache
def settings() -> Settings:
    """The current settings. Raises WrongUse if ``aoai.toml`` or a variable is malformed."""
    import tomllib

    from pydantic import Field, ValidationError
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

    class Read(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="AOAI_", toml_file="aoai.toml", extra="ignore")

        lake: Path = Settings.lake
        source: str | None = None
        reports: Path = Settings.reports
        time_zone: str = Settings.time_zone
        keep: str | None = None
        deliver: str | None = None
        link: str | None = None
        deliver_prompts: bool = False
        credential: str | None = None
        query_memory: str = Field(default=Settings.query_memory, pattern=r"^[0-9.]+ ?(%|[KMGT]i?B)$")
        query_seconds: float | None = Field(default=None, gt=0)
        prices: dict[str, Any] = {}
        dimensions: dict[str, Any] = {}
        only: list[str] = []

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    try:
        return Settings(**Read().model_dump())
    except tomllib.TOMLDecodeError as error:
        raise WrongUse(f"aoai.toml is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        where = f"aoai.toml or AOAI_{name.upper()}"
        raise WrongUse(f"the setting '{name}' ({where}) is not valid: {first['msg']}") from error
