metadata description = 'Alert rules on the gateway\'s logs, and a budget for the bill.'

import { alertName, alertThresholds, alertRules } from '../alert-rules.bicep'

@description('Short name of the installation, of which the rules are named.')
@minLength(3)
@maxLength(12)
param name string

@description('Azure region of the installation.')
param location string

@description('Tags for every resource that takes them.')
param tags object = {}

@description('Name of the Log Analytics workspace with the gateway\'s logs and the saved functions.')
@minLength(4)
@maxLength(63)
param workspaceName string

@description('Its resource id, where it is in another resource group.')
param workspaceId string = resourceId('Microsoft.OperationalInsights/workspaces', workspaceName)

@description('Azure region of the workspace, in which the rules must be. Default: the installation\'s.')
param workspaceLocation string = location

@description('Resource ids of the action groups that are told of an alert and of its end.')
param actionGroupIds string[] = []

@description('Addresses that get a mail; an action group is made for them.')
param emails string[] = []

@description('Where docs/alerts.md is published for your people, so that an alert links to what to do about it.')
param runbookUrl string = ''

@description('Rules that are not made.')
param off alertName[] = []

@description('Severity by rule, 0 (worst) to 4, where it is to be other than the default.')
param severities { *: (0 | 1 | 2 | 3 | 4) } = {}

@description('Time after an alert in which the same rule does nothing more, for example PT4H. Empty: an alert fires once, stays, and says when it is over.')
param muteActions ('' | 'PT5M' | 'PT10M' | 'PT15M' | 'PT30M' | 'PT45M' | 'PT1H' | 'PT2H' | 'PT3H' | 'PT4H' | 'PT5H' | 'PT6H' | 'P1D' | 'P2D') = ''

@description('USD a month by API Management subscription, and "(all)" for all together, for example { "sub-claims": "120.50" }. A rule watches each one\'s pace, which is a day\'s cost; empty makes no such rule.')
param budgets { *: string } = {}

@description('Budget of the bill for the Azure OpenAI accounts, which Microsoft Cost Management watches over the whole month. Null: none.')
param monthlyBudget billBudget?

@description('Thresholds that are to be other than the defaults.')
param thresholds alertThresholds = {}

@export()
@description('Budget of the bill.')
type billBudget = {
  @description('Amount a month, in the currency of the bill.')
  @minValue(1)
  amount: int
  @description('First day of its first month, for example 2026-12-01: this month or a later one. Azure does not let it be changed.')
  @minLength(10)
  @maxLength(10)
  start: string
  @description('Resource ids of what counts: the Azure OpenAI accounts.')
  @minLength(1)
  resourceIds: string[]
}
// A rule without an identity runs with the permissions of its last editor.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: 'id-${name}-alerts'
  location: location
  tags: tags
}

module reading 'workspace-reader.bicep' = {
  scope: resourceGroup(split(workspaceId, '/')[2], split(workspaceId, '/')[4])
  params: {
    workspaceName: workspaceName
    principalId: identity.properties.principalId
    key: identity.id
  }
}

resource mailing 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: 'ag-${name}-mail'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: name
    enabled: true
    emailReceivers: [
      for (address, index) in emails: { name: 'mail-${index}', emailAddress: address, useCommonAlertSchema: true }
    ]
  }
}

var told = concat(actionGroupIds, empty(emails) ? [] : [mailing.id])

var rules = filter(
  alertRules(thresholds, budgets),
  rule => !contains(off, rule.name) && (rule.name != 'budget-pace' || !empty(budgets))
)

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: 'alert-${name}-${rule.name}'
    location: workspaceLocation
    tags: tags
    kind: 'LogAlert'
    identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
    properties: {
      displayName: 'Azure OpenAI gateway ${name}: ${rule.title}'
      description: rule.description
      severity: severities[?rule.name] ?? rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: rule.every
      windowSize: rule.over
      // Validation would need permissions and functions that were created only a moment ago.
      skipQueryValidation: true
      autoMitigate: empty(muteActions)
      muteActionsDuration: empty(muteActions) ? null : muteActions
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: map(rule.dimensions, column => { name: column, operator: 'Include', values: ['*'] })
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: {
        actionGroups: told
        customProperties: union(
          { query: rule.file },
          empty(runbookUrl) ? {} : { runbook: '${runbookUrl}#${rule.name}' }
        )
      }
    }
    dependsOn: [reading]
  }
]

var noticed = {
  enabled: true
  operator: 'GreaterThanOrEqualTo'
  contactEmails: []
  contactGroups: empty(actionGroupIds) && empty(emails)
    ? fail('monthlyBudget: nobody would be told. Give actionGroupIds or emails')
    : told
}

resource bill 'Microsoft.Consumption/budgets@2023-11-01' = if (monthlyBudget != null) {
  name: 'budget-${name}'
  properties: {
    category: 'Cost'
    amount: monthlyBudget!.amount
    timeGrain: 'Monthly'
    timePeriod: { startDate: '${monthlyBudget!.start}T00:00:00Z' }
    filter: { dimensions: { name: 'ResourceId', operator: 'In', values: monthlyBudget!.resourceIds } }
    notifications: {
      spent80: union(noticed, { threshold: 80, thresholdType: 'Actual' })
      spent100: union(noticed, { threshold: 100, thresholdType: 'Actual' })
      expected100: union(noticed, { threshold: 100, thresholdType: 'Forecasted' })
    }
  }
}

@description('Names of the rules that are made.')
output ruleNames string[] = map(rules, rule => 'alert-${name}-${rule.name}')
