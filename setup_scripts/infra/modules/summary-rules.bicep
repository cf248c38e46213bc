metadata description = 'A summary rule that keeps hourly totals of requests in a separate table for years, and the function that reads it.'

@description('Name of the Log Analytics workspace with the gateway\'s logs.')
@minLength(4)
@maxLength(63)
param workspaceName string

@description('What the rule asks, its table and the function that reads it: exports/summary-rules.json, or what "aoai export summary-rules" writes with your own prices.')
param rollup summaryRule

@description('Minutes of logs that one run sums up. A day joins requests and their LLM rows best; take less where a run over a day fails for its size.')
@allowed([60, 120, 180, 360, 720, 1440])
param binMinutes int = 1440

@description('Minutes to wait after the end of a bin for records that come late. What comes later still is not in the sums.')
@minValue(4)
@maxValue(1440)
param delayMinutes int = 180

@description('Days for which the sums can be queried.')
@minValue(30)
@maxValue(730)
param retentionDays int = 730

@description('Days for which the sums are kept in total; beyond retentionDays they are in long-term retention, for search jobs.')
@minValue(30)
@maxValue(4383)
param totalRetentionDays int = 2556

@export()
@description('A summary rule with its table and its function.')
type summaryRule = {
  @description('Name of the rule.')
  @minLength(1)
  name: string
  @description('What the rule is for.')
  description: string
  @description('The table it fills; the name ends with _CL.')
  @minLength(4)
  table: string
  @description('Columns of the table.')
  columns: {
    @description('Name of the column.')
    name: string
    @description('Type of the column.')
    type: 'boolean' | 'dateTime' | 'int' | 'long' | 'real' | 'string'
  }[]
  @description('The query in KQL. It calls no saved function, for Azure refuses those here.')
  @minLength(1)
  query: string
  @description('Name of the function that reads the table.')
  @minLength(1)
  function: string
  @description('Body of that function.')
  @minLength(1)
  functionQuery: string
}

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' existing = {
  name: workspaceName
}

resource table 'Microsoft.OperationalInsights/workspaces/tables@2023-09-01' = {
  parent: workspace
  name: rollup.table
  properties: {
    plan: 'Analytics'
    retentionInDays: retentionDays
    totalRetentionInDays: max(totalRetentionDays, retentionDays)
    schema: {
      name: rollup.table
      columns: concat([{ name: 'TimeGenerated', type: 'dateTime' }], rollup.columns)
    }
  }
}

resource rule 'Microsoft.OperationalInsights/workspaces/summaryLogs@2025-07-01' = {
  parent: workspace
  name: rollup.name
  properties: {
    ruleType: 'User'
    displayName: rollup.name
    description: rollup.description
    ruleDefinition: {
      query: rollup.query
      binSize: binMinutes
      binDelay: delayMinutes
      destinationTable: table.name
      timeSelector: 'TimeGenerated'
    }
  }
}

resource reading 'Microsoft.OperationalInsights/workspaces/savedSearches@2020-08-01' = {
  parent: workspace
  name: toLower(rollup.function)
  properties: {
    category: 'Azure OpenAI gateway analytics'
    displayName: rollup.function
    functionAlias: rollup.function
    query: rollup.functionQuery
    version: 2
  }
  dependsOn: [rule]
}

@description('Name of the rule.')
output ruleName string = rule.name

@description('Name of the table with the sums.')
output tableName string = table.name
