# azd runs this after it has deployed: check what was made against its requirements.
$ErrorActionPreference = 'Stop'
Set-Location (Join-Path $PSScriptRoot '../../..')
$code = 0
if ((Get-Command aoai -ErrorAction SilentlyContinue) -and (Test-Path aoai.toml)) {
    aoai setup verify --config aoai.toml
    $code = $LASTEXITCODE
}
else {
    Write-Output 'Not verified: needs the aoai command and an aoai.toml (docs/setup.md).'
}
Write-Output "The gateway's URL is apiUrl in 'azd env get-values', the logs' source is source. Try: aoai doctor --source SOURCE"
exit $code
