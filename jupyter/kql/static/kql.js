// KQL in JupyterLab: colours in cells that begin with %%kql, and in .kql files.
// Written by hand in the form of a prebuilt extension: it takes all modules from JupyterLab itself, so nothing is built.

/* A test holds these against the package's own list (aoai_analytics/engines/kql/words.py). */
const OPERATORS = words(`
  as assert-schema consume count distinct evaluate extend facet filter find fork getschema graph-match invoke
  join limit lookup macro-expand make-graph make-series mv-apply mv-expand mvapply mvexpand order parse parse-kv
  parse-where partition print project project-away project-keep project-rename project-reorder range reduce
  render sample sample-distinct scan search serialize sort summarize take top top-hitters top-nested union where`);
const WORDS = words(`
  and asc between by contains contains_cs datatable declare default desc endswith endswith_cs externaldata false first
  from has has_all has_any has_cs hint hasprefix hassuffix in kind last let matches materialize not null nulls of on or
  pack query_parameters regex startswith startswith_cs step to toscalar true typeof view with`);
const TYPES = words("bool boolean date datetime decimal double dynamic guid int long real string time timespan");
const MIME = "text/x-kql";

function words(text) {
  return new Set(text.trim().split(/\s+/));
}

/** Colours of one line at a time; `state.raw` is true inside a text between three backticks. */
const kql = {
  name: "kql",
  startState: () => ({ raw: false }),
  copyState: state => ({ ...state }),
  token(stream, state) {
    if (state.raw || stream.match("```")) {
      state.raw = !stream.match(/^.*?```/);
      if (state.raw) stream.skipToEnd();
      return "string";
    }
    if (stream.sol() && stream.match(/^%%kql.*/)) return "meta";
    if (stream.eatSpace()) return null;
    if (stream.match(/^\/\/.*/)) return "comment";
    if (stream.match(/^[hH]?@"(?:[^"]|"")*"?/) || stream.match(/^[hH]?@'(?:[^']|'')*'?/)) return "string";
    if (stream.match(/^[hH]?"(?:\\.|[^"\\])*"?/) || stream.match(/^[hH]?'(?:\\.|[^'\\])*'?/)) return "string";
    if (stream.match(/^\d[\d.]*(?:[eE][+-]?\d+)?(?:d|h|m|s|ms|microseconds?|ticks?|min|hours?|days?)?\b/)) return "number";
    const word = stream.match(/^[A-Za-z_]\w*(?:-[a-z]+)*/);
    if (word) {
      let name = word[0];
      if (name.includes("-") && !OPERATORS.has(name)) {
        const short = name.split("-")[0];
        stream.backUp(name.length - short.length);
        name = short;
      }
      if (TYPES.has(name)) return "typeName";
      if (OPERATORS.has(name) || WORDS.has(name)) return "keyword";
      return stream.match(/^\s*\(/, false) ? "variableName.standard" : "variableName";
    }
    stream.next();
    return "operator";
  },
  languageData: { commentTokens: { line: "//" }, closeBrackets: { brackets: ["(", "[", "{", '"', "'"] } },
};

/** Colour the code cells of *panel* as KQL while they begin with %%kql. */
function follow(panel) {
  const followed = new WeakSet();
  const look = () => {
    for (const cell of panel.content.widgets) {
      const model = cell.model;
      if (model.type !== "code" || followed.has(model)) continue;
      followed.add(model);
      let usual = model.mimeType;
      const fit = () => {
        const wanted = /^\s*%%kql\b/.test(model.sharedModel.getSource());
        if (wanted && model.mimeType !== MIME) {
          usual = model.mimeType;
          model.mimeType = MIME;
        } else if (!wanted && model.mimeType === MIME) {
          model.mimeType = usual;
        }
      };
      model.sharedModel.changed.connect(fit);
      model.mimeTypeChanged.connect(fit);
      fit();
    }
  };
  panel.context.ready.then(() => {
    look();
    panel.content.model?.cells.changed.connect(() => queueMicrotask(look));
  });
}

const container = {
  init(scope) {
    this.scope = scope;
  },
  async get() {
    const load = async name => (await Object.values(this.scope[name])[0].get())();
    const [codemirror, notebook, language] = await Promise.all(
      ["@jupyterlab/codemirror", "@jupyterlab/notebook", "@codemirror/language"].map(load)
    );
    const plugin = {
      id: "aoai-analytics-kql:editor",
      description: "Colours for KQL.",
      autoStart: true,
      requires: [codemirror.IEditorLanguageRegistry, notebook.INotebookTracker],
      activate(app, languages, notebooks) {
        const support = new language.LanguageSupport(language.StreamLanguage.define(kql));
        languages.addLanguage({ name: "KQL", mime: MIME, extensions: ["kql", "csl"], support });
        app.docRegistry.addFileType({
          name: "kql", displayName: "KQL File", extensions: [".kql", ".csl"], mimeTypes: [MIME], fileFormat: "text",
        });
        notebooks.forEach(follow);
        notebooks.widgetAdded.connect((_, panel) => follow(panel));
      },
    };
    return () => ({ __esModule: true, default: plugin });
  },
};

if (typeof window !== "undefined") {
  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB["aoai-analytics-kql"] = container;
}
if (typeof module !== "undefined") module.exports = { kql, OPERATORS, WORDS, container };
