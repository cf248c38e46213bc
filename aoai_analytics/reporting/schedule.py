"""Run reports on a timer: files for cron, systemd, GitHub Actions and Container Apps, filled in with your values.

The files in ``setup_scripts/schedule`` work as they are, with the defaults of ``Schedule``; ``fill`` replaces these
with other values. Every schedule runs once a day and makes what is due (``aoai report --due``), so that no missed or
failed run and no clock change loses a report.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from ..config import shipped
from ..errors import UnknownName, WrongUse
from ..format.labels import plain
from ..format.periods import WRITTEN, age, zone
from .summary import checked_link

#: How far a clock is ahead of UTC at a moment.
Clock = Callable[[datetime], timedelta]
FOLDER = "schedule"
# Vixie cron refuses longer commands.
_LONGEST_CRON = 990
_MODULE = re.compile(r"^(?:module \w+|import \{[^}]*\} from) '([^']+\.bicep)'", re.MULTILINE)


@dataclass(frozen=True)
class Schedule:
    """What to make when, as options of ``aoai report``; ``at`` is a time of day in ``time_zone``.

    ``logs`` are ingested first, into the lake ``source``. ``program`` is the aoai command and ``folder`` its working
    folder, both absolute paths; ``name`` and ``workspace`` are those of the installation in Azure. Empty values are
    left out.
    """

    every: str = "monthly"
    at: time = time(6)
    time_zone: str = "UTC"
    source: str = "log-analytics://00000000-0000-0000-0000-000000000000"
    logs: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    pages: str = "reports"
    deliver: str = ""
    link: str = ""
    keep: str = ""
    credential: str = ""
    program: str = "/opt/aoai-analytics/bin/aoai"
    folder: str = "/var/lib/aoai-analytics"
    name: str = "aoai"
    workspace: str = "log-aoai"

    def __post_init__(self) -> None:
        """Raises WrongUse for an invalid value."""
        if self.every not in WRITTEN:
            raise WrongUse(f"--every '{self.every}' is not valid: use {', '.join(WRITTEN)}")
        zone(self.time_zone)
        if self.keep:
            age(self.keep)
        if self.link:
            checked_link(self.link)
        if self.logs and "://" in self.source:
            raise WrongUse("--logs needs a lake: set --source to its folder, or remove --logs")
        for name, least, most in (("name", 3, 12), ("workspace", 4, 63)):
            if not re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9-]{{{least - 1},{most - 1}}}", getattr(self, name)):
                raise WrongUse(f"--{name} '{getattr(self, name)}': {least} to {most} letters, digits and hyphens")
        for name in ("program", "folder"):
            if not getattr(self, name).startswith("/"):
                raise WrongUse(f"--{name} '{getattr(self, name)}' must be an absolute path, starting with '/'")
        for field in fields(self):
            value = getattr(self, field.name)
            for text in value if isinstance(value, tuple) else (str(value),):
                if plain(text) != text or text != text.strip():
                    raise WrongUse(f"--{field.name.replace('_', '-')} holds a control character or ends in a space")
                if field.name == "reports" and text.startswith("-"):
                    raise WrongUse(f"'{text}' is not a report name")

    def ingest(self) -> list[str]:
        """The arguments of ``aoai`` that ingest the logs; none without logs."""
        return ["ingest", *self.logs, "--lake", self.source] if self.logs else []

    def report(self) -> list[list[str]]:
        """The arguments of ``aoai`` that make the reports, in one group per line."""
        given = {
            "due": self.every,
            "source": self.source,
            "time-zone": self.time_zone,
            "output": self.pages,
            "deliver": self.deliver,
            "link": self.link,
            "keep": self.keep,
            "credential": self.credential,
        }
        return [["report", *self.reports], *([f"--{name}", value] for name, value in given.items() if value)]


@dataclass(frozen=True)
class Kind:
    """A way to run reports on a timer: what it is, which clock it follows, its files, and the values it takes."""

    title: str
    clock: str
    files: tuple[str, ...]
    takes: frozenset[str]
    fill: Callable[[str, str, Schedule, Clock], str]


def kinds() -> dict[str, Kind]:
    """The schedules by name."""
    return dict(_KINDS)


def kind(name: str) -> Kind:
    """The schedule of that name. Raises UnknownName."""
    if name not in _KINDS:
        raise UnknownName(f"unknown schedule '{name}'; use {', '.join(_KINDS)}")
    return _KINDS[name]


def fill(name: str, schedule: Schedule, clock: Clock | None = None) -> dict[str, str]:
    """The files of the schedule *name* with the values of *schedule*, by file name.

    *clock* is that of the machine whose cron runs it (None: UTC). Raises UnknownName, WrongUse.
    """
    of = kind(name)
    texts = {Path(file).name: (shipped("setup_scripts") / FOLDER / file).read_text("utf-8") for file in of.files}
    return {file: of.fill(file, text, schedule, clock or _always_utc) for file, text in texts.items()}


def together(name: str, schedule: Schedule) -> dict[str, str]:
    """As ``fill``, with everything that the files need beside them, so that the folder is complete."""
    files = fill(name, schedule)
    modules = shipped("setup_scripts") / "infra/modules"
    wanted = [Path(path).name for text in files.values() for path in re.findall(r"^using '(.+)'$", text, re.MULTILINE)]
    files = {
        file: re.sub(r"^using '.*/(.+)'$", r"using '\1'", text, flags=re.MULTILINE) for file, text in files.items()
    }
    while wanted:
        module = wanted.pop()
        if module not in files:
            files[module] = (modules / module).read_text("utf-8")
            wanted += _MODULE.findall(files[module])
    return files


def by_the_clock(at: time, time_zone: str, clock: Clock, today: date) -> tuple[time, list[time]]:
    """When it is *at* in *time_zone* on another *clock*, and which times in the zone that is over two years.

    Where the two change on different days, the latest time counts, so that it is never before *at*.
    """
    local = zone(time_zone)
    ahead = []
    for day in range(731):
        naive = datetime.combine(today + timedelta(days=day), at)
        moment = naive.replace(tzinfo=local).astimezone(UTC)
        ahead.append(moment.replace(tzinfo=None) + clock(moment) - naive)
    shown = datetime.combine(today, at) + max(ahead)
    times = {(shown - each).time() for each in ahead}
    return shown.time(), sorted(times, key=lambda each: (each < at, each))


def _always_utc(moment: datetime) -> timedelta:
    return timedelta()


def _cron(schedule: Schedule, clock: Clock) -> tuple[str, str]:
    """The times of a cron expression, and in words which times these are in the schedule's zone."""
    shown, times = by_the_clock(schedule.at, schedule.time_zone, clock, datetime.now(UTC).date())
    words = " or ".join(f"{each:%H:%M}" for each in times)
    return f"{shown.minute} {shown.hour} * * *", f"equal to {words} in {schedule.time_zone}"


