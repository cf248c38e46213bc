"""Plugins that count who was active when: ``evaluate activity_metrics(…)`` and its family.

Sources: the page of each at https://learn.microsoft.com/kusto/query/. Each works over a stage of three columns and the
dimensions: ``Id__``, ``Time__`` and, counted from the start of the analysis, the number of its period, ``Bin__``.
"""

from __future__ import annotations

from ..kql.tree import Node
from .naming import column, kql_name, refused, sql_name
from .stages import Stage


class _Activity:
    """The rows of a stage within their periods."""

    def __init__(self, stage: Stage, given: list[Node], start: Node, end: Node, size: Node, dimensions: list[Node]):
        if size.kind.startswith("String"):
            raise refused(size, "the local engine counts periods of one length here; write a timespan such as 7d")
        self.time = column(given[1])
        self.names = [column(node) for node in dimensions]
        self.start, self.size = start.text, size.text
        listed = "".join(f", {kql_name(name)}" for name in self.names)
        self.rows = stage.then(
            f"| project Id__ = {given[0].text}, Time__ = {given[1].text}{listed} "
            f"| extend Bin__ = tolong(floor((Time__ - {start.text}) * 1.0 / {size.text}, 1)), "
            f"In__ = Time__ between ({start.text} .. {end.text})",
            stored=True,
        )
        #: SQL of the dimensions' columns, each with a comma before it.
        self.listed = "".join(f", {sql_name(name)}" for name in self.names)
        self.of, self.own = ("".join(f", {one}.{sql_name(name)}" for name in self.names) for one in "rb")
        self.same = "".join(f" AND r.{sql_name(n)} IS NOT DISTINCT FROM b.{sql_name(n)}" for n in self.names)

    def answer(self, select: str, columns: str) -> str:
        """The KQL that shows *select*, its number of a period as the time when that begins."""
        found = self.rows.sql(select, stored=True)
        dimensions = "".join(f", {kql_name(name)}" for name in self.names)
        return (
            f"{found.name} | project {kql_name(self.time)} = {self.start} + Bin__ * {self.size}{dimensions}, {columns} "
            f"| sort by {kql_name(self.time)} asc"
        )


def _split(function: Node, fixed: int) -> tuple[list[Node], list[Node]]:
    arguments = list(function.rules[1:])
    return arguments[:fixed], arguments[fixed:]


def activity_counts_metrics(function: Node, stage: Stage) -> str:
    """Rows, ids, ids never seen before, and ids seen so far, of each period."""
    (who, when, start, end, window), dimensions = _split(function, 5)
    found = _Activity(stage, [who, when], start, end, window, dimensions)
    own = found.own
    partition = f"PARTITION BY {own[2:]} " if own else ""
    select = f"""
        WITH rows AS (SELECT * FROM "{found.rows.name}" WHERE In__),
        firsts AS (SELECT Id__, min(Bin__) AS Bin__{found.listed} FROM rows GROUP BY Id__{found.listed}),
        fresh AS (SELECT Bin__{found.listed}, count(*) AS f FROM firsts GROUP BY ALL),
        b AS (SELECT Bin__{found.listed}, count(*) AS n, count(DISTINCT Id__) AS d FROM rows GROUP BY ALL)
        SELECT b.Bin__{own}, n AS "count", d AS "dcount", coalesce(f, 0) AS new_dcount,
            CAST(sum(coalesce(f, 0)) OVER ({partition}ORDER BY b.Bin__) AS BIGINT) AS aggregated_dcount
        FROM b LEFT JOIN fresh r ON r.Bin__ = b.Bin__{found.same}"""
    return found.answer(select, "['count'], ['dcount'], new_dcount, aggregated_dcount")


def activity_metrics(function: Node, stage: Stage) -> str:
    """Ids of each period, those that the period before lacks, and the shares of its ids that came back and did not."""
    arguments = list(function.rules[1:])
    if len(arguments) < 5:
        raise refused(function, "give activity_metrics() a start and an end: (id, time, start, end, window)")
    (who, when, start, end, window), dimensions = arguments[:5], arguments[5:]
    found = _Activity(stage, [who, when], start, end, window, dimensions)
    select = f"""
        WITH b AS (SELECT DISTINCT Id__, Bin__{found.listed} FROM "{found.rows.name}" WHERE In__),
        sizes AS (SELECT Bin__ + 1 AS Bin__{found.listed}, count(*) AS n FROM b GROUP BY ALL),
        counted AS (
            SELECT b.Bin__{found.own}, count(*) AS d, count(r.Id__) AS back FROM b
            LEFT JOIN b r ON r.Id__ = b.Id__ AND r.Bin__ = b.Bin__ - 1{found.same} GROUP BY ALL)
        SELECT b.Bin__{found.own}, d AS dcount_values, d - back AS dcount_newvalues,
            coalesce(back / r.n, CAST('NaN' AS DOUBLE)) AS retention_rate,
            coalesce(1 - back / r.n, CAST('NaN' AS DOUBLE)) AS churn_rate
        FROM counted b LEFT JOIN sizes r ON r.Bin__ = b.Bin__{found.same}"""
    return found.answer(select, "dcount_values, dcount_newvalues, retention_rate, churn_rate")


