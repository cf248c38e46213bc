// plotly.js as {{ size }} bytes of deflated text, which a report can carry; a policy allows it by its digest.
// Its licence: {{ licence }}
window.plotly = (async () => {
  "use strict";
  const packed = Uint8Array.from(atob("{{ packed }}"), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
  return window.Plotly;
})();
