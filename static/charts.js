// Draws figures that came as JSON. Colours and fonts are the page's own tokens; the server's figure has none.
(() => {
  "use strict";
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name, alpha) => {
    probe.className = `ink-${name}`;
    const found = getComputedStyle(probe).color;
    return alpha === undefined ? found : withAlpha(found, alpha);
  };
  // The browser resolves light-dark() for us; mixing needs plain channels, so a canvas reads them.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  function withAlpha(css, alpha) {
    canvas.canvas.width = canvas.canvas.height = 1;
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = canvas.getImageData(0, 0, 1, 1).data;
    return `rgba(${r},${g},${b},${alpha})`;
  }
  const plain = (css) => withAlpha(css, 1);

  const ROLES = { best: "chart-best", keep: "chart-keep", discard: "chart-drop", crash: "chart-fail", wrong: "chart-fail",
    running: "run-solid", baseline: "text", before: "chart-drop", after: "chart-keep", "before-median": "chart-drop",
    "after-median": "chart-keep", a: "chart-best", b: "chart-b", c: "chart-c", d: "chart-d" };
  const SHAPES = { plateau: ["warn-solid", 0.1], rail: ["chart-drop", 0.08] };

  function paint(figure) {
    const narrow = window.innerWidth <= 760;
    for (const trace of figure.data || []) paintTrace(trace);
    const layout = figure.layout || {};
    for (const shape of layout.shapes || []) {
      if (SHAPES[shape.name]) shape.fillcolor = withAlpha(colour(SHAPES[shape.name][0]), SHAPES[shape.name][1]);
      else if (shape.line) shape.line.color = plain(colour("control"));
    }
    for (const note of layout.annotations || []) {
      const role = ROLES[note.name];
      note.font = { size: 11, color: plain(colour(note.name && note.name.length === 1 ? role : "text-2")) };
    }
    if (narrow) layout.annotations = (layout.annotations || []).filter((note) => !["keep", "note", "plateau"].includes(note.name));
    const font = { family: getComputedStyle(document.body).fontFamily, size: 11, color: plain(colour("text-3")) };
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      Object.assign(layout[name], { gridcolor: plain(colour("line")), linecolor: plain(colour("line-strong")), tickfont: font, automargin: false });
      if (layout[name].title) layout[name].title.font = font;
      if (narrow && layout[name].title) layout[name].title = undefined;
    }
    if (narrow && layout.xaxis && layout.xaxis.nticks) layout.xaxis.nticks = 4;
    if (narrow && layout.margin) layout.margin.r = Math.min(layout.margin.r, 72);
    return Object.assign(layout, { font, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      hoverlabel: { bgcolor: plain(colour("surface")), bordercolor: plain(colour("line-strong")), font: { ...font, color: plain(colour("text")) } } });
  }

  function paintTrace(trace) {
    const role = (trace.meta || {}).role;
    if (role === "noise") { trace.fillcolor = withAlpha(colour("chart-best"), 0.12); trace.line.color = "rgba(0,0,0,0)"; return; }
    const ink = plain(colour(ROLES[role] || "text-2"));
    if (trace.line) trace.line.color = ink;
    if (trace.marker) {
      trace.marker.color = ink;
      trace.marker.line = Object.assign(trace.marker.line || {}, { color: ink });
      if (role === "after" || role === "before") trace.marker.opacity = 0.8;
    }
    if (trace.error_y) trace.error_y.color = withAlpha(colour(ROLES[role]), 0.7);
  }

  function draw(place) {
    const source = document.getElementById(place.dataset.figure);
    if (!source || !window.Plotly) return;
    const figure = JSON.parse(source.textContent);
    const layout = paint(figure);
    const first = !place.dataset.drawn;
    // A constant uirevision keeps zoom and selection across redraws.
    window.Plotly.react(place, figure.data, layout, { displayModeBar: false, showSendToCloud: false, responsive: true, doubleClick: "reset", scrollZoom: false });
    place.dataset.drawn = source.textContent.length;
    if (first) place.on("plotly_click", (event) => {
      const to = event.points[0] && event.points[0].customdata;
      if (typeof to === "string" && to.startsWith("/")) location.assign(to);
    });
  }
  const all = () => document.querySelectorAll("[data-figure]").forEach(draw);

  all();
  document.addEventListener("htmx:afterSettle", (event) => {
    const inside = event.detail.elt.querySelectorAll ? event.detail.elt.querySelectorAll("[data-figure]") : [];
    inside.forEach(draw);
  });
  document.addEventListener("theme:changed", all);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
})();
