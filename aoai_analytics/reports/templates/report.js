// Makes a report's page of what it carries: offers large CSV files, and draws the figures from the JSON in it, in the
// reader's colour scheme, at the width there is.
(async () => {
  "use strict";
  const NARROW = 560;
  const PRINTED = 680;
  const plots = [...document.querySelectorAll("[data-figure]")];
  const scheme = matchMedia("(prefers-color-scheme: dark)");

  const unpacked = (base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")));
  };
  const offered = async (link) => {
    const file = await unpacked(link.dataset.packed).blob();
    link.href = URL.createObjectURL(new Blob([file], { type: "text/csv;charset=utf-8" }));
    delete link.dataset.packed;
  };
  await Promise.all([...document.querySelectorAll("a[data-packed]")].map(offered));
  if (!plots.length) return;

  const texts = new Map();
  const read = async (plot) => {
    const { textContent, dataset } = document.getElementById(plot.dataset.figure);
    texts.set(plot, "packed" in dataset ? await unpacked(textContent).text() : textContent);
  };
  const loaded = async () => {
    const script = document.createElement("script");
    script.textContent = await unpacked(window.packedPlotly).text();
    document.head.append(script);
    delete window.packedPlotly;
  };
  await Promise.all([loaded(), ...plots.map(read)]);
  const style = JSON.parse(document.getElementById("figure-style").textContent);

  const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&#36;": "$", "&#37;": "%" };
  const ESCAPES = Object.fromEntries(Object.entries(ENTITIES).map(([entity, character]) => [character, entity]));
  // Escaped text is cut as the reader sees it, so that no entity is cut in two.
  const shortened = (text, length) => {
    const seen = [...text.replace(/&(?:amp|lt|gt|#36|#37);/g, (entity) => ENTITIES[entity])];
    if (seen.length <= length) return text;
    const tail = Math.floor(length / 3);
    const cut = [...seen.slice(0, length - tail - 1), "…", ...seen.slice(seen.length - tail)];
    return cut.map((character) => ESCAPES[character] ?? character).join("");
  };

  const narrowed = (figure) => {
    const { layout } = figure;
    const axis = layout.yaxis ?? {};
    if (axis.ticktext) axis.ticktext = axis.ticktext.map((text) => shortened(text, 16));
    if (axis.type === "category") axis.title = undefined;
    const series = figure.data.filter((trace) => trace.showlegend).length;
    if (series) layout.height += 22 * (Math.ceil(series / 2) - Math.ceil(series / 4));
    layout.modebar = { ...layout.modebar, orientation: "h" };
    return figure;
  };

  const drawn = new Set();
  const draw = (plot, { dark = scheme.matches, width } = {}) => {
    const figure = JSON.parse(texts.get(plot));
    const room = width ?? plot.clientWidth;
    if (room < NARROW) narrowed(figure);
    figure.layout.template = style[dark ? "dark" : "light"];
    if (width) figure.layout.width = width;
    plot.dataset.narrow = room < NARROW;
    drawn.add(plot);
    Plotly.react(plot, figure.data, figure.layout, { ...style.config, responsive: !width });
    // The figure's label says what it shows; tick marks read out one by one do not.
    plot.querySelectorAll("svg.main-svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
  };
  const drawOnce = (plot) => drawn.has(plot) || draw(plot);
  const redraw = () => drawn.forEach((plot) => draw(plot));

  // What the reader sees is drawn first, the rest one by one while nothing else is to do.
  const near = new IntersectionObserver(
    (seen) => seen.filter((each) => each.isIntersecting).forEach((each) => drawOnce(each.target)),
    { rootMargin: "400px" },
  );
  plots.forEach((plot) => near.observe(plot));
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 20));
  const drawRest = () => {
    const next = plots.find((plot) => !drawn.has(plot));
    if (!next) return;
    drawOnce(next);
    idle(drawRest);
  };
  idle(drawRest);

  scheme.addEventListener("change", redraw);
  addEventListener("resize", () => {
    [...drawn]
      .filter((plot) => plot.dataset.narrow !== String(plot.clientWidth < NARROW))
      .forEach((plot) => draw(plot));
  });
  // Paper is white and as wide as it is, whatever the screen was.
  addEventListener("beforeprint", () => plots.forEach((plot) => draw(plot, { dark: false, width: PRINTED })));
  addEventListener("afterprint", redraw);
})();
