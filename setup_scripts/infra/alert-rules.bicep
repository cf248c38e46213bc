metadata description = 'The alert rules, their thresholds and queries. Made by "aoai export alerts": do not edit.'

@export()
@description('A rule.')
type alertName = 'budget-pace' | 'content-filter' | 'error-budget-fast' | 'error-budget-slow' | 'failover-exhausted' | 'logging-coverage' | 'logs-stopped' | 'new-caller' | 'throttling'

@export()
@description('Thresholds by rule.')
type alertThresholds = {
  @description('Whose last day cost more than a day of the month\'s budget may?')
  'budget-pace': {
    @description('Times an even share of the budget that a day may cost. Default: 1.5.')
    allowance: string?
    @description('% of the billed requests whose cost may be unknown; above, the pace cannot be told. Default: 50.0.')
    maxUnknownShare: string?
  }?
  @description('Whose prompts or answers does the content filter stop much more often than shortly before?')
  'content-filter': {
    @description('Time that is compared with the time before it. Default: 1h.')
    recent: string?
    @description('Times the share of before above which it fires. Default: 3.0.')
    factor: string?
    @description('Filtered requests of a subscription under which nothing fires. Default: 10.')
    minFiltered: int?
  }?
  @description('Is the error budget being spent so fast that it will not last?')
  'error-budget-fast': {
    @description('The aim: % of the counted requests that succeed. Default: 99.0.')
    slo: string?
    @description('Whether a request that the gateway\'s own limit refused counts as failed. Default: false.')
    countGatewayThrottling: bool?
    @description('Time over which the budget must burn too fast. Default: 1h.')
    longWindow: string?
    @description('Time at its end over which it must still do so. Default: 5m.')
    shortWindow: string?
    @description('Times as fast as would spend the whole budget by the end of its period. Default: 14.4.')
    burnRate: string?
    @description('Failures in the long window under which nothing fires. Default: 5.')
    minFailures: int?
  }?
  @description('Is the error budget being spent so fast that it will not last?')
  'error-budget-slow': {
    @description('The aim: % of the counted requests that succeed. Default: 99.0.')
    slo: string?
    @description('Whether a request that the gateway\'s own limit refused counts as failed. Default: false.')
    countGatewayThrottling: bool?
    @description('Time over which the budget must burn too fast. Default: 1d.')
    longWindow: string?
    @description('Time at its end over which it must still do so. Default: 2h.')
    shortWindow: string?
    @description('Times as fast as would spend the whole budget by the end of its period. Default: 3.0.')
    burnRate: string?
    @description('Failures in the long window under which nothing fires. Default: 5.')
    minFailures: int?
  }?
  @description('Which deployments failed their callers although several backends were tried?')
  'failover-exhausted': {
    @description('Requests to a deployment that ended so, from which on it fires. Default: 5.')
    minRequests: int?
  }?
  @description('Of which API do the logs tell the tokens much less often than shortly before?')
  'logging-coverage': {
    @description('Time that is compared with the time before it. Default: 2h.')
    recent: string?
    @description('Time before the last request that is left out: its LLM rows may still be on their way. Default: 30m.')
    settle: string?
    @description('Percentage points by which the share may fall. Default: 20.0.')
    maxDrop: string?
    @description('Answered requests of an API, in each of both times, from which on it is judged. Default: 50.')
    minRequests: int?
  }?
  @description('Has the gateway\'s log fallen silent at a time when it was not a day before?')
  'logs-stopped': {
    @description('Time without a record that counts as silence. Default: 2h.')
    silence: string?
    @description('Records that the same time a day before must have had. Default: 50.')
    minRecords: int?
    @description('Whether Saturdays and Sundays are as busy as working days. Default: false.')
    weekends: bool?
  }?
  @description('Who called for the first time and already used much?')
  'new-caller': {
    @description('Time within which the first request must lie. Default: 6h.')
    recent: string?
    @description('How far back the logs must reach, that a caller can be called new. Default: 1d.')
    history: string?
    @description('Tokens above which it fires. Default: 1000000.')
    minTokens: int?
    @description('Requests without known tokens above which it fires too. Default: 1000.')
    maxUnknown: int?
    @description('False: only a new subscription is a new caller. Default: true.')
    byUser: bool?
  }?
  @description('Which deployments turn away more of their requests than they may?')
  throttling: {
    @description('% of a deployment\'s requests that may be throttled. Default: 10.0.')
    maxShare: string?
    @description('Requests to a deployment from which on it is judged. Default: 20.')
    minRequests: int?
  }?
}

