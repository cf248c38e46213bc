"""Alert rules on a workspace, as a Bicep module: each is a query of ``kql/alerts`` that fires if it returns a row.

A rule's thresholds are its query's parameters, and become parameters of the module with the query's defaults. The rules
use the saved functions: Azure rejects ``union`` in a rule's own text, which the functions need, and limits a rule
to 64 KB (https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-log-query, .../fundamentals/service-limits).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..engines.kql.parameters import Parameter
from ..engines.kql.tree import without_comments
from ..library import library
from ..library.queries import Query

#: Maximum time range that the service shows a rule's query: the last ``over``, at most two days.
LONGEST = "P2D"
#: The page that explains each alert, under a heading with the alert's name.
PAGE = "docs/alerts.md"


@dataclass(frozen=True)
class Alert:
    """A rule: its query, how often it runs (ISO 8601), its time range, its severity (0 worst, 4 least), and the
    columns that split it into separate alerts. ``values`` are defaults other than the query's, ``set`` is fixed
    KQL, ``look`` names the queries to run next.
    """

    name: str
    severity: int
    every: str
    over: str
    dimensions: tuple[str, ...] = ()
    look: tuple[str, ...] = ()
    asks: str = ""
    title: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, str] = field(default_factory=dict)

    @property
    def query(self) -> Query:
        """The library's query."""
        return library().get(f"alerts/{self.asks or self.name}")

    @property
    def display_name(self) -> str:
        """The rule's title: the query's, without the word that marks it as an alert."""
        return self.title or self.query.title.removeprefix("Alert: ")

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The thresholds that the module takes."""
        return {name: given for name, given in self.query.parameters.items() if name not in self.set}

    def default(self, name: str) -> str:
        """A threshold's default, as KQL."""
        return self.values.get(name, self.query.parameters[name].default)

    @property
    def description(self) -> str:
        """The fired alert's description: its meaning, its query, where to look and what to do."""
        look = f" See also {', '.join(self.look)}." if self.look else ""
        return f"{self.query.question} Query: kql/{self.query.name}.kql.{look} What to do: {PAGE}#{self.name}"

    @property
    def body(self) -> str:
        """The query without its parameters and comments."""
        taken = {parameter.line for parameter in self.query.parameters.values()}
        lines = [line for number, line in enumerate(self.query.text.split("\n")) if number not in taken]
        return "\n".join(line.rstrip() for line in without_comments("\n".join(lines)).split("\n") if line.strip())

    def text(self, **values: str) -> str:
        """The rule's query; *values* are KQL that replaces the defaults."""
        lets = {name: values.get(name, self.default(name)) for name in self.parameters} | dict(self.set)
        return "".join(f"let {name} = {value};\n" for name, value in lets.items()) + self.body


# Rows arrive up to about 15 minutes late: a window is twice as long so that no event is missed.
ALERTS = (
    Alert(
        "budget-pace", 2, "PT1H", "P1D", ("Scope", "State"), ("cost/budget", "cost/by-subscription", "cost/unpriced")
    ),
    Alert("content-filter", 3, "PT30M", "P1D", ("SubscriptionId",), ("reliability/content-filter",)),
    Alert(
        "error-budget-fast",
        1,
        "PT5M",
        "PT1H",
        look=("reliability/errors", "reliability/success-rate", "reliability/backends"),
        asks="error-budget",
        title="Error budget, fast burn",
    ),
    Alert(
        "error-budget-slow",
        2,
        "PT30M",
        "P1D",
        look=("reliability/error-budget", "reliability/errors"),
        asks="error-budget",
        title="Error budget, slow burn",
        values={"longWindow": "1d", "shortWindow": "2h", "burnRate": "3.0"},
    ),
    Alert(
        "failover-exhausted",
        1,
        "PT5M",
        "PT30M",
        ("DeploymentName",),
        ("reliability/failover-exhausted", "reliability/backends"),
    ),
    Alert("logging-coverage", 2, "PT1H", "P1D", ("ApiId",), ("health/llm-log-over-time", "health/unknown-tokens")),
    Alert("logs-stopped", 1, "PT30M", "P2D", look=("health/requests-by-hour", "health/tables"), set={"until": "now()"}),
    Alert("new-caller", 3, "PT1H", "P2D", ("SubscriptionId", "Caller"), ("users/user-summary", "users/new-and-lost")),
    Alert(
        "throttling",
        2,
        "PT5M",
        "PT30M",
        ("DeploymentName",),
        ("reliability/throttling-by-deployment", "reliability/throttling-by-subscription"),
    ),
)

