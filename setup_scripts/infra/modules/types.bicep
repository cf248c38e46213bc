metadata description = 'The shapes of the parameters that more than one module takes.'

import { alertName, alertThresholds } from '../alert-rules.bicep'

@export()
@description('A model deployment of an Azure OpenAI account.')
type modelDeployment = {
  @description('The name clients ask for (in the URL, or as "model" in the v1 API).')
  @minLength(2)
  @maxLength(64)
  name: string

  @description('The model, for example gpt-5.4-mini.')
  @minLength(1)
  model: string

  @description('The model version, for example 2026-03-17.')
  @minLength(1)
  version: string

  @description('Who makes the model, as the region\'s model list says it: OpenAI, DeepSeek, xAI, Meta, Mistral AI, Microsoft, Cohere, OpenAI-OSS, Anthropic and more. All but OpenAI need an account of the kind AIServices. Default: OpenAI.')
  @minLength(1)
  format: string?

  @description('Standard processes in the account\'s region, DataZoneStandard in its data zone, GlobalStandard anywhere. The three Provisioned kinds are bought in provisioned throughput units (PTU), by the hour.')
  sku:
    | 'Standard'
    | 'DataZoneStandard'
    | 'GlobalStandard'
    | 'ProvisionedManaged'
    | 'DataZoneProvisionedManaged'
    | 'GlobalProvisionedManaged'

  @description('Thousands of tokens/min for the standard kinds, PTUs for the provisioned ones.')
  @minValue(1)
  capacity: int

  @description('When the service may move the deployment to a newer model version. Default: NoAutoUpgrade, so that prices and answers do not change unasked.')
  versionUpgradeOption: ('NoAutoUpgrade' | 'OnceCurrentVersionExpired' | 'OnceNewDefaultVersionAvailable')?

  @description('Content filter to use. Default: Microsoft.DefaultV2. Not for a model of Anthropic.')
  contentFilter: string?

  @description('Provisioned deployments only: the standard deployment of the same account that takes what exceeds the PTUs.')
  spilloverDeploymentName: string?
}

@export()
@description('A model account, of Azure OpenAI or Microsoft Foundry, with its deployments and its place in the backend pool.')
type openAIAccount = {
  @description('Short name, for example aoai-eastus2. It is the backend id in the gateway and the start of the account\'s own name.')
  @minLength(3)
  @maxLength(40)
  name: string

  @description('Azure region of the account; it need not be the gateway\'s.')
  @minLength(3)
  location: string

  @description('OpenAI, or AIServices: a Microsoft Foundry resource, which also has the models of others. Default: OpenAI.')
  kind: ('OpenAI' | 'AIServices')?

  @description('Backends with the lowest number are asked first; higher numbers only while those are tripped. Default: 1.')
  @minValue(0)
  @maxValue(100)
  priority: int?

  @description('Share among backends of the same priority. Default: 1.')
  @minValue(1)
  @maxValue(100)
  weight: int?

  @description('true recovers a soft-deleted account of the same name instead of making a new one. Default: false.')
  restore: bool?

  @description('Model deployments. Every account of the pool must offer the same names (spillover targets excepted).')
  @minLength(1)
  deployments: modelDeployment[]
}

@export()
@description('Somebody or something that is given a role.')
type principal = {
  @description('Object id in Microsoft Entra ID.')
  @minLength(36)
  @maxLength(36)
  id: string

  @description('What the id names; Azure needs it to assign roles to identities made a moment ago.')
  type: 'User' | 'Group' | 'ServicePrincipal'
}

@export()
@description('A KQL function to save in the workspace.')
type savedFunction = {
  @description('The name queries use, for example AoaiRequests.')
  @minLength(1)
  alias: string

  @description('The function body in KQL.')
  @minLength(1)
  query: string
}

@export()
@description('What a product allows each of its subscriptions.')
type limits = {
  @description('Tokens/min. Default: as in policies/named-values.json.')
  @minValue(1)
  tokensPerMinute: int?
  @description('Tokens a calendar month. Default: as in policies/named-values.json.')
  @minValue(1)
  tokensPerMonth: int?
  @description('Subscriptions to make: one for each team or application.')
  subscriptions: string[]?
}

@export()
@description('A team with limits of its own: its subscription, and what differs from the product that it starts from.')
type team = {
  @description('Name of its subscription, which is not in a product\'s list.')
  @minLength(1)
  @maxLength(80)
  subscription: string
  @description('Product that it starts from. It gets a product of its own, team- and the name of the subscription.')
  product: 'bronze' | 'silver' | 'gold' | 'unlimited'
  @description('Tokens/min. Default: as the product.')
  @minValue(1)
  tokensPerMinute: int?
  @description('Tokens a calendar month. Default: as the product.')
  @minValue(1)
  tokensPerMonth: int?
  @description('Deployments that it may use. Default: all.')
  @minLength(1)
  models: string[]?
}