def _replaced(text: str, pattern: str, value: str) -> str:
    """*text* with the one match of *pattern* replaced by *value*, taken literally."""
    found, count = re.subn(pattern, lambda _: value, text, flags=re.MULTILINE)
    assert count == 1, f"{pattern} matches {count} times in the shipped file"
    return found


def _crontab(_file: str, text: str, schedule: Schedule, clock: Clock) -> str:
    times, words = _cron(schedule, clock)
    program, folder = _cron_quoted(schedule.program), _cron_quoted(schedule.folder)
    log = _cron_quoted(f"{schedule.folder.rstrip('/')}/report.log")
    runs = [schedule.ingest(), [word for group in schedule.report() for word in group]]
    commands = " && ".join(" ".join([program, *map(_cron_quoted, run)]) for run in runs if run)
    command = (
        f"cd {folder} && {{ flock -n 9 || exit 0; {commands}; }} 9>.report.lock >>report.log 2>&1 || tail -n 20 {log}"
    )
    if len(command) > _LONGEST_CRON:
        raise WrongUse("the command is too long for cron: put values into the folder's aoai.toml, or use systemd")
    text = _replaced(text, r"^# In this machine's local time, .*$", f"# In this machine's local time, {words}.")
    return _replaced(text, r"^\d+ \d+ \* \* \* .*$", f"{times} {command}")


def _systemd(file: str, text: str, schedule: Schedule, clock: Clock) -> str:
    if file.endswith(".timer"):
        when = f"OnCalendar=*-*-* {schedule.at:%H:%M}:00 {schedule.time_zone}"
        return _replaced(text, r"^OnCalendar=.*$", when)
    if schedule.folder.endswith("\\"):
        raise WrongUse("--folder ends in a backslash, which systemd reads as a continued line")
    text = _replaced(text, r"^WorkingDirectory=.*$", f"WorkingDirectory={schedule.folder.replace('%', '%%')}")
    groups = [[schedule.program, *schedule.report()[0]], *schedule.report()[1:]]
    start = " \\\n    ".join(" ".join(map(_systemd_quoted, group)) for group in groups)
    before = [schedule.program, *schedule.ingest()]
    lines = [f"ExecStartPre={' '.join(map(_systemd_quoted, before))}"] if schedule.logs else []
    return _replaced(text, r"^ExecStart=(?:.*\\\n)*.*$", "\n".join([*lines, f"ExecStart={start}"]))