@export()
@description('The rules, as modules/alerts.bicep makes them.')
func alertRules(thresholds alertThresholds, budgets object) object[] => [
  {
    name: 'budget-pace'
    title: 'budget pace'
    description: 'Whose last day cost more than a day of the month\'s budget may? Query: kql/alerts/budget-pace.kql. Then ask cost/budget, cost/by-subscription, cost/unpriced. What to do: docs/alerts.md#budget-pace'
    file: 'kql/alerts/budget-pace.kql'
    severity: 2
    every: 'PT1H'
    over: 'P1D'
    dimensions: ['Scope', 'State']
    query: 'let budgets = dynamic(${string(map(items(budgets), budget => '${budget.key}=${budget.value}'))});\nlet allowance = real(${json(thresholds[?'budget-pace'].?allowance ?? '1.5')});\nlet maxUnknownShare = real(${json(thresholds[?'budget-pace'].?maxUnknownShare ?? '50.0')});\nlet Given = print Text = budgets\n    | mv-expand Text to typeof(string)\n    | project Scope = trim(@"\\s+", extract(@"^(.*)=", 1, Text)), Budget = todouble(extract(@"=\\s*(\\d+(?:\\.\\d+)?)\\s*$", 1, Text))\n    | where isnotempty(Scope) and Budget > 0;\nlet Costs = materialize(AoaiCosts | project TimeGenerated, SubscriptionId, TokenSource, CostState, IsCacheEstimated, Cost, CostOwnVariance, CostSharedError);\nlet Last = toscalar(Costs | summarize max(TimeGenerated));\nlet MonthDays = datetime_diff("day", datetime_add("month", 1, startofmonth(Last)), startofmonth(Last));\nCosts\n| where TimeGenerated > Last - 1d\n| extend Scopes = pack_array("(all)", SubscriptionId)\n| mv-expand Scope = Scopes to typeof(string)\n| summarize\n    DayCost = sum(Cost),\n    CostError = sqrt(sum(CostOwnVariance) + pow(sum(CostSharedError), 2)),\n    EstimatedCost = sumif(Cost, TokenSource == "estimated" or IsCacheEstimated),\n    BilledRequests = countif(CostState != "not-billed"),\n    UnpricedRequests = countif(CostState == "unpriced"),\n    UnknownRequests = countif(CostState == "unknown-tokens")\n    by Scope\n| lookup kind=inner Given on Scope\n| extend DayBudget = Budget / MonthDays\n| extend State = case(\n    DayCost * MonthDays > allowance * Budget, "over pace",\n    100.0 * (UnpricedRequests + UnknownRequests) > maxUnknownShare * BilledRequests, "cannot tell",\n    "")\n| where isnotempty(State)\n| project Scope, State, Budget, DayBudget, DayCost, Pace = round(DayCost / DayBudget, 2), ProjectedCost = DayCost * MonthDays, CostError, EstimatedCost,\n    BilledRequests, UnpricedRequests, UnknownRequests\n| sort by Pace desc, Scope asc'
  }
  {
    name: 'content-filter'
    title: 'content filter'
    description: 'Whose prompts or answers does the content filter stop much more often than shortly before? Query: kql/alerts/content-filter.kql. Then ask reliability/content-filter. What to do: docs/alerts.md#content-filter'
    file: 'kql/alerts/content-filter.kql'
    severity: 3
    every: 'PT30M'
    over: 'P1D'
    dimensions: ['SubscriptionId']
    query: 'let recent = ${thresholds[?'content-filter'].?recent ?? '1h'};\nlet factor = real(${json(thresholds[?'content-filter'].?factor ?? '3.0')});\nlet minFiltered = ${thresholds[?'content-filter'].?minFiltered ?? 10};\nlet Traffic = materialize(\n    AoaiRequestsLogged\n    | where Outcome in ("success", "content-filter") and Surface in ("chat", "completions", "responses", "images")\n    | project TimeGenerated, SubscriptionId, User, IsFiltered = Outcome == "content-filter" or FinishReason == "content_filter"\n);\nlet Last = toscalar(Traffic | summarize max(TimeGenerated));\nTraffic\n| extend IsRecent = TimeGenerated > Last - recent\n| summarize\n    Requests = countif(IsRecent),\n    FilteredRequests = countif(IsRecent and IsFiltered),\n    RequestsBefore = countif(not(IsRecent)),\n    FilteredBefore = countif(not(IsRecent) and IsFiltered),\n    Users = dcountif(User, IsRecent and IsFiltered),\n    LastSeen = maxif(TimeGenerated, IsFiltered)\n    by SubscriptionId\n| where FilteredRequests >= minFiltered\n    and (RequestsBefore == 0 or 1.0 * FilteredRequests * RequestsBefore > factor * FilteredBefore * Requests)\n| project SubscriptionId, Requests, FilteredRequests, FilteredShare = round(100.0 * FilteredRequests / Requests, 1),\n    RequestsBefore, FilteredShareBefore = iff(RequestsBefore > 0, round(100.0 * FilteredBefore / RequestsBefore, 1), real(null)), Users, LastSeen\n| sort by FilteredRequests desc, SubscriptionId asc'
  }
  {
    name: 'error-budget-fast'
    title: 'error budget, fast burn'
    description: 'Is the error budget being spent so fast that it will not last? Query: kql/alerts/error-budget.kql. Then ask reliability/errors, reliability/success-rate, reliability/backends. What to do: docs/alerts.md#error-budget-fast'
    file: 'kql/alerts/error-budget.kql'
    severity: 1
    every: 'PT5M'
    over: 'PT1H'
    dimensions: []
    query: 'let slo = real(${json(thresholds[?'error-budget-fast'].?slo ?? '99.0')});\nlet countGatewayThrottling = ${(thresholds[?'error-budget-fast'].?countGatewayThrottling ?? false) ? 'true' : 'false'};\nlet longWindow = ${thresholds[?'error-budget-fast'].?longWindow ?? '1h'};\nlet shortWindow = ${thresholds[?'error-budget-fast'].?shortWindow ?? '5m'};\nlet burnRate = real(${json(thresholds[?'error-budget-fast'].?burnRate ?? '14.4')});\nlet minFailures = ${thresholds[?'error-budget-fast'].?minFailures ?? 5};\nlet Counted = materialize(\n    AoaiRequestsLogged\n    | extend IsGood = Outcome in ("success", "cache-hit")\n    | extend IsBad = Outcome in ("server-error", "throttled-backend") or (countGatewayThrottling and Outcome == "throttled-gateway")\n    | where IsGood or IsBad\n    | project TimeGenerated, IsBad\n);\nlet Last = toscalar(Counted | summarize max(TimeGenerated));\nCounted\n| where TimeGenerated > Last - longWindow\n| extend IsShort = TimeGenerated > Last - shortWindow\n| summarize\n    CountedRequests = count(),\n    FailedRequests = countif(IsBad),\n    ShortRequests = countif(IsShort),\n    ShortFailedRequests = countif(IsShort and IsBad),\n    LastFailure = maxif(TimeGenerated, IsBad)\n| where FailedRequests >= minFailures\n    and 100.0 * FailedRequests > burnRate * (100.0 - slo) * CountedRequests\n    and 100.0 * ShortFailedRequests > burnRate * (100.0 - slo) * ShortRequests\n| project CountedRequests, FailedRequests, BurnRate = iff(slo < 100, round(100.0 * FailedRequests / CountedRequests / (100.0 - slo), 1), real(null)),\n    ShortRequests, ShortFailedRequests, ShortBurnRate = iff(slo < 100, round(100.0 * ShortFailedRequests / ShortRequests / (100.0 - slo), 1), real(null)), LastFailure'
  }
  {
    name: 'error-budget-slow'
    title: 'error budget, slow burn'
    description: 'Is the error budget being spent so fast that it will not last? Query: kql/alerts/error-budget.kql. Then ask reliability/error-budget, reliability/errors. What to do: docs/alerts.md#error-budget-slow'
    file: 'kql/alerts/error-budget.kql'
    severity: 2
    every: 'PT30M'
    over: 'P1D'
    dimensions: []
    query: 'let slo = real(${json(thresholds[?'error-budget-slow'].?slo ?? '99.0')});\nlet countGatewayThrottling = ${(thresholds[?'error-budget-slow'].?countGatewayThrottling ?? false) ? 'true' : 'false'};\nlet longWindow = ${thresholds[?'error-budget-slow'].?longWindow ?? '1d'};\nlet shortWindow = ${thresholds[?'error-budget-slow'].?shortWindow ?? '2h'};\nlet burnRate = real(${json(thresholds[?'error-budget-slow'].?burnRate ?? '3.0')});\nlet minFailures = ${thresholds[?'error-budget-slow'].?minFailures ?? 5};\nlet Counted = materialize(\n    AoaiRequestsLogged\n    | extend IsGood = Outcome in ("success", "cache-hit")\n    | extend IsBad = Outcome in ("server-error", "throttled-backend") or (countGatewayThrottling and Outcome == "throttled-gateway")\n    | where IsGood or IsBad\n    | project TimeGenerated, IsBad\n);\nlet Last = toscalar(Counted | summarize max(TimeGenerated));\nCounted\n| where TimeGenerated > Last - longWindow\n| extend IsShort = TimeGenerated > Last - shortWindow\n| summarize\n    CountedRequests = count(),\n    FailedRequests = countif(IsBad),\n    ShortRequests = countif(IsShort),\n    ShortFailedRequests = countif(IsShort and IsBad),\n    LastFailure = maxif(TimeGenerated, IsBad)\n| where FailedRequests >= minFailures\n    and 100.0 * FailedRequests > burnRate * (100.0 - slo) * CountedRequests\n    and 100.0 * ShortFailedRequests > burnRate * (100.0 - slo) * ShortRequests\n| project CountedRequests, FailedRequests, BurnRate = iff(slo < 100, round(100.0 * FailedRequests / CountedRequests / (100.0 - slo), 1), real(null)),\n    ShortRequests, ShortFailedRequests, ShortBurnRate = iff(slo < 100, round(100.0 * ShortFailedRequests / ShortRequests / (100.0 - slo), 1), real(null)), LastFailure'
  }
  {
    name: 'failover-exhausted'
    title: 'failover exhausted'
    description: 'Which deployments failed their callers although several backends were tried? Query: kql/alerts/failover-exhausted.kql. Then ask reliability/failover-exhausted, reliability/backends. What to do: docs/alerts.md#failover-exhausted'
    file: 'kql/alerts/failover-exhausted.kql'
    severity: 1
    every: 'PT5M'
    over: 'PT30M'
    dimensions: ['DeploymentName']
    query: 'let minRequests = ${thresholds[?'failover-exhausted'].?minRequests ?? 5};\nAoaiRequestsLogged\n| extend IsExhausted = Attempts > 1 and Outcome in ("throttled-backend", "server-error")\n| summarize\n    Requests = count(),\n    ExhaustedRequests = countif(IsExhausted),\n    MaxAttempts = maxif(Attempts, IsExhausted),\n    LastSeen = maxif(TimeGenerated, IsExhausted)\n    by DeploymentName\n| where ExhaustedRequests >= minRequests\n| project DeploymentName, Requests, ExhaustedRequests, MaxAttempts, LastSeen\n| sort by ExhaustedRequests desc, DeploymentName asc'
  }
  {
    name: 'logging-coverage'
    title: 'logging coverage drop'
    description: 'Of which API do the logs tell the tokens much less often than shortly before? Query: kql/alerts/logging-coverage.kql. Then ask health/llm-log-over-time, health/unknown-tokens. What to do: docs/alerts.md#logging-coverage'
    file: 'kql/alerts/logging-coverage.kql'
    severity: 2
    every: 'PT1H'
    over: 'P1D'
    dimensions: ['ApiId']
    query: 'let recent = ${thresholds[?'logging-coverage'].?recent ?? '2h'};\nlet settle = ${thresholds[?'logging-coverage'].?settle ?? '30m'};\nlet maxDrop = real(${json(thresholds[?'logging-coverage'].?maxDrop ?? '20.0')});\nlet minRequests = ${thresholds[?'logging-coverage'].?minRequests ?? 50};\nlet Answered = materialize(\n    AoaiRequestsLogged\n    | where TokenSource != "not-billed" and Surface in ("chat", "completions", "responses", "embeddings")\n    | project TimeGenerated, ApiId, IsTold = TokenSource in ("llm-log", "usage", "usage-fragment")\n);\nlet Until = toscalar(Answered | summarize max(TimeGenerated)) - settle;\nAnswered\n| where TimeGenerated <= Until\n| extend IsRecent = TimeGenerated > Until - recent\n| summarize\n    Requests = countif(IsRecent),\n    ToldRequests = countif(IsRecent and IsTold),\n    RequestsBefore = countif(not(IsRecent)),\n    ToldBefore = countif(not(IsRecent) and IsTold)\n    by ApiId\n| where Requests >= minRequests and RequestsBefore >= minRequests\n| extend ToldShare = 100.0 * ToldRequests / Requests, ToldShareBefore = 100.0 * ToldBefore / RequestsBefore\n| extend Drop = round(ToldShareBefore - ToldShare, 6)\n| where Drop > maxDrop\n| project ApiId, Requests, ToldRequests, ToldShare = round(ToldShare, 1), RequestsBefore, ToldShareBefore = round(ToldShareBefore, 1), Drop = round(Drop, 1)\n| sort by Drop desc, ApiId asc'
  }
  {
    name: 'logs-stopped'
    title: 'logs stopped'
    description: 'Has the gateway\'s log fallen silent at a time when it was not a day before? Query: kql/alerts/logs-stopped.kql. Then ask health/requests-by-hour, health/tables. What to do: docs/alerts.md#logs-stopped'
    file: 'kql/alerts/logs-stopped.kql'
    severity: 1
    every: 'PT30M'
    over: 'P2D'
    dimensions: []
    query: 'let silence = ${thresholds[?'logs-stopped'].?silence ?? '2h'};\nlet minRecords = ${thresholds[?'logs-stopped'].?minRecords ?? 50};\nlet weekends = ${(thresholds[?'logs-stopped'].?weekends ?? false) ? 'true' : 'false'};\nlet until = now();\nlet Records = materialize(ApiManagementGatewayLogs | project TimeGenerated);\nlet Last = toscalar(Records | summarize max(TimeGenerated));\nlet Until = coalesce(until, Last);\nRecords\n| where TimeGenerated <= Until\n| summarize\n    AllRecords = count(),\n    RecordsDayBefore = countif(TimeGenerated > Until - 1d - silence and TimeGenerated <= Until - 1d),\n    LastRecord = max(TimeGenerated)\n| where Until - LastRecord >= silence and (weekends or dayofweek(Until) between (1d .. 5d))\n| where RecordsDayBefore >= minRecords or (Until - LastRecord >= 1d and AllRecords >= minRecords)\n| project LastRecord, SilentHours = round((Until - LastRecord) / 1h, 1), RecordsDayBefore'
  }
  {
    name: 'new-caller'
    title: 'new caller with large use'
    description: 'Who called for the first time and already used much? Query: kql/alerts/new-caller.kql. Then ask users/user-summary, users/new-and-lost. What to do: docs/alerts.md#new-caller'
    file: 'kql/alerts/new-caller.kql'
    severity: 3
    every: 'PT1H'
    over: 'P2D'
    dimensions: ['SubscriptionId', 'Caller']
    query: 'let recent = ${thresholds[?'new-caller'].?recent ?? '6h'};\nlet history = ${thresholds[?'new-caller'].?history ?? '1d'};\nlet minTokens = ${thresholds[?'new-caller'].?minTokens ?? 1000000};\nlet maxUnknown = ${thresholds[?'new-caller'].?maxUnknown ?? 1000};\nlet byUser = ${(thresholds[?'new-caller'].?byUser ?? true) ? 'true' : 'false'};\nlet Traffic = materialize(\n    AoaiRequests\n    | where Outcome != "unauthorized"\n    | project TimeGenerated, SubscriptionId, Caller = iff(byUser, User, ""), TotalTokens, TokenSource, TokensOwnVariance, TokensSharedError\n);\nlet First = toscalar(Traffic | summarize min(TimeGenerated));\nlet Last = toscalar(Traffic | summarize max(TimeGenerated));\nTraffic\n| summarize\n    FirstSeen = min(TimeGenerated),\n    Requests = count(),\n    TotalTokens = sum(TotalTokens),\n    EstimatedTokens = sumif(TotalTokens, TokenSource == "estimated"),\n    TokensError = round(sqrt(sum(TokensOwnVariance) + pow(sum(TokensSharedError), 2)), 1),\n    UnknownRequests = countif(TokenSource == "none")\n    by SubscriptionId, Caller\n| where First <= Last - history and FirstSeen > Last - recent\n| where TotalTokens > minTokens or UnknownRequests > maxUnknown\n| project SubscriptionId, Caller, FirstSeen, Requests, TotalTokens, EstimatedTokens, TokensError, UnknownRequests\n| sort by TotalTokens desc, SubscriptionId asc, Caller asc'
  }
  {
    name: 'throttling'
    title: 'throttling'
    description: 'Which deployments turn away more of their requests than they may? Query: kql/alerts/throttling.kql. Then ask reliability/throttling-by-deployment, reliability/throttling-by-subscription. What to do: docs/alerts.md#throttling'
    file: 'kql/alerts/throttling.kql'
    severity: 2
    every: 'PT5M'
    over: 'PT30M'
    dimensions: ['DeploymentName']
    query: 'let maxShare = real(${json(thresholds.?throttling.?maxShare ?? '10.0')});\nlet minRequests = ${thresholds.?throttling.?minRequests ?? 20};\nAoaiRequestsLogged\n| summarize\n    Requests = count(),\n    ByGateway = countif(Outcome == "throttled-gateway"),\n    ByBackend = countif(Outcome == "throttled-backend"),\n    LastSeen = maxif(TimeGenerated, Outcome in ("throttled-gateway", "throttled-backend"))\n    by DeploymentName\n| extend ThrottledRequests = ByGateway + ByBackend\n| where Requests >= minRequests and 100.0 * ThrottledRequests > maxShare * Requests\n| project DeploymentName, Requests, ThrottledRequests, ByGateway, ByBackend, ThrottledShare = round(100.0 * ThrottledRequests / Requests, 1), LastSeen\n| sort by ThrottledRequests desc, DeploymentName asc'
  }
]
