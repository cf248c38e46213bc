// Analyses KQL with Microsoft's own parser, against a database of the caller's making.
//
// Reads jobs from standard input, each one line of JSON:
//   {"tables": {NAME: {COLUMN: KQL-TYPE}}, "functions": {NAME: BODY}, "queries": {NAME: KQL}}
// and answers each with another line:
//   {NAME: {"diagnostics": [{severity, code, message, line, column, text}], "columns": [[NAME, KQL-TYPE]] or null}}
// Lines and columns count from 1. "columns" is null where the query is not tabular.

"use strict";

require("@kusto/language-service-next/bridge.js");
require("@kusto/language-service-next/Kusto.Language.Bridge.js");

const { KustoCode, GlobalState, Symbols } = globalThis.Kusto.Language;

// The package is C# compiled to JavaScript: its lists have Count and getItem.
function toArray(list) {
  return Array.from({ length: list.Count }, (_, i) => list.getItem(i));
}

function tableSymbol([name, columns]) {
  const schema = Object.entries(columns).map(([column, type]) => `['${column}']: ${type}`);
  return new Symbols.TableSymbol.$ctor7(name, `(${schema.join(", ")})`, null);
}

function functionSymbol([name, body]) {
  // The line break keeps the closing brace out of a comment in the body's last line.
  return new Symbols.FunctionSymbol.$ctor16(name, "()", `{\n${body}\n}`, null);
}

function analyse(text, globals) {
  const code = KustoCode.ParseAndAnalyze(text, globals);
  const diagnostics = toArray(code.GetDiagnostics()).map((found) => {
    const before = text.slice(0, found.Start).split("\n");
    return {
      severity: found.Severity,
      code: found.Code,
      message: found.Message,
      line: before.length,
      column: before[before.length - 1].length + 1,
      text: text.slice(found.Start, found.Start + found.Length),
    };
  });
  const columns = code.ResultType && code.ResultType.Columns;
  return {
    diagnostics,
    columns: columns ? toArray(columns).map((column) => [column.Name, column.Type.Name]) : null,
  };
}

// A database's functions are analysed once, not again for each query that calls them.
const databases = new Map();

function database(tables, functions) {
  const key = JSON.stringify([tables, functions]);
  if (!databases.has(key)) {
    const members = [...Object.entries(tables).map(tableSymbol), ...Object.entries(functions).map(functionSymbol)];
    const symbol = new Symbols.DatabaseSymbol.ctor("workspace", members);
    databases.set(key, GlobalState.Default.WithDatabase(symbol).WithCache());
  }
  return databases.get(key);
}

require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const job = JSON.parse(line);
  const globals = database(job.tables, job.functions);
  const answers = Object.entries(job.queries).map(([name, text]) => [name, analyse(text, globals)]);
  process.stdout.write(JSON.stringify(Object.fromEntries(answers)) + "\n");
});