def _github(_file: str, text: str, schedule: Schedule, clock: Clock) -> str:
    _needs_a_service(schedule)
    text = _replaced(text, r"^    - cron: .*$", f"    - cron: {schedule.at.minute} {schedule.at.hour} * * *")
    text = _replaced(text, r"^      timezone: .*$", f"      timezone: {schedule.time_zone}")
    groups = replace(schedule, pages="reports", credential=schedule.credential or "AzureCliCredential").report()
    lines = " \\\n            ".join(" ".join(map(_github_quoted, group)) for group in groups)
    return _replaced(text, r"^          aoai report .*\\\n(?:            --.*\\\n)*", f"          aoai {lines} \\\n")


def _container_apps(_file: str, text: str, schedule: Schedule, clock: Clock) -> str:
    times, words = _cron(schedule, _always_utc)
    values = {
        "name": _bicep(schedule.name),
        "workspaceName": _bicep(schedule.workspace),
        "cron": _bicep(times),
        "every": _bicep(schedule.every),
        "timeZone": _bicep(schedule.time_zone),
        "keep": _bicep(schedule.keep),
        "reports": f"[{', '.join(map(_bicep, schedule.reports))}]",
    }
    for name, value in values.items():
        text = _replaced(text, rf"^param {name} = .*$", f"param {name} = {value}")
    return _replaced(text, r"^// In UTC, .*$", f"// In UTC, {words}.")


def _needs_a_service(schedule: Schedule) -> None:
    if "://" not in schedule.source:
        raise WrongUse(
            f"the lake '{schedule.source}' is a folder on this machine, which a remote runner does not have: "
            "use --source log-analytics://WORKSPACE-ID or kusto://CLUSTER/DATABASE"
        )


def _cron_quoted(text: str) -> str:
    r"""*text* as a word of the shell in a crontab, where ``%`` ends the command unless escaped by a backslash.

    cron takes any backslash as the beginning of a pair, so that a quote is put between those of *text* and ``\%``.
    """
    if "%" not in text:
        return shlex.quote(text)
    return "'" + text.replace("'", "'\"'\"'").replace("%", "''\\%") + "'"


def _systemd_quoted(text: str) -> str:
    """*text* as a word of a command line in a unit (systemd.service, "Command lines")."""
    text = text.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%+=:,./$-]+", text, re.ASCII) and "$" not in text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _github_quoted(text: str) -> str:
    """*text* as a word of a script in a workflow, where ``${{`` begins an expression also within quotes."""
    return shlex.quote(text).replace("${{", "${{ '${{' }}")


def _bicep(text: str) -> str:
    """*text* as a Bicep string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${") + "'"


_COMMON = {"every", "at", "time_zone", "reports", "keep"}
_RUN = _COMMON | {"source", "deliver", "link", "credential"}
_HERE = _RUN | {"logs", "pages", "program", "folder"}
_KINDS: Mapping[str, Kind] = {
    "crontab": Kind(
        "a crontab line, on your own machine", "by that machine's clock", ("crontab",), frozenset(_HERE), _crontab
    ),
    "systemd": Kind(
        "a service and its timer, on your own machine",
        "in the time zone you name",
        ("systemd/aoai-report.service", "systemd/aoai-report.timer"),
        frozenset(_HERE),
        _systemd,
    ),
    "github": Kind(
        "a GitHub Actions workflow",
        "in the time zone you name",
        ("github/aoai-report.yml",),
        frozenset(_RUN),
        _github,
    ),
    "container-apps": Kind(
        "an Azure Container Apps job, with a website for the pages",
        "in UTC",
        ("container-apps/report.bicepparam",),
        frozenset(_COMMON | {"name", "workspace"}),
        _container_apps,
    ),
}


def checked(name: str, given: Sequence[str]) -> None:
    """Raises WrongUse where *given* names a value that the schedule *name* does not take."""
    of = kind(name)
    if other := [value for value in given if value not in of.takes]:
        words = ", ".join(f"--{value.replace('_', '-')}" for value in other)
        raise WrongUse(f"the schedule {name} does not take {words}")
