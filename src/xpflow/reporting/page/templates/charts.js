"use strict";
// The figures: panels of curves, drawn by plotly when the page is there, again when it turns light or dark.
(() => {
  const { make, unpack, isDark, isPrinting, onTheme } = window.xpflow;
  const ON_PAPER = { width: 340, height: 240 }; // pixels: two panels fit side by side on A4
  const figures = [];
  // Plotly reads a little markup in its texts: here all of it is text.
  const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const color = (look) => (isDark() ? look.dark : look.light);

  function tinted(hex, alpha) {
    const parts = [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
    return `rgba(${parts.join(",")},${alpha})`;
  }

  function traces(figure, panel) {
    const found = [];
    for (const curve of panel.curves) {
      const look = figure.drawn.series[curve.series];
      if (figure.off.has(curve.series)) continue;
      const x = figure.other ? curve.other : curve.x;
      if (curve.band) found.push(band(x, curve.band, color(look)));
      for (const one of figure.other !== undefined && curve.seeds ? curve.seeds : []) {
        found.push(seeds(figure, one, look));
      }
      found.push(line(x, curve, look));
    }
    return found;
  }

  function band(x, [low, high], hue) {
    return {
      x: [...x, ...[...x].reverse()], y: [...high, ...[...low].reverse()], fill: "toself", mode: "none",
      fillcolor: tinted(hue, 0.16), hoverinfo: "skip",
    };
  }

  function seeds(figure, one, look) {
    return {
      x: figure.other ? one.y.map(() => one.other) : one.x, y: one.y, mode: "markers", hoverinfo: "text",
      hovertext: one.seed.map((seed, place) =>
        `${plain(look.name)}<br>seed ${seed}: ${(100 * one.y[place]).toFixed(1)} %, NFE ${one.x[place].toFixed(1)}`),
      marker: { color: color(look), opacity: 0.35, size: 5, symbol: look.symbol },
    };
  }

  function line(x, curve, look) {
    const trace = {
      x, y: curve.y, mode: look.symbol ? "lines+markers" : "lines", connectgaps: true, hoverinfo: "text",
      cliponaxis: !look.symbol, // a mark at 0 % is seen whole
      line: { color: color(look), dash: look.dash, width: 2 },
      hovertext: curve.y.map((y, place) =>
        `${plain(look.name)}<br>${curve.hover ? plain(curve.hover[place]) : `${curve.x[place]}: ${y?.toPrecision(4)}`}`),
    };
    if (look.symbol) trace.marker = { color: color(look), symbol: look.symbol, size: 9, line: { width: 2, color: color(look) } };
    if (curve.low) {
      trace.error_y = {
        type: "data", symmetric: false, thickness: 1, width: 0, color: color(look),
        array: curve.high.map((high, place) => high - curve.y[place]),
        arrayminus: curve.low.map((low, place) => curve.y[place] - low),
      };
    }
    return trace;
  }

  function axis(wanted, values) {
    const found = {
      title: { text: wanted.title, font: { size: 12 } }, color: variable("--soft"), gridcolor: variable("--grid"),
      zerolinecolor: variable("--line"), automargin: true,
    };
    if (wanted.log) found.type = "log";
    if (wanted.log && wanted.decades) found.dtick = 1;
    if (wanted.percent) found.tickformat = ".0%";
    if (wanted.zero) found.rangemode = "tozero";
    if (values) Object.assign(found, { tickvals: values[0], ticktext: values[1] });
    return found;
  }

  function fraction(budget) {
    return budget >= 1 ? "1/1" : Number.isInteger(1 / budget) ? `1/${1 / budget}` : budget.toFixed(3);
  }

  function whole(low, high) {
    const step = Math.max(1, Math.ceil((high - low) / 8));
    const count = Math.max(0, Math.floor(high / step) - Math.ceil(low / step) + 1);
    return [...Array(count).keys()].map((number) => step * (Math.ceil(low / step) + number));
  }

  function ticks(figure, panel) {
    if (figure.other === undefined) return null;
    const shown = panel.curves.filter((curve) => !figure.off.has(curve.series));
    if (figure.other) {
      const budgets = [...new Set(shown.flatMap((curve) => curve.other))];
      return [budgets, budgets.map(fraction)];
    }
    const all = shown.flatMap((curve) => curve.x);
    const powers = [...Array(14).keys()].map((power) => 2 ** power);
    const near = powers.filter((value) => value >= Math.min(...all) / 1.5 && value <= Math.max(...all) * 1.5);
    if (near.length < 3) near.splice(0, near.length, ...whole(Math.min(...all) / 1.1, Math.max(...all) * 1.1));
    return [near, near.map(String)];
  }

  function decades(panel) {
    const all = panel.curves.flatMap((curve) => curve.y).filter((value) => value > 0);
    return Math.log10(Math.max(...all) / Math.min(...all));
  }

  function layout(figure, panel) {
    const wide = matchMedia("(min-width: 44rem)").matches;
    return {
      ...(isPrinting() ? ON_PAPER : { autosize: true }), showlegend: false, hovermode: "closest",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: variable("--ink"), family: "system-ui, DejaVu Sans, sans-serif", size: 12 },
      margin: { l: 50, r: 10, t: 8, b: 42 }, dragmode: wide ? "zoom" : false,
      xaxis: axis(figure.other ? figure.drawn.other : figure.drawn.x, ticks(figure, panel)),
      yaxis: axis(panel.y ? { ...panel.y, title: "", decades: decades(panel) > 1 } : figure.drawn.y),
      hoverlabel: { bgcolor: variable("--panel"), font: { color: variable("--ink"), size: 12 }, align: "left" },
    };
  }

  function draw(figure) {
    figure.drawn.panels.forEach((panel, place) => {
      const options = { displayModeBar: false, responsive: true };
      window.Plotly.react(figure.plots[place], traces(figure, panel), layout(figure, panel), options);
    });
  }

  function swatch(look) {
    const box = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    box.setAttribute("viewBox", "0 0 36 14");
    box.setAttribute("aria-hidden", "true");
    const [shape, hollow] = (look.symbol || "").split(/-(?=open$)/);
    const shapes = {
      "square": "M13 2h10v10h-10z", "triangle-up": "M18 1l6 11h-12z", "triangle-down": "M18 13l6-11h-12z",
      "diamond": "M18 1l6 6-6 6-6-6z", "": "",
    };
    const dash = { solid: "", dash: "7 3", dot: "2 2" }[look.dash];
    const mark = shapes[shape] ?? "M23 7a5 5 0 1 1-10 0a5 5 0 1 1 10 0z";
    for (const [path, attributes] of [["M0 7h36", { "stroke-dasharray": dash, fill: "none" }],
      [mark, { fill: hollow ? "var(--panel)" : "currentColor" }]]) {
      const element = document.createElementNS("http://www.w3.org/2000/svg", "path");
      const all = { d: path, stroke: "currentColor", "stroke-width": 2, ...attributes };
      for (const [key, value] of Object.entries(all)) element.setAttribute(key, value);
      box.append(element);
    }
    box.style.color = color(look);
    return box;
  }

  function legend(figure) {
    figure.list.replaceChildren(...figure.drawn.series.map((look, number) => {
      const pressed = String(!figure.off.has(number));
      const button = make("button", { type: "button", "aria-pressed": pressed }, swatch(look), make("span", {}, look.name));
      button.addEventListener("click", () => {
        if (!figure.off.delete(number)) figure.off.add(number);
        button.setAttribute("aria-pressed", String(!figure.off.has(number)));
        draw(figure);
      });
      return make("li", {}, button);
    }));
  }

  function axes(figure, name) {
    const choices = [[false, figure.drawn.x.title], [true, figure.drawn.other.title]].map(([other, title]) => {
      const input = make("input", { type: "radio", name: `axis-${name}` });
      input.checked = !other;
      input.addEventListener("change", () => {
        figure.other = other;
        draw(figure);
      });
      return make("label", {}, input, ` ${title}`);
    });
    figure.element.querySelector(".axes").append(
      make("span", { role: "radiogroup", "aria-label": "Horizontal axis" }, "Against: ", ...choices));
  }

  function prepared(element, drawn) {
    const figure = { element, drawn, off: new Set(), plots: [], list: element.querySelector(".legend") };
    if (drawn.other) {
      figure.other = false;
      axes(figure, element.dataset.chart);
    }
    const title = element.querySelector("figcaption").textContent;
    for (const panel of drawn.panels) {
      const plot = make("div", { class: "plot", role: "img", "aria-label": `${title}: ${panel.title}. In words and numbers below.` });
      figure.plots.push(plot);
      element.querySelector(".panels").append(make("div", { class: "panel" }, make("h4", {}, panel.title), plot));
    }
    return figure;
  }

  async function start() {
    const code = document.createElement("script");
    code.textContent = await unpack("data-plotly");
    document.head.append(code);
    const drawn = JSON.parse(await unpack("data-charts"));
    for (const element of document.querySelectorAll("[data-chart]")) {
      const figure = prepared(element, drawn[element.dataset.chart]);
      figures.push(figure);
      legend(figure);
      draw(figure);
    }
    onTheme(() => figures.forEach((figure) => { legend(figure); draw(figure); }));
    document.documentElement.dataset.charts = "drawn";
  }

  start();
})();
