"""Where the kit's own files are, and its settings: flags first, then ``AOAI_*``, then ``aoai.toml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import WrongUse

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings


def shipped(folder: str) -> Path:
    """A folder that travels with the package: ``kql`` or ``notebooks``, from the wheel or the checkout."""
    package = Path(__file__).parent
    for place in (package / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise WrongUse(f"this installation lacks its '{folder}' folder: install aoai-analytics again")


@cache
def settings() -> BaseSettings:
    """The settings in force. Raises WrongUse where ``aoai.toml`` or a variable is malformed.

    ``lake`` (folder, default ``lake``), ``source`` (default: the lake), ``reports`` (folder, default
    ``reports``), ``time_zone`` (IANA name, default UTC), ``credential`` (azure-identity class or None), ``prices``
    (the table ``[prices]`` as it stands; ``prices.own`` reads it).
    """
    import tomllib

    from pydantic import ValidationError
    from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

    class Settings(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="AOAI_", toml_file="aoai.toml", extra="ignore")

        lake: Path = Path("lake")
        source: str | None = None
        reports: Path = Path("reports")
        time_zone: str = "UTC"
        credential: str | None = None
        prices: dict[str, Any] = {}

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
        return Settings()
    except tomllib.TOMLDecodeError as error:
        raise WrongUse(f"aoai.toml is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise WrongUse(f"the setting '{name}' (aoai.toml or AOAI_{name.upper()}) is not valid: {first['msg']}") from error
