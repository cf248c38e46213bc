"""The kit's shipped files, and its settings: flags first, then ``AOAI_*``, then ``aoai.toml``.

``aoai.toml``, and what a relative path names, are looked for upwards to the project's root, because a notebook's kernel
starts in the notebook's folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import WrongUse

FILE = "aoai.toml"
#: What marks a project's root.
_ROOTS = (".git", "pyproject.toml", "environment.yml")
#: Where a lake has what identifies it.
_LAKE = "_aoai/lake.json"


def shipped(folder: str) -> Path:
    """A folder shipped with the package: ``kql`` or ``notebooks``, from the wheel or the checkout."""
    package = Path(__file__).parent
    for place in (package / folder, package.parent / folder):
        if place.is_dir():
            return place
    raise WrongUse(f"the '{folder}' folder is missing from this installation: reinstall aoai-analytics")


def upwards() -> tuple[Path, ...]:
    """The current folder and those above it, to the project's root, else to that of ``aoai.toml``; else it alone."""
    here = Path.cwd()
    folders = (here, *here.parents)
    for marks in (_ROOTS, (FILE,)):
        for number, folder in enumerate(folders):
            if any((folder / mark).exists() for mark in marks):
                return folders[: number + 1]
    return (here,)


def found(path: str | Path) -> Path:
    """A relative *path* where it exists, in the nearest folder upwards; else *path* itself."""
    path = Path(path)
    if path.is_absolute():
        return path
    at = next((folder / path for folder in upwards() if (folder / path).exists()), path)
    return path if at == Path.cwd() / path else at


def settings_file() -> Path | None:
    """The nearest ``aoai.toml`` upwards; None where there is none."""
    return next((folder / FILE for folder in upwards() if (folder / FILE).is_file()), None)


def default_source() -> str:
    """The source in the settings, else the lake there, else the only lake of the project, sample traffic last.

    Raises WrongUse where there are several. Where there is none, the lake of the settings, which does not exist.
    """
    chosen = settings()
    if chosen.source:
        return chosen.source if "://" in chosen.source else str(found(chosen.source))
    lake = found(chosen.lake)
    if (lake / _LAKE).exists():
        return str(lake)
    root = upwards()[-1]
    lakes = sorted({at.parents[1] for pattern in ("*/", "*/*/") for at in root.glob(pattern + _LAKE)})
    own = [at for at in lakes if at.parent.name != "sample"] or lakes
    if len(own) > 1:
        names = ", ".join(str(at.relative_to(root)) for at in own)
        raise WrongUse(f"there are several lakes: {names}; choose one, as source or with 'source' in {FILE}")
    return str(own[0] if own else lake)