@export()
@description('Callers with a Microsoft Entra token: what the token must have, and the limits of each caller.')
type entraCallers = {
  @description('false refuses every request without a subscription key.')
  accept: bool
  @description('Tenant of the callers. Default: the tenant of this deployment.')
  @minLength(36)
  @maxLength(36)
  tenantId: string?
  @description('Audience of the token: the application ID of the gateway\'s app registration, or api:// and that ID. Needed with accept.')
  @minLength(1)
  audience: string?
  @description('Application role that the token must carry. Default: as in policies/named-values.json.')
  @minLength(1)
  role: string?
  @description('Tokens/min. Default: as in policies/named-values.json.')
  @minValue(1)
  tokensPerMinute: int?
  @description('Tokens a calendar month. Default: as in policies/named-values.json.')
  @minValue(1)
  tokensPerMonth: int?
}

@export()
@description('What the semantic cache needs.')
type semanticCacheSettings = {
  @description('Name of the secret in this installation\'s Key Vault; it must be there before.')
  @minLength(1)
  connectionStringSecretName: string
  @description('Name of an embeddings deployment that the accounts have.')
  @minLength(1)
  embeddingsDeployment: string
  @description('Score threshold of similar prompts, 0.0 to 1.0. Default: as in policies/named-values.json.')
  scoreThreshold: string?
  @description('Seconds an answer is kept. Default: as in policies/named-values.json.')
  @minValue(1)
  seconds: int?
}

@export()
@description('Reports on a timer: what is made when, and who may read it.')
type reportSettings = {
  @description('Image with the kit, in the registry that this makes. Without it everything is made but the job: build the image first.')
  @minLength(1)
  image: string?
  @description('When to look for reports that are due, as a cron expression in UTC. Default: each day at 06:00.')
  @minLength(9)
  cron: string?
  @description('How often a report is due. Default: monthly.')
  every: ('daily' | 'weekly' | 'monthly' | 'quarterly' | 'yearly')?
  @description('Time zone in which days, weeks and months begin and end: an IANA name. Default: UTC.')
  @minLength(1)
  timeZone: string?
  @description('How long a report stays after its period, for example 800d. Default: for ever.')
  keep: string?
  @description('Names of the reports. Default: the standing ones.')
  names: string[]?
  @description('Public addresses from which the pages can be read, where the network is not private. Default: none.')
  readerIpRanges: string[]?
  @description('true lets anybody on the internet who knows the address read the pages.')
  anyoneMayRead: bool?
}

@export()
@description('Alert rules: who is told, and what is other than the defaults.')
type alertSettings = {
  @description('Addresses that get a mail.')
  emails: string[]?
  @description('Resource ids of action groups of your own.')
  actionGroupIds: string[]?
  @description('Where docs/alerts.md is published for your people.')
  runbookUrl: string?
  @description('Rules that are not made.')
  off: alertName[]?
  @description('Severity by rule, 0 (worst) to 4.')
  severities: { *: (0 | 1 | 2 | 3 | 4) }?
  @description('Time after an alert in which the same rule does nothing more, for example PT4H. Default: an alert fires once, and says when it is over.')
  muteActions: ('PT5M' | 'PT10M' | 'PT15M' | 'PT30M' | 'PT45M' | 'PT1H' | 'PT2H' | 'PT3H' | 'PT4H' | 'PT5H' | 'PT6H' | 'P1D' | 'P2D')?
  @description('USD a month by API Management subscription, and "(all)" for all together, as text.')
  budgets: { *: string }?
  @description('Budget of the bill for the Azure OpenAI accounts: amount a month in its currency, and the first day of its first month.')
  monthlyBudget: {
    @minValue(1)
    amount: int
    @minLength(10)
    @maxLength(10)
    start: string
  }?
  @description('Thresholds by rule.')
  thresholds: alertThresholds?
}

@export()
@description('Hourly totals of requests, kept for years. Defaults: as in modules/summary-rules.bicep.')
type sumSettings = {
  @description('Minutes of logs that one run sums up.')
  binMinutes: (60 | 120 | 180 | 360 | 720 | 1440)?
  @description('Minutes to wait for records that come late.')
  @minValue(4)
  @maxValue(1440)
  delayMinutes: int?
  @description('Days for which the sums can be queried.')
  @minValue(30)
  @maxValue(730)
  retentionDays: int?
  @description('Days for which the sums are kept in total.')
  @minValue(30)
  @maxValue(4383)
  totalRetentionDays: int?
}