_BUDGETS = "budgets"
#: KQL type -> the module's parameter type. Bicep has no decimal numbers.
_BICEP_TYPES = {"real": "string", "long": "int", "timespan": "string", "bool": "bool"}

_HEAD = """\
metadata description = 'The alert rules, their thresholds and queries. Generated by "aoai export alerts": do not edit.'
"""


def alerts_bicep() -> str:
    """``alert-rules.bicep``: types of the rules' names and thresholds, and a function that returns the rules."""
    names = " | ".join(_text(alert.name) for alert in ALERTS)
    rules = "".join(_rule(alert) for alert in ALERTS)
    return f"""{_HEAD}
@export()
@description('A rule.')
type alertName = {names}
{_thresholds_type()}
@export()
@description('The rules, as modules/alerts.bicep makes them.')
func alertRules(thresholds alertThresholds, budgets object) object[] => [
{rules}]
"""


def _thresholds_type() -> str:
    lines = ["", "@export()", "@description('Thresholds by rule.')", "type alertThresholds = {"]
    for alert in ALERTS:
        lines += [f"  @description({_text(alert.query.question)})", f"  {_key(alert.name)}: {{"]
        for name, parameter in alert.parameters.items():
            if name != _BUDGETS:
                about = parameter.about[:1].upper() + parameter.about[1:]
                lines.append(f"    @description({_text(f'{about}. Default: {alert.default(name)}.')})")
                lines.append(f"    {name}: {_BICEP_TYPES[parameter.type]}?")
        lines.append("  }?")
    return "\n".join([*lines, "}", ""])


def _rule(alert: Alert) -> str:
    values = {
        "name": _text(alert.name),
        "title": _text(alert.display_name[:1].lower() + alert.display_name[1:]),
        "description": _text(alert.description),
        "file": _text(f"kql/{alert.query.name}.kql"),
        "severity": str(alert.severity),
        "every": _text(alert.every),
        "over": _text(alert.over),
        "dimensions": f"[{', '.join(map(_text, alert.dimensions))}]",
        "query": "'" + "".join(_lets(alert)) + _escaped(alert.body) + "'",
    }
    return "  {\n" + "".join(f"    {key}: {value}\n" for key, value in values.items()) + "  }\n"


def _lets(alert: Alert) -> Iterator[str]:
    """The query's parameters as a part of a Bicep string: the given value, otherwise the default."""
    for name, parameter in alert.parameters.items():
        if name == _BUDGETS:
            pairs = "map(items(budgets), budget => '${budget.key}=${budget.value}')"
            yield f"let {name} = dynamic(${{string({pairs})}});\\n"
            continue
        rule = f".?{alert.name}" if alert.name.isidentifier() else f"[?{_text(alert.name)}]"
        given, default = f"thresholds{rule}.?{name}", alert.default(name)
        if parameter.type == "bool":
            yield f"let {name} = ${{({given} ?? {default}) ? 'true' : 'false'}};\\n"
        elif parameter.type == "real":
            # Reject non-numbers here: nobody would see the query fail.
            yield f"let {name} = real(${{json({given} ?? '{default}')}});\\n"
        else:
            value = default if parameter.type == "long" else _text(default)
            yield f"let {name} = ${{{given} ?? {value}}};\\n"
    for name, kql in alert.set.items():
        yield f"let {name} = {kql};\\n"


def _key(name: str) -> str:
    return name if name.isidentifier() else _text(name)


def _text(text: str) -> str:
    return f"'{_escaped(text)}'"


def _escaped(text: str) -> str:
    """*text* escaped for a Bicep string."""
    return text.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${").replace("\n", "\\n")