@dataclass(frozen=True)
class Settings:
    """User settings.

    ``lake`` and ``reports`` are folders; ``source`` defaults to the lake; ``time_zone`` is an IANA name; ``keep`` is
    how long to keep reports (``400d``; None: forever); ``deliver`` is their destination and ``link`` its public URL;
    ``deliver_prompts`` allows delivery of reports that show prompts and responses; ``credential`` names an
    azure-identity class; ``query_memory`` (``50%``, ``4GB``) and ``query_seconds`` limit a query of a lake;
    ``prices`` is the raw ``[prices]`` table, which ``prices.own`` reads, and ``dimensions`` that of ``dimensions``;
    ``terms_shared_by`` is how many users must share a word before a report without texts shows it as a topic's;
    ``budgets`` are USD per month by subscription, or ``(all)`` for the total, in reports and ``cost/budget``;
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
    terms_shared_by: int = 5
    prices: dict[str, Any] = field(default_factory=dict)
    dimensions: dict[str, Any] = field(default_factory=dict)
    budgets: dict[str, float] = field(default_factory=dict)
    only: list[str] = field(default_factory=list)


def own_budgets(between: str = ",") -> str:
    """The budgets of the settings as the parameter ``budgets`` takes them: ``(all)=900.0,sub-claims=120.5``."""
    # Not 1e-05: the query reads digits and a point.
    return between.join(f"{name}={Decimal(str(amount)):f}" for name, amount in settings().budgets.items())


@cache
def settings() -> Settings:
    """The current settings. Raises WrongUse if ``aoai.toml`` or a variable is malformed."""
    from typing import Annotated

    from pydantic import BeforeValidator, Field, ValidationError
    from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
    from pydantic_settings.exceptions import SettingsError

    file = settings_file()
    given = _read(file) if file else {}

    # In Python True is 1; the word 'True' is no number.
    number = BeforeValidator(lambda value: str(value) if isinstance(value, bool) else value)

    class Read(BaseSettings):
        model_config = SettingsConfigDict(env_prefix="AOAI_", extra="ignore")

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
        query_seconds: Annotated[float | None, number] = Field(default=None, gt=0)
        terms_shared_by: Annotated[int, number] = Field(default=Settings.terms_shared_by, ge=2)
        prices: dict[str, Any] = {}
        dimensions: dict[str, Any] = {}
        budgets: dict[str, Annotated[float, number, Field(gt=0, allow_inf_nan=False)]] = {}
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
            return init_settings, env_settings, InitSettingsSource(settings_cls, given)

    try:
        made = Settings(**Read().model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what = f"'{place}' must be {_EXPECTED.get(first['type'], 'another value')}"
        raise WrongUse(f"{_where(str(first['loc'][0]), file)}: {what}") from error
    except SettingsError as error:
        # It names the field in quotes, and no file holds JSON: the setting is a variable's.
        name = str(error).split('"')[1]
        raise WrongUse(f"AOAI_{name.upper()} is not valid JSON: write it like '{_JSON[name]}'") from error
    for name in made.budgets:
        # The budgets travel as a list with commas, in the workbook with semicolons and line breaks.
        if not name.strip() or set(name) & set(",;\r\n"):
            what = f"[budgets] cannot have {name!r}: a name is not empty and has no comma, semicolon or line break"
            raise WrongUse(f"{_where('budgets', file)}: {what}")
    try:
        ZoneInfo(made.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        what = f"unknown time zone '{made.time_zone}': use an IANA name, e.g. UTC or Europe/Berlin"
        raise WrongUse(f"{_where('time_zone', file)}: {what}") from error
    return made


def _where(name: str, file: Path | None) -> str:
    """Where the setting *name* comes from: a variable, else *file*."""
    variable = f"AOAI_{name.upper()}"
    return variable if variable in os.environ or file is None else _shown(file)


#: What the validator expects, in words.
_EXPECTED = {
    "string_type": "text in quotes",
    "path_type": "a folder in quotes",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    **dict.fromkeys(("float_type", "float_parsing", "finite_number", "greater_than"), "a number above 0"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "greater_than_equal"), "a whole number of 2 or more"),
    "string_pattern_mismatch": "a share or size such as '50%' or '4GB'",
    "dict_type": "a table",
    "list_type": "a list",
}
#: Settings that are JSON in a variable, with an example.
_JSON = {
    "prices": '{"file": "prices.csv"}',
    "dimensions": '{"subscription": {"sub-claims": {"team": "Claims"}}}',
    "budgets": '{"(all)": 900, "sub-claims": 120}',
    "only": '["Team=Claims"]',
}
#: Tables that others read.
_OTHERS = ("setup",)


def _shown(file: Path) -> str:
    return file.name if file.parent == Path.cwd() else str(file)


def refuse_unknown(given: Mapping[str, Any], where: str) -> None:
    """Raises WrongUse with the nearest name for a name in *given*, a whole ``aoai.toml``, that is not a setting."""
    known = (*(field.name for field in fields(Settings)), *_OTHERS)
    for name, value in given.items():
        if name not in known:
            kind, form = ("table", "[{}]") if isinstance(value, dict) else ("setting", "'{}'")
            near = get_close_matches(name, known, 1)
            way = f"did you mean {form.format(near[0])}?" if near else f"use {', '.join(known)}"
            raise WrongUse(f"{where}: unknown {kind} {form.format(name)}; {way}")


def _read(file: Path) -> dict[str, Any]:
    """The settings in *file*, its relative folders beside it. Raises WrongUse for a name that is not a setting."""
    import tomllib

    try:
        given: dict[str, Any] = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise WrongUse(f"cannot read {_shown(file)}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUse(f"{_shown(file)} is not valid TOML: {error}") from error
    refuse_unknown(given, _shown(file))
    if file.parent != Path.cwd():
        for name in ("lake", "reports", "source", "deliver"):
            value = given.get(name)
            if isinstance(value, str) and "://" not in value:
                given[name] = str(file.parent / value)
    return given
