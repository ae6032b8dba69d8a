/* The decode viewer: XpflowViewer.mount(element, [data, ...]), with data from xpflow.traces.viewer.viewer_data.
   No library, no request. What models and users wrote reaches the page through textContent alone. */
const XpflowViewer = (function () {
  "use strict";

  const SIGNS = {o: "●", x: "✕", s: "■", "^": "▲", v: "▼", D: "◆", d: "◆", "+": "✚", "*": "★", P: "✚", X: "✕"};
  const SCALES = {progress: "t", confidence: "c"};
  const MOVES = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1};

  function el(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function button(text, label, act) {
    const made = el("button", "", text);
    made.type = "button";
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  }

  /* Characters that would move the writing or show nothing get a sign. */
  function harmless(text) {
    return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, "\u2426");
  }

  const share = (value) => (value < 0 ? "–" : value + " %");
  const count = (number, word) => number + " " + word + (number === 1 ? "" : "s");

  /* A decode with random access: frame 0 is the start, frame n the state after n forwards. */
  function Decode(data) {
    const size = data.length, frames = data.steps;
    function expand(steps, start) {
      const all = new Int32Array((frames + 1) * size), now = new Int32Array(size);
      all.fill(start, 0, size);
      steps.forEach(function (step, index) {
        for (let i = 0; i < step.length; i += 2) now[step[i]] = step[i + 1];
        all.set(now, (index + 1) * size);
      });
      return all;
    }
    const columns = {tokens: expand(data.columns.tokens, -1), prediction: expand(data.columns.prediction, -1),
      t: expand(data.columns.t, 0), c: expand(data.columns.c, -1), open: expand(data.columns.open, 0)};
    const events = data.events.map(function (event) {
      const sign = SIGNS[event.mark] || (event.mark ? event.mark.slice(0, 1) : "");
      return Object.assign({}, event, {sign: sign, where: expand(data.columns["event:" + event.name], 0)});
    });
    const best = new Map();
    data.candidates.forEach(function (step, index) {
      for (let i = 0; i < step.length; i += 2) {
        if (!best.has(step[i])) best.set(step[i], []);
        best.get(step[i]).push([index + 1, step[i + 1]]);
      }
    });
    const special = new Set(data.special);
    return {
      data: data, size: size, frames: frames, events: events,
      get: (name, frame, place) => columns[name][frame * size + place],
      happened: (frame, place) => events.filter((event) => event.where[frame * size + place]),
      text: (index) => (index < 0 ? "" : harmless(data.texts[index])),
      isSpecial: (index) => special.has(index),
      candidates: function (frame, place) {
        if (columns.prediction[frame * size + place] < 0) return [];
        let found = [];
        for (const entry of best.get(place) || []) { if (entry[0] > frame) break; found = entry[1]; }
        const pairs = [];
        for (let i = 0; i < found.length; i += 2) pairs.push([found[i], found[i + 1]]);
        return pairs;
      },
    };
  }

  /* A token's text as it stands in a line (ends of lines as a sign), and what follows on the next line. */
  function laidOut(text) {
    const cut = text.indexOf("\n");
    return cut < 0 ? [text, ""] : [text.slice(0, cut) + "⏎", text.slice(cut)];
  }

  function named(decode, index) {
    if (index < 0) return "noise";
    const text = decode.text(index);
    return decode.isSpecial(index) || text.trim() ? text.replace(/\n/g, "⏎") : JSON.stringify(text);
  }

  /* One decode: its tokens, map and the history of the chosen token. */
  function Pane(decode, level, seek) {
    const data = decode.data, root = el("section", "xv-pane"), spans = [], tails = [];
    const heading = el("h" + level, "", data.label), cost = el("p", "xv-cost"), bar = el("div", "xv-bar");
    const text = el("div", "xv-text"), map = el("div", "xv-map"), canvas = el("canvas"), line = el("div");
    const history = el("div", "xv-history"), filled = el("span");
    let frame = -1, scale = "progress", chosen = -1, marks = [];
    root.setAttribute("aria-label", data.label);
    bar.append(filled);
    text.setAttribute("role", "group");
    text.setAttribute("aria-label", "Tokens of the answer, " + data.label);
    for (let place = 0; place < decode.size; place += 1) {
      const token = el("span", "xv-tok"), tail = el("span", "xv-tail");
      token.setAttribute("role", "button");
      token.setAttribute("aria-pressed", "false");
      token.tabIndex = place ? -1 : 0;
      token.dataset.place = place;
      if (place >= data.asked) token.dataset.beyond = "";
      spans.push(token);
      tails.push(tail);
      text.append(token, tail);
    }
    text.addEventListener("click", (event) => { const at = placeOf(event); if (at >= 0) choose(at, true); });
    text.addEventListener("focusin", (event) => { const at = placeOf(event); if (at >= 0 && at !== chosen) choose(at, false); });
    canvas.width = decode.size;
    canvas.height = decode.frames;
    canvas.setAttribute("aria-hidden", "true");
    map.append(canvas, line);
    map.addEventListener("click", function (event) {
      const box = canvas.getBoundingClientRect();
      seek(Math.ceil(((event.clientY - box.top) / box.height) * decode.frames));
    });
    const note = el("p", "xv-note", "Map: places across, forwards down; click to go there.");
    root.append(heading, cost, bar, text, map, note, history);
    if (typeof data.answer === "string") {
      const box = el("details", "xv-answer xv-prompt");
      box.append(el("summary", "", "The answer as text"), el("pre", "", harmless(data.answer)));
      root.append(box);
    }
    hint();

    function placeOf(event) {
      const token = event.target.closest(".xv-tok");
      return token ? Number(token.dataset.place) : -1;
    }

    function hint() {
      history.replaceChildren(el("p", "xv-note", "Choose a token to see its history" + (data.candidates.length ? " and its candidates." : ".")));
    }

    function choose(place, focus) {
      if (chosen >= 0) { spans[chosen].setAttribute("aria-pressed", "false"); spans[chosen].tabIndex = -1; } else spans[0].tabIndex = -1;
      chosen = place;
      spans[place].setAttribute("aria-pressed", "true");
      spans[place].tabIndex = 0;
      if (focus) spans[place].focus({preventScroll: true});
      showHistory();
    }

    function walk(by) {
      const next = Math.min(Math.max((chosen < 0 ? 0 : chosen) + by, 0), decode.size - 1);
      choose(next, true);
      spans[next].scrollIntoView({block: "nearest"});
    }

    function draw(place) {
      const token = spans[place], index = decode.get("tokens", frame, place), noise = index < 0;
      const last = decode.get("tokens", decode.frames, place), value = decode.get(SCALES[scale], frame, place);
      const special = decode.isSpecial(noise ? last : index);
      let parts = special ? ["∎", ""] : laidOut(decode.text(noise ? last : index));
      if (noise) parts = ["\u00a0".repeat(Math.max(1, parts[0].length)), parts[1]];
      token.textContent = parts[0] || "·";
      tails[place].textContent = parts[1];
      token.title = special && !noise ? decode.text(index) : "";
      token.toggleAttribute("data-noise", noise && scale === "progress");
      token.toggleAttribute("data-special", special);
      token.dataset.l = value < 0 ? "n" : Math.min(10, Math.floor(value / 10));
      const found = decode.happened(frame, place), shown = found.filter((event) => event.sign);
      const top = shown[shown.length - 1];
      if (top) token.dataset.mark = top.sign; else delete token.dataset.mark;
      token.toggleAttribute("data-revises", Boolean(top && top.revises));
      const words = ["place " + (place + 1) + ": " + named(decode, index), "progress " + share(decode.get("t", frame, place))];
      const sure = decode.get("c", frame, place);
      if (sure >= 0) words.push("confidence " + share(sure));
      token.setAttribute("aria-label", words.concat(found.map((event) => event.label)).join(", "));
    }

    function same(place, other) {
      return ["tokens", "t", "c"].every((name) => decode.get(name, frame, place) === decode.get(name, other, place));
    }

    function show(wanted, force) {
      const before = frame, now = [];
      frame = Math.min(wanted, decode.frames);
      if (frame !== before || force) {
        for (let place = 0; place < decode.size; place += 1) {
          const marked = decode.happened(frame, place).length > 0;
          if (marked) now.push(place);
          if (force || before < 0 || marked || marks.includes(place) || !same(place, before)) draw(place);
        }
        marks = now;
        line.style.top = (frame / decode.frames) * 100 + "%";
        filled.style.width = (frame / decode.frames) * 100 + "%";
        if (chosen >= 0) current();
      }
      const done = wanted >= decode.frames, block = frame ? data.block[frame - 1] : 0;
      cost.replaceChildren(el("b", "", String(frame)), " of " + count(data.nfe, "forward"));
      if (data.block[decode.frames - 1] > 0) cost.append(", block " + (block + 1));
      cost.append(": " + (wanted > decode.frames ? "finished" : summary() + (done ? ", finished" : "")));
      root.dataset.frame = frame;
    }

    function summary() {
      if (!frame) return "not begun";
      const words = [];
      for (const event of decode.events) {
        let found = 0;
        for (let place = 0; place < decode.size; place += 1) found += event.where[frame * decode.size + place];
        if (found) words.push(found + " × " + event.label);
      }
      return words.join(", ") || "no event";
    }

    function showHistory() {
      const title = el("h" + Math.min(6, level + 1), "", "Place " + (chosen + 1) + ", at the end: " + named(decode, decode.get("tokens", decode.frames, chosen)));
      const scroll = el("div", "xv-scroll"), table = el("table"), head = el("thead"), row = el("tr"), body = el("tbody");
      ["Forward", "Token", data.candidates.length ? "Candidates" : "Predicted", "Progress / confidence"].forEach(function (name) {
        const cell = el("th", "", name);
        cell.scope = "col";
        row.append(cell);
      });
      head.append(row);
      let last = null;
      for (let at = 1; at <= decode.frames; at += 1) {
        const found = decode.happened(at, chosen), best = decode.candidates(at, chosen);
        const values = ["tokens", "t", "c", "prediction"].map((name) => decode.get(name, at, chosen));
        const key = JSON.stringify([values, best]);
        if (last && last.key === key && !found.length && !last.events) { last.to = at; last.end(); continue; }
        last = historyRow(at, values, best, found, key);
        body.append(last.row);
      }
      table.append(el("caption", "xv-hidden", "History of place " + (chosen + 1)), head, body);
      scroll.append(table);
      scroll.tabIndex = 0;
      scroll.setAttribute("role", "region");
      scroll.setAttribute("aria-label", "History of place " + (chosen + 1) + ", " + data.label);
      history.replaceChildren(title, scroll);
      current();
    }

    function historyRow(from, values, best, found, key) {
      const row = el("tr"), go = button(String(from), "Go to forward " + from, () => seek(from));
      const made = {row: row, key: key, to: from, events: found.length, end: function () {
        go.textContent = from + "–" + made.to;
        row.dataset.to = made.to;
      }};
      row.dataset.from = from;
      row.dataset.to = from;
      const token = el("div"), cells = [go, token, guesses(values[3], best), share(values[1]) + " / " + share(values[2])];
      token.append(code(values[0]));
      found.forEach(function (event) {
        const word = el("div", "xv-happened", (event.sign ? event.sign + " " : "") + event.label);
        if (event.revises) word.dataset.revises = "";
        token.append(word);
      });
      cells.forEach(function (content) { const cell = el("td"); cell.append(content); row.append(cell); });
      return made;
    }

    function code(index) {
      return index < 0 ? "noise" : el("code", "", named(decode, index));
    }

    function guesses(prediction, best) {
      if (!best.length) return prediction < 0 ? "–" : code(prediction);
      const list = el("ol");
      best.forEach(function (pair) {
        const item = el("li");
        item.append(code(pair[0]), " " + share(pair[1]));
        list.append(item);
      });
      return list;
    }

    function current() {
      const scroll = history.querySelector(".xv-scroll");
      history.querySelectorAll("tbody tr").forEach(function (row) {
        const here = frame >= Number(row.dataset.from) && frame <= Number(row.dataset.to);
        if (here) {
          row.setAttribute("aria-current", "step");
          scroll.scrollTop = Math.max(0, row.offsetTop - scroll.clientHeight / 2);
        } else row.removeAttribute("aria-current");
      });
    }

    function paint(colours) {
      const context = canvas.getContext("2d"), picture = context.createImageData(decode.size, decode.frames);
      for (let at = 1; at <= decode.frames; at += 1) {
        for (let place = 0; place < decode.size; place += 1) {
          const value = decode.get(SCALES[scale], at, place);
          const revised = decode.happened(at, place).some((event) => event.revises);
          const colour = revised ? colours.revise : colours[value < 0 ? "n" : Math.min(10, Math.floor(value / 10))];
          picture.data.set(colour, 4 * ((at - 1) * decode.size + place));
        }
      }
      context.putImageData(picture, 0, 0);
    }

    return {root: root, show: show, walk: walk, paint: paint,
      colour: function (name) { scale = name; if (frame >= 0) show(frame, true); }};
  }

  /* The colours of the scale as the theme has them now, as RGBA. */
  function coloursOf(root) {
    const probe = el("span"), found = {};
    root.append(probe);
    for (const name of [...Array(11).keys(), "paper", "revise"]) {
      probe.style.backgroundColor = "var(--xv-" + name + ")";
      const parts = getComputedStyle(probe).backgroundColor.match(/[\d.]+/g) || [0, 0, 0];
      found[name] = [Number(parts[0]), Number(parts[1]), Number(parts[2]), 255];
    }
    probe.remove();
    found.n = found.paper;
    return found;
  }

  function legendOf(decodes) {
    const legend = el("div", "xv-legend"), scale = el("span", "xv-scale"), low = el("span"), high = el("span");
    scale.append(low);
    for (let step = 0; step <= 10; step += 1) { const cell = el("i"); cell.dataset.l = step; scale.append(cell); }
    scale.append(high);
    legend.append(scale);
    const signs = new Map(); // a sign -> what it is called -> by which decodes
    decodes.forEach((decode) => decode.events.forEach(function (event) {
      if (!event.sign) return;
      if (!signs.has(event.sign)) signs.set(event.sign, {revises: event.revises, names: new Map()});
      const names = signs.get(event.sign).names;
      if (!names.has(event.label)) names.set(event.label, new Set());
      names.get(event.label).add(decode.data.decoder_title);
    }));
    signs.forEach(function (one, text) {
      const item = el("span"), sign = el("span", "xv-sign", text), alone = one.names.size === 1;
      if (one.revises) sign.dataset.revises = "";
      const said = [...one.names].map(([name, by]) => alone ? name : name + " (" + [...by].join(", ") + ")");
      item.append(sign, said.join(" or "));
      legend.append(item);
    });
    legend.append(el("span", "", "striped: noise"), el("span", "", "∎ end or other special token"));
    return {root: legend, name: function (scaleName) {
      low.textContent = scaleName === "progress" ? "noise" : "unsure";
      high.textContent = scaleName === "progress" ? "token" : "sure";
    }};
  }

  let mounted = 0;

  function mount(root, datas, options) {
    const chosen = Object.assign({page: false, level: 3}, options || {}), decodes = datas.map(Decode);
    const most = Math.max(...decodes.map((decode) => decode.frames)), number = (mounted += 1);
    let at = most, timer = null;
    root.replaceChildren();
    root.classList.add("xv");
    root.dataset.scale = "progress";
    const panes = decodes.map((decode) => Pane(decode, chosen.level, seek)), legend = legendOf(decodes);
    const controls = el("div", "xv-controls"), slider = el("input"), now = el("output", "xv-now"), grid = el("div", "xv-panes");
    const play = button("▶ Play", "Play", toggle);
    play.className = "xv-play";
    Object.assign(slider, {type: "range", min: 0, max: most, step: 1, value: most});
    slider.setAttribute("aria-label", "Forwards run");
    slider.addEventListener("input", function () { pause(); seek(Number(slider.value)); });
    const speed = el("select"), wanted = Math.max(2, most / 10);
    [1, 2, 4, 8, 16, 32].forEach(function (value) {
      const option = el("option", "", value + " per second");
      option.value = value;
      if (value <= wanted) speed.value = value;
      speed.append(option);
      if (value <= wanted) speed.value = String(value);
    });
    const speedLabel = el("label", "xv-speed", "Speed ");
    speedLabel.append(speed);
    const colours = el("fieldset", "xv-colour");
    colours.append(el("legend", "xv-hidden", "Colour by"));
    Object.keys(SCALES).forEach(function (name) {
      const label = el("label"), radio = el("input");
      Object.assign(radio, {type: "radio", name: "xv-scale-" + number, value: name, checked: name === "progress"});
      radio.addEventListener("change", () => colour(name));
      label.append(radio, name);
      colours.append(label);
    });
    controls.setAttribute("role", "group");
    controls.setAttribute("aria-label", "Steps of the decoding");
    controls.append(
      button("|◀", "To the start", () => { pause(); seek(0); }), button("◀", "One forward back", () => { pause(); seek(at - 1); }),
      play, button("▶", "One forward on", () => { pause(); seek(at + 1); }), button("▶|", "To the end", () => { pause(); seek(most); }),
      slider, colours, speedLabel, now);
    const keys = el("p", "xv-note", "Keys: ← → one forward, space plays, Home and End; on a token ← → walk along the answer, ↑ ↓ step.");
    prompts();
    grid.dataset.panes = panes.length;
    panes.forEach((pane) => grid.append(pane.root));
    root.append(controls, legend.root, grid, keys);

    function prompts() {
      const texts = [...new Set(datas.map((data) => data.prompt).filter((text) => typeof text === "string"))];
      texts.forEach(function (text) {
        const box = el("details", "xv-prompt");
        box.open = chosen.page;
        box.append(el("summary", "", datas[0].task ? "The prompt: " + datas[0].task : "The prompt"), el("pre", "", harmless(text)));
        root.append(box);
      });
    }

    function seek(frame) {
      at = Math.min(Math.max(frame, 0), most);
      slider.value = at;
      panes.forEach((pane) => pane.show(at));
      now.textContent = "forward " + at + " of " + most;
      slider.setAttribute("aria-valuetext", "forward " + at + " of " + most);
      root.dataset.at = at;
    }

    function tick() {
      if (at >= most) return pause();
      seek(at + 1);
      timer = setTimeout(tick, 1000 / Number(speed.value));
    }

    function start() {
      if (timer !== null) return;
      if (at >= most) seek(0);
      now.setAttribute("aria-live", "off");
      label("⏸ Pause", "Pause");
      timer = setTimeout(tick, 1000 / Number(speed.value));
    }

    function pause() {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      now.removeAttribute("aria-live");
      label("▶ Play", "Play");
    }

    function toggle() { if (timer === null) start(); else pause(); }

    function label(text, name) { play.textContent = text; play.setAttribute("aria-label", name); }

    function colour(name) {
      root.dataset.scale = name;
      legend.name(name);
      panes.forEach((pane) => pane.colour(name));
      paint();
    }

    function paint() { const found = coloursOf(root); panes.forEach((pane) => pane.paint(found)); }

    function onKey(event) {
      const target = event.target, inside = root.contains(target);
      if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
      if (!inside && !(chosen.page && target === document.body)) return;
      const token = inside && target.closest(".xv-tok"), own = inside && target.closest("input, select, summary, .xv-scroll");
      const presses = inside && target.closest("button, summary");
      if (own && !(own === slider && event.key === " ")) return;
      if (token && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
        panes.find((pane) => pane.root.contains(token)).walk(MOVES[event.key]);
      } else if (event.key in MOVES && (token || event.key === "ArrowLeft" || event.key === "ArrowRight")) {
        pause();
        seek(at + MOVES[event.key]);
      } else if (event.key === "Home") { pause(); seek(0); } else if (event.key === "End") { pause(); seek(most); }
      else if (event.key === " " && !presses) toggle();
      else return;
      event.preventDefault();
    }

    const where = chosen.page ? document : root, theme = matchMedia("(prefers-color-scheme: dark)");
    const watcher = new MutationObserver(paint);
    where.addEventListener("keydown", onKey);
    theme.addEventListener("change", paint);
    watcher.observe(document.documentElement, {attributes: true, attributeFilter: ["data-theme"]});
    colour("progress");
    seek(most);
    return {seek: seek, play: start, pause: pause, destroy: function () {
      pause();
      where.removeEventListener("keydown", onKey);
      theme.removeEventListener("change", paint);
      watcher.disconnect();
      root.replaceChildren();
    }};
  }

  return {mount: mount};
})();