def sliding_window_counts(function: Node, stage: Stage) -> str:
    """Rows and ids of the time before the end of each period."""
    (who, when, start, end, lookback, size), dimensions = _split(function, 6)
    found = _Activity(stage, [who, when], start, end, size, dimensions)
    periods = stage.value(f"tolong(({lookback.text}) / ({size.text}))")
    last = stage.value(f"tolong(floor((({end.text}) - ({start.text})) * 1.0 / ({size.text}), 1))")
    select = f"""
        SELECT b.Bin__{found.of}, count(*) AS "Count", count(DISTINCT r.Id__) AS Dcount
        FROM (SELECT unnest(range(0, {last} + 1)) AS Bin__) b
        JOIN "{found.rows.name}" r ON r.Bin__ > b.Bin__ - {periods} AND r.Bin__ <= b.Bin__ GROUP BY ALL"""
    return found.answer(select, "['Count'], Dcount")


def active_users_count(function: Node, stage: Stage) -> str:
    """Ids of each period that were there in enough shorter ones before."""
    (who, when, start, end, lookback, period, least, size), dimensions = _split(function, 8)
    found = _Activity(stage, [who, when], start, end, size, dimensions)
    days = stage.then(
        f"| project Id__ = {who.text}, Time__ = {when.text}"
        + "".join(f", {kql_name(name)}" for name in found.names)
        + f" | extend Day__ = bin(Time__, {period.text})"
    )
    back, enough = stage.value(lookback.text), stage.value(f"tolong({least.text})")
    select = f"""
        WITH active AS (
            SELECT b.Id__, b.Bin__{found.own} FROM "{found.rows.name}" b
            JOIN "{days.name}" r
                ON r.Id__ = b.Id__ AND r.Time__ > b.Time__ - {back} AND r.Time__ <= b.Time__{found.same}
            WHERE b.In__ GROUP BY b.Id__, b.Time__, b.Bin__{found.own}
            HAVING count(DISTINCT r.Day__) >= {enough})
        SELECT Bin__{found.listed}, count(DISTINCT Id__) AS dcount_values FROM active GROUP BY ALL"""
    return found.answer(select, "dcount_values")


def rolling_percentile(function: Node, stage: Stage) -> str:
    """A percentile of the values of each period and those before it."""
    (value, percent, when, size, count), dimensions = _split(function, 5)
    time, names = column(when), [column(node) for node in dimensions]
    listed = "".join(f", {kql_name(name)}" for name in names)
    rows = stage.then(f"| project Value__ = {value.text}, Bin__ = bin({when.text}, {size.text}){listed}", stored=True)
    name = f"rolling_{count.text.strip()}_percentile_{column(value)}_{percent.text.strip()}"
    of = "".join(f", b.{sql_name(one)}" for one in names)
    same = "".join(f" AND r.{sql_name(one)} IS NOT DISTINCT FROM b.{sql_name(one)}" for one in names)
    length = stage.value(f"({size.text}) * ({count.text})")
    by = "".join(f", {sql_name(one)}" for one in names)
    return rows.sql(
        f"""SELECT b.Bin__ AS {sql_name(time)}{of}, quantile_disc(r.Value__, {percent.text} / 100.0) AS {sql_name(name)}
        FROM (SELECT DISTINCT Bin__{by} FROM "{rows.name}") b
        JOIN "{rows.name}" r ON r.Bin__ > b.Bin__ - {length} AND r.Bin__ <= b.Bin__{same}
        GROUP BY ALL ORDER BY {", ".join([*(f"b.{sql_name(one)}" for one in names), "b.Bin__"])}""",
        stored=True,
    ).name


def rows_near(function: Node, stage: Stage) -> str:
    """The rows within so many rows of one that meets a condition."""
    condition, before, *more = function.rules[1:]
    after = more[0] if more else before
    rows = stage.then(f"| extend Near__ = {condition.text}", stored=True)
    names = ", ".join(map(sql_name, stage.columns))
    return rows.sql(
        f"""SELECT {names} FROM (SELECT *, row_number() OVER () AS Row__ FROM "{rows.name}")
        QUALIFY coalesce(max(Near__) OVER (ORDER BY Row__ ROWS BETWEEN {stage.value(f"tolong({after.text})")} PRECEDING
            AND {stage.value(f"tolong({before.text})")} FOLLOWING), FALSE) ORDER BY Row__""",
        stored=True,
    ).name


def dcount_intersect(function: Node, stage: Stage) -> str:
    """How many values the first set has, the first two have both, and so on. Sets are those of ``hll``."""
    sets = [f"CAST({sql_name(column(node))} AS VARCHAR[])" for node in function.rules[1:]]
    cells, common = [], ""
    for place, one in enumerate(sets):
        common = f"list_intersect({common}, {one})" if common else one
        cells.append(f"CAST(len(list_distinct({common})) AS BIGINT) AS s{place}")
    return stage.sql(f'SELECT {", ".join(cells)} FROM "{stage.name}"').name
