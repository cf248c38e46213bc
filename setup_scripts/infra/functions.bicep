metadata description = 'The KQL functions of kql/functions, for parameter files to hand to main.bicep. One that uses another stands after it.'

import { savedFunction } from 'modules/types.bicep'

@export()
@description('Every function of the semantic layer, by the name queries use.')
var savedFunctions savedFunction[] = [
  { alias: 'AoaiDeploymentScopes', query: loadTextContent('../../kql/functions/AoaiDeploymentScopes.kql') }
  { alias: 'AoaiLlmTexts', query: loadTextContent('../../kql/functions/AoaiLlmTexts.kql') }
  { alias: 'AoaiLlmTokens', query: loadTextContent('../../kql/functions/AoaiLlmTokens.kql') }
  { alias: 'AoaiModels', query: loadTextContent('../../kql/functions/AoaiModels.kql') }
  { alias: 'AoaiPrices', query: loadTextContent('../../kql/functions/AoaiPrices.kql') }
  { alias: 'AoaiSurface', query: loadTextContent('../../kql/functions/AoaiSurface.kql') }
  { alias: 'AoaiAnswers', query: loadTextContent('../../kql/functions/AoaiAnswers.kql') }
  { alias: 'AoaiMessages', query: loadTextContent('../../kql/functions/AoaiMessages.kql') }
  { alias: 'AoaiConversation', query: loadTextContent('../../kql/functions/AoaiConversation.kql') }
  { alias: 'AoaiAsked', query: loadTextContent('../../kql/functions/AoaiAsked.kql') }
  { alias: 'AoaiRequestsLogged', query: loadTextContent('../../kql/functions/AoaiRequestsLogged.kql') }
  { alias: 'AoaiTokenEvidence', query: loadTextContent('../../kql/functions/AoaiTokenEvidence.kql') }
  { alias: 'AoaiPictureTokens', query: loadTextContent('../../kql/functions/AoaiPictureTokens.kql') }
  { alias: 'AoaiPromptSizes', query: loadTextContent('../../kql/functions/AoaiPromptSizes.kql') }
  { alias: 'AoaiAnswerFits', query: loadTextContent('../../kql/functions/AoaiAnswerFits.kql') }
  { alias: 'AoaiPromptFits', query: loadTextContent('../../kql/functions/AoaiPromptFits.kql') }
  { alias: 'AoaiTokenEstimates', query: loadTextContent('../../kql/functions/AoaiTokenEstimates.kql') }
  { alias: 'AoaiRequestsEstimated', query: loadTextContent('../../kql/functions/AoaiRequestsEstimated.kql') }
  { alias: 'AoaiAccountMetrics', query: loadTextContent('../../kql/functions/AoaiAccountMetrics.kql') }
  { alias: 'AoaiEmittedTokens', query: loadTextContent('../../kql/functions/AoaiEmittedTokens.kql') }
  { alias: 'AoaiRequests', query: loadTextContent('../../kql/functions/AoaiRequests.kql') }
  { alias: 'AoaiAgreement', query: loadTextContent('../../kql/functions/AoaiAgreement.kql') }
  { alias: 'AoaiPtuCapacity', query: loadTextContent('../../kql/functions/AoaiPtuCapacity.kql') }
  { alias: 'AoaiMcp', query: loadTextContent('../../kql/functions/AoaiMcp.kql') }
  { alias: 'AoaiCosts', query: loadTextContent('../../kql/functions/AoaiCosts.kql') }
  { alias: 'AoaiInvoice', query: loadTextContent('../../kql/functions/AoaiInvoice.kql') }
  { alias: 'AoaiInvoiceUse', query: loadTextContent('../../kql/functions/AoaiInvoiceUse.kql') }
  { alias: 'AoaiReconciliation', query: loadTextContent('../../kql/functions/AoaiReconciliation.kql') }
  { alias: 'AoaiInvoiceShares', query: loadTextContent('../../kql/functions/AoaiInvoiceShares.kql') }
  { alias: 'AoaiCoverage', query: loadTextContent('../../kql/functions/AoaiCoverage.kql') }
  { alias: 'AoaiDailyForecast', query: loadTextContent('../../kql/functions/AoaiDailyForecast.kql') }
  { alias: 'AoaiHourly', query: loadTextContent('../../kql/functions/AoaiHourly.kql') }
]
