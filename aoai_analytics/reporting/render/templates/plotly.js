// plotly.js, {{ size }} characters, as deflated text in base64, which report.js unpacks; a page allows it by its digest.
// Its licence: {{ licence }}
window.packedPlotly = "{{ packed }}";
