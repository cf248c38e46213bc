metadata description = 'The KQL functions of kql/functions, for parameter files to hand to main.bicep. One that uses another stands after it.'

import { savedFunction } from 'modules/types.bicep'

@export()
@description('Every function of the semantic layer, by the name queries use.')
var savedFunctions savedFunction[] = [
  { alias: 'AoaiRequestsLogged', query: loadTextContent('../../kql/functions/AoaiRequestsLogged.kql') }
  { alias: 'AoaiRequests', query: loadTextContent('../../kql/functions/AoaiRequests.kql') }
  { alias: 'AoaiLlmTexts', query: loadTextContent('../../kql/functions/AoaiLlmTexts.kql') }
  { alias: 'AoaiMessages', query: loadTextContent('../../kql/functions/AoaiMessages.kql') }
  { alias: 'AoaiConversation', query: loadTextContent('../../kql/functions/AoaiConversation.kql') }
  { alias: 'AoaiCoverage', query: loadTextContent('../../kql/functions/AoaiCoverage.kql') }
  { alias: 'AoaiPrices', query: loadTextContent('../../kql/functions/AoaiPrices.kql') }
  { alias: 'AoaiDeploymentScopes', query: loadTextContent('../../kql/functions/AoaiDeploymentScopes.kql') }
  { alias: 'AoaiCosts', query: loadTextContent('../../kql/functions/AoaiCosts.kql') }
  { alias: 'AoaiHourly', query: loadTextContent('../../kql/functions/AoaiHourly.kql') }
]
