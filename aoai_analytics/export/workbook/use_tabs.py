"""The usage tabs: the position, width and form of each query. Data for ``steps``."""

from __future__ import annotations

from .places import Tab, Tile, View, requests, user_tile

USE: tuple[Tab, ...] = (
    Tab(
        "overview",
        "Overview",
        "Traffic, cost and success. Numbers with ± or *estimated* are partly estimates, because the logs do not have "
        "the tokens of every request. The tab *Health* shows the gaps and how to fix them.",
        (
            View(
                "overview",
                "Overview",
                (
                    Tile("health/coverage-head", 50, "kpi"),
                    Tile("cost/total", 25, "kpi"),
                    Tile("reliability/success", 25, "kpi"),
                    Tile("models/share-over-time", 60),
                    Tile("tokens/by-subscription", 40, "pie"),
                    Tile("cost/over-time", 60),
                    Tile("cost/by-model", 40, "grid", bars=("Cost",)),
                    Tile("reliability/failures-over-time", 60),
                    Tile("users/top", 40, "grid", bars=("TotalTokens",)),
                ),
            ),
        ),
    ),
    Tab(
        "tokens",
        "Tokens",
        "Who uses the tokens, when, and for what. *Estimated tokens* are computed from message sizes if they were not "
        "logged; *tokens error* is a standard error; *unknown requests* are in no total.",
        (
            View(
                "who",
                "Who and where",
                (
                    Tile("tokens/by-subscription", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-product", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-team", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-api", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-deployment", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-surface", 50, "grid", bars=("TotalTokens",)),
                    Tile("tokens/by-region", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("tokens/by-caller-and-model", 100, "grid", bars=("TotalTokens",), heats=("AverageTokens",)),
                ),
            ),
            View(
                "when",
                "Over time",
                (
                    Tile("tokens/over-time", 50),
                    Tile("tokens/by-subscription-over-time", 50),
                    Tile("tokens/by-day", 50),
                    Tile("tokens/growth-by-week", 50),
                    Tile("tokens/forecast-month", 50),
                    Tile("tokens/by-hour-and-weekday", 100, "matrix"),
                ),
            ),
            View(
                "kinds",
                "Kinds and sizes",
                (
                    Tile("tokens/by-kind", 50),
                    Tile("tokens/source-mix", 50, "grid", bars=("Requests",), heats=("TokenShare",)),
                    Tile("tokens/request-sizes", 50),
                    Tile("tokens/estimated-by-subscription", 50, "grid", bars=("EstimatedTokens",)),
                    requests("tokens/largest-requests", "tokens", bars=("TotalTokens",)),
                ),
                opens=(("TokensRequest", "conversation", ()),),
            ),
            View(
                "capacity",
                "Capacity",
                (
                    Tile(
                        "tokens/peak-minute",
                        100,
                        "grid",
                        bars=("PeakTokens",),
                        heats=("PeakUtilisation", "MinutesOverQuota"),
                        values={"quotas": "Quotas"},
                    ),
                    Tile(
                        "tokens/ptu-utilisation",
                        100,
                        "grid",
                        bars=("PtusAtPeak",),
                        heats=("PeakUtilisation",),
                        values={"ptus": "Ptus"},
                    ),
                ),
                text="Peak demand per deployment. Enter its quota or provisioned throughput units (PTUs) to see the "
                "utilization.",
                parameters=("Quotas", "Ptus"),
            ),
        ),
    ),
    Tab(
        "models",
        "Models",
        "Which models and versions are used, how fast they are, and how responses end.",
        (
            View(
                "use",
                "Usage",
                (
                    Tile("models/usage", 100, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("models/share-over-time", 50),
                    Tile("models/by-subscription", 50, "grid", heats=("TotalTokens",), bars=("ShareOfSubscription",)),
                    Tile("models/versions", 50, "grid", bars=("TotalTokens",)),
                    Tile("models/retiring", 50, "grid", heats=("DaysLeft",), bars=("TotalTokens",)),
                    Tile("models/unused-deployments", 50, "grid"),
                    Tile("models/api-versions", 50, "grid", bars=("Requests",)),
                ),
            ),
            View(
                "speed",
                "Speed",
                (
                    Tile("models/latency", 100, "grid", heats=("P50", "P90", "P95", "P99"), bars=("Requests",)),
                    Tile("models/throughput-over-time", 50),
                    Tile(
                        "models/latency-per-token", 50, "grid", heats=("P95MsPerToken",), bars=("P50TokensPerSecond",)
                    ),
                ),
            ),
            View(
                "answers",
                "Responses",
                (
                    Tile("models/finish-reasons", 50),
                    Tile("models/reasoning", 50, "grid", bars=("ReasoningShare",)),
                    Tile("models/cache-use", 100, "grid", bars=("CachedShare",), heats=("LongPromptHitRate",)),
                ),
            ),
        ),
    ),
    Tab(
        "users",
        "Users",
        "A user is the end user in the request, else the gateway user, else the caller's address. Select a row of *Top "
        "users* to see that user below.",
        (
            View(
                "who",
                "Who",
                (
                    Tile("users/top", 100, "grid", bars=("TotalTokens",), key="User", sets="SelectedUser"),
                    Tile("users/by-end-user", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("users/by-gateway-user", 50, "grid", bars=("TotalTokens",), heats=("Share",)),
                    Tile("users/by-address", 50, "grid", bars=("TotalTokens",), heats=("Refused",)),
                    Tile("users/by-product", 50, "grid", bars=("TotalTokens",)),
                    Tile("users/by-team", 50, "grid", bars=("Users",)),
                    Tile("users/unmapped", 50, "grid", bars=("Requests",)),
                    Tile("users/addresses-by-subscription", 100, "grid", bars=("Addresses",), heats=("NewAddresses",)),
                ),
                opens=(
                    (
                        "SelectedUser",
                        "user",
                        (
                            user_tile("users/user-summary", 100),
                            user_tile("users/user-over-time", 100),
                            user_tile("users/user-models"),
                            user_tile("users/user-errors"),
                            Tile(
                                "users/user-requests",
                                100,
                                key="CorrelationId",
                                sets="UsersRequest",
                                bars=("TotalTokens",),
                                values={"user": "SelectedUser"},
                            ),
                        ),
                    ),
                    ("UsersRequest", "conversation", ()),
                ),
            ),
            View(
                "change",
                "Change",
                (
                    Tile("users/active-by-day", 50),
                    Tile("users/active-by-week", 50),
                    Tile("users/movers", 100, "grid", heats=("Difference",)),
                    Tile("users/new-and-lost", 100, "grid", bars=("TotalTokens",)),
                    Tile("users/concentration", 100, "grid", bars=("TokenShare",), heats=("UserShare",)),
                    Tile("users/retention", 100, "matrix"),
                ),
            ),
        ),
    ),
    Tab(
        "prompts",
        "Prompts",
        "Which prompts and responses were logged. The texts are hidden; *Show prompts and responses* above shows them, "
        "but only to readers with access to the log tables: queries run with the reader's own permissions. "
        "Languages, topics and personal data need a program: use `aoai query prompts/languages`, "
        "`prompts/topics`, `prompts/personal-data` and `prompts/personal-data-requests`.",
        (
            View(
                "logged",
                "Logged texts",
                (
                    Tile(
                        "prompts/texts-logged",
                        100,
                        "grid",
                        bars=("WholePromptShare", "WholeAnswerShare"),
                        heats=("NoPrompts",),
                    ),
                    Tile("prompts/length-over-time", 50),
                    Tile("prompts/scripts", 50, "grid", bars=("Share",)),
                ),
            ),
            View(
                "repeats",
                "Repetition and limits",
                (
                    Tile("prompts/repeated", 100, "grid", bars=("HighSavings",)),
                    Tile("prompts/cache-misses", 100, "grid", bars=("HighSavings",)),
                    Tile("cost/resent-history", 100, "grid", bars=("HighSavings",)),
                    Tile("prompts/max-tokens", 100, "grid", bars=("ReservedTokens",), heats=("ThrottledRequests",)),
                ),
                text="What repeated prompts, uncached beginnings and resent conversations cost, and output limits far "
                "above use. These queries read every prompt: begin with a short time range.",
            ),
            View(
                "wrote",
                "Prompts and responses",
                (
                    requests(
                        "prompts/search",
                        "prompts",
                        values={"text": "SearchText", "user": "SearchUser", "model": "SearchModel"},
                    ),
                    Tile("prompts/completions", 100, "grid"),
                    Tile("prompts/frequent", 50, "grid", bars=("Requests",)),
                    Tile("prompts/longest", 50, "grid", bars=("PromptCharacters",)),
                    Tile("prompts/filtered", 100, "grid"),
                ),
                text="Select a search result to read the whole conversation.",
                opens=(("PromptsRequest", "conversation", ()),),
                parameters=("SearchText", "SearchUser", "SearchModel"),
            ),
        ),
    ),
)
