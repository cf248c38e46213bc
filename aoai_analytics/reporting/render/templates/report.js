// Makes a report's page of what it carries: offers large CSV files, and draws the figures from the JSON in it, in the
// reader's colour scheme, at the width there is.
(() => {
  "use strict";
  const NARROW = 560;
  const PRINTED = 680;
  const plots = [...document.querySelectorAll("[data-figure]")];
  const scheme = matchMedia("(prefers-color-scheme: dark)");

  // Deflated data (RFC 1951) in base64, unpacked at once: DecompressionStream only promises, and a page that is printed
  // as soon as it is loaded would lack its figures.
  const BASE_LENGTHS = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
  const BASE_DISTANCES = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
  const LENGTHS_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
  const extraOfLength = (index) => (index < 8 || index === 28 ? 0 : (index >> 2) - 1);
  const extraOfDistance = (index) => (index < 4 ? 0 : (index >> 1) - 1);
  // From the next bits, as many as the longest code has, to a symbol and how many of the bits are its own.
  const codes = (lengths) => {
    const bits = Math.max(1, ...lengths);
    const table = new Uint16Array(1 << bits);
    let code = 0;
    for (let length = 1; length <= bits; length++, code <<= 1) {
      for (let symbol = 0; symbol < lengths.length; symbol++) {
        if (lengths[symbol] !== length) continue;
        let reversed = 0;
        for (let bit = 0; bit < length; bit++) reversed |= ((code >> bit) & 1) << (length - 1 - bit);
        for (let entry = reversed; entry < table.length; entry += 1 << length) table[entry] = (symbol << 4) | length;
        code++;
      }
    }
    return { table, bits };
  };
  const FIXED = [
    codes(Array.from({ length: 288 }, (_, symbol) => (symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8))),
    codes(Array(30).fill(5)),
  ];
  const unpacked = (base64) => {
    const text = atob(base64);
    const input = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index++) input[index] = text.charCodeAt(index);
    let output = new Uint8Array(4 * input.length + 1024);
    let size = 0;
    let at = 0;
    let held = 0;
    let count = 0;
    const see = (bits) => {
      for (; count < bits; count += 8) held |= input[at++] << count;
      return held & ((1 << bits) - 1);
    };
    const take = (bits) => {
      const value = see(bits);
      held >>>= bits;
      count -= bits;
      return value;
    };
    const symbol = ({ table, bits }) => {
      const entry = table[see(bits)];
      take(entry & 15);
      return entry >> 4;
    };
    const room = (bytes) => {
      if (size + bytes <= output.length) return;
      const larger = new Uint8Array(2 * output.length + bytes);
      larger.set(output);
      output = larger;
    };
    const described = () => {
      const [literals, distances, given] = [take(5) + 257, take(5) + 1, take(4) + 4];
      const own = Array(19).fill(0);
      for (let index = 0; index < given; index++) own[LENGTHS_ORDER[index]] = take(3);
      const table = codes(own);
      const lengths = [];
      while (lengths.length < literals + distances) {
        const value = symbol(table);
        if (value < 16) lengths.push(value);
        else if (value === 16) lengths.push(...Array(3 + take(2)).fill(lengths.at(-1)));
        else lengths.push(...Array(value === 17 ? 3 + take(3) : 11 + take(7)).fill(0));
      }
      return [codes(lengths.slice(0, literals)), codes(lengths.slice(literals))];
    };
    for (let last = 0; !last; ) {
      last = take(1);
      const kind = take(2);
      if (kind === 0) {
        take(count & 7);
        const length = take(16);
        take(16);
        room(length);
        for (let index = 0; index < length; index++) output[size++] = take(8);
        continue;
      }
      const [literals, distances] = kind === 1 ? FIXED : described();
      for (let value = symbol(literals); value !== 256; value = symbol(literals)) {
        room(258);
        if (value < 256) {
          output[size++] = value;
          continue;
        }
        const length = BASE_LENGTHS[value - 257] + take(extraOfLength(value - 257));
        const back = symbol(distances);
        const from = size - BASE_DISTANCES[back] - take(extraOfDistance(back));
        for (let index = 0; index < length; index++) output[size++] = output[from + index];
      }
    }
    return output.subarray(0, size);
  };
  const unpackedText = (base64) => new TextDecoder().decode(unpacked(base64));

  // A large CSV file is unpacked when somebody is about to ask for it.
  document.querySelectorAll("a[data-packed]").forEach((link) => {
    const unpack = () => {
      if (!("packed" in link.dataset)) return;
      link.href = URL.createObjectURL(new Blob([unpacked(link.dataset.packed)], { type: "text/csv;charset=utf-8" }));
      delete link.dataset.packed;
    };
    link.href = "#";
    ["pointerdown", "focus", "click"].forEach((event) => link.addEventListener(event, unpack));
  });

  // Sections fold: what a link leads to opens, and on paper all are open.
  const sections = [...document.querySelectorAll("details.section")];
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const section = target?.closest("details.section");
    if (!section || section.open) return;
    section.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
  document.querySelectorAll("nav.contents").forEach((nav) => {
    const own = sections.filter((section) => nav.parentElement.contains(section));
    const button = document.createElement("button");
    const label = () => (button.textContent = own.every((each) => each.open) ? "Close all sections" : "Open all sections");
    button.type = "button";
    button.addEventListener("click", () => {
      const open = !own.every((each) => each.open);
      own.forEach((each) => (each.open = open));
      label();
    });
    own.forEach((each) => each.addEventListener("toggle", label));
    label();
    nav.append(button);
  });
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = sections.filter((section) => !section.open);
    closed.forEach((section) => (section.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((section) => (section.open = false)));
  if (!plots.length) return;

  const texts = new Map();
  const read = (plot) => {
    if (!texts.has(plot)) {
      const { textContent, dataset } = document.getElementById(plot.dataset.figure);
      texts.set(plot, "packed" in dataset ? unpackedText(textContent) : textContent);
    }
    return JSON.parse(texts.get(plot));
  };
  const style = JSON.parse(document.getElementById("figure-style").textContent);

  const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&#36;": "$", "&#37;": "%" };
  const ESCAPES = Object.fromEntries(Object.entries(ENTITIES).map(([entity, character]) => [character, entity]));
  // Escaped text is cut as the reader sees it, so that no entity is cut in two, and keeps what differs from the others.
  const shortened = (texts, length) => {
    const seen = texts.map((text) => [...text.replace(/&(?:amp|lt|gt|#36|#37);/g, (entity) => ENTITIES[entity])]);
    const long = seen.filter((each) => each.length > length);
    let same = 0;
    while (long.length > 1 && long.every((each) => same < each.length && each[same] === long[0][same])) same++;
    return seen.map((each) => {
      if (each.length <= length) return each;
      const from = Math.max(0, Math.min(same - 2, each.length - length + 1));
      const tail = from ? 0 : Math.floor(length / 3);
      const head = each.slice(from, from + length - tail - 1);
      return from ? ["…", ...head] : [...head, "…", ...each.slice(each.length - tail)];
    }).map((cut) => cut.map((character) => ESCAPES[character] ?? character).join(""));
  };

  const narrowed = (figure) => {
    const { layout } = figure;
    const axis = layout.yaxis ?? {};
    if (axis.ticktext) axis.ticktext = shortened(axis.ticktext, 16);
    if (axis.ticktext || axis.type === "category") axis.title = undefined;
    // The amounts at the bars' ends take more of a narrow plot.
    const along = layout.xaxis?.range;
    if (along && figure.data.some((trace) => trace.textposition === "outside")) {
      const size = along[1] - along[0];
      if (along[0] < 0) along[0] -= 0.2 * size;
      if (along[1] > 0) along[1] += 0.15 * size;
    }
    const series = figure.data.filter((trace) => trace.showlegend).length;
    if (series) layout.height += 22 * (Math.ceil(series / 2) - Math.ceil(series / 4));
    return figure;
  };

  const drawn = new Set();
  const draw = (plot, { dark = scheme.matches, width } = {}) => {
    const figure = read(plot);
    const room = width ?? plot.clientWidth;
    if (room < NARROW) narrowed(figure);
    const { layout } = figure;
    // Below the axis, so that its first label does not touch the other axis's.
    Object.keys(layout).filter((key) => /^xaxis\d*$/.test(key)).forEach((key) => (layout[key].ticklabelstandoff = 5));
    layout.template = style[dark ? "dark" : "light"];
    const palette = layout.template.layout.colorway;
    figure.data.filter((trace) => trace.meta?.color !== undefined).forEach((trace) => {
      [trace.marker, trace.line].filter(Boolean).forEach((part) => (part.color = palette[trace.meta.color]));
    });
    if (width) layout.width = width;
    plot.dataset.narrow = room < NARROW;
    drawn.add(plot);
    if (!window.Plotly) loadPlotly();
    // On a narrow screen the buttons would cover the legend; there one zooms with two fingers.
    const config = { ...style.config, responsive: !width, ...(room < NARROW && { displayModeBar: false }) };
    Plotly.react(plot, figure.data, layout, config);
    // The figure's label says what it shows; tick marks read out one by one do not.
    plot.querySelectorAll("svg.main-svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
  };
  const redraw = () => drawn.forEach((plot) => (plot.clientWidth ? draw(plot) : drawn.delete(plot)));

  // What the reader sees is drawn, one figure a frame, so that the page never stands still for long.
  const near = new Set();
  let busy = false;
  const next = () => {
    const plot = plots.find((each) => near.has(each) && !drawn.has(each) && each.clientWidth);
    busy = plot !== undefined;
    if (!busy) return;
    if (window.Plotly) draw(plot);
    else loadPlotly();
    requestAnimationFrame(() => setTimeout(next));
  };
  const observer = new IntersectionObserver(
    (seen) => {
      seen.forEach((each) => near[each.isIntersecting ? "add" : "delete"](each.target));
      if (!busy) next();
    },
    { rootMargin: "400px" },
  );
  plots.forEach((plot) => observer.observe(plot));

  scheme.addEventListener("change", redraw);
  addEventListener("resize", () => {
    [...drawn]
      .filter((plot) => plot.clientWidth && plot.dataset.narrow !== String(plot.clientWidth < NARROW))
      .forEach((plot) => draw(plot));
  });
  // Paper is white and as wide as it is, whatever the screen was.
  addEventListener("beforeprint", () => plots.forEach((plot) => draw(plot, { dark: false, width: PRINTED })));
  addEventListener("afterprint", redraw);
})();
