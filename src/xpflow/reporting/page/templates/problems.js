"use strict";
// From a cell to its problems, and from a problem to the answers: who solved it, and with which program.
(() => {
  const { index, make, option, answers } = window.xpflow;
  const at = (id) => document.getElementById(id);
  const [place, first, second, seed, which, search] = ["place", "first", "second", "seed", "which", "search"].map(at);
  const NONE = "";
  const KINDS = {
    all: ["all problems", () => true],
    yes: ["solved by the decoder", (a) => a],
    no: ["not solved by the decoder", (a) => !a],
    only: ["solved by it, not by the other", (a, b) => a && !b],
    other: ["not solved by it, but by the other", (a, b) => !a && b],
    both: ["solved by both", (a, b) => a && b],
    neither: ["solved by neither", (a, b) => !a && !b],
  };
  let data = null;
  let chosen = null;

  function fill(select, values, wanted) {
    select.replaceChildren(...values.map(([value, text]) => option(value, text)));
    if (values.some(([value]) => value === wanted)) select.value = wanted;
  }

  async function open(wanted = {}) {
    const before = { first: first.value, second: second.value };
    data = await answers.load(place.value);
    const names = [...new Set(data.runs.map(answers.key))].map((name) => [name, answers.label(name)]);
    const usual = (arm) => JSON.stringify([arm, index.budget]);
    const start = wanted.first ?? before.first;
    fill(first, names, names.some(([name]) => name === start) ? start : usual(index.flow));
    fill(second, [[NONE, "no other"], ...names], before.second || (wanted.first ? NONE : usual(index.baseline)));
    if (second.value === first.value) second.value = NONE;
    seeds();
    list();
  }

  function seeds() {
    const found = answers.runs(data, first.value).map((run) => [answers.turn(run), answers.turn(run)]);
    fill(seed, found, seed.value);
    const kinds = Object.keys(KINDS).filter((kind, number) => number < 3 || second.value !== NONE);
    fill(which, kinds.map((kind) => [kind, KINDS[kind][0]]), which.value);
  }

  function sides() {
    const names = [first.value, second.value].filter((name) => name !== NONE);
    return names.map((name) => ({ name, run: answers.run(data, name, seed.value) }));
  }

  function found() {
    const [a, b] = sides();
    const wanted = search.value.trim().toLowerCase();
    const fits = (text) => text !== null && text.toLowerCase().includes(wanted);
    return data.order.filter((task) =>
      KINDS[which.value][1](answers.solved(a.run, task), b ? answers.solved(b.run, task) : false) &&
      (!wanted || fits(data.tasks[task]) || fits(data.prompts[task])));
  }

  function list() {
    const shown = found();
    const total = data.tasks.length;
    at("count").textContent = `${shown.length} of ${total} problems: ${KINDS[which.value][0]}, seed ${seed.value}. ${
      sides().map((side) => `${answers.label(side.name)} solved ${solvedBy(side)}`).join("; ")}.`;
    at("tasks").replaceChildren(...shown.map((task, number) => entry(task, number === 0)));
    if (chosen !== null && shown.includes(chosen)) show(chosen);
    else empty();
  }

  function solvedBy(side) {
    if (side.run === null) return "nothing: it did not run with this seed";
    return `${[...side.run.verdicts].filter((letter) => letter === "p").length} of ${data.tasks.length}`;
  }

  function empty() {
    chosen = null;
    at("answer").replaceChildren(make("p", {}, "Choose a problem."));
  }

  function entry(task, tabbable) {
    const marks = sides().map((side) => {
      const passed = answers.solved(side.run, task);
      return make("span", { class: passed ? "p" : "n" }, side.run === null ? "?" : passed ? "✓" : "✗");
    });
    const words = sides().map((side) => (answers.solved(side.run, task) ? "solved" : "not solved")).join(", ");
    const button = make("button", { type: "button", tabindex: tabbable ? "0" : "-1", "data-task": task },
      make("span", { class: "name" }, data.tasks[task]),
      make("span", { class: "mark", role: "img", "aria-label": words }, ...marks));
    button.addEventListener("click", () => show(task));
    return make("li", {}, button);
  }

  // One problem in the list can be tabbed to; arrows lead to the others.
  at("tasks").addEventListener("keydown", (event) => {
    const all = [...at("tasks").querySelectorAll("button")];
    const here = all.indexOf(document.activeElement);
    const step = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (step === undefined || here < 0 || !all[step]) return;
    event.preventDefault();
    all[here].tabIndex = -1;
    all[step].tabIndex = 0;
    all[step].focus();
  });

  function show(task) {
    chosen = task;
    for (const button of at("tasks").querySelectorAll("button")) {
      if (Number(button.dataset.task) === task) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    const prompt = data.prompts[task];
    const title = data.rendered ? "Prompt, as the model sees it" : "Prompt, as the benchmark words it";
    at("answer").replaceChildren(...[
      make("h3", {}, data.tasks[task]),
      make("h4", {}, title),
      prompt === null ? make("p", {}, "The study’s problem file is not here.") : make("pre", {}, prompt),
      make("div", { class: "sides" }, ...sides().map((side) => column(side, task))),
      data.tests[task] ? make("details", {}, make("summary", {}, "Tests"), make("pre", {}, data.tests[task])) : null,
      traced(task),
    ].filter((part) => part !== null));
  }

  function column(side, task) {
    const head = make("h4", {}, answers.label(side.name));
    if (side.run === null) return make("div", {}, head, make("p", {}, "It did not run with this seed."));
    const one = answers.answer(data, side.run, task);
    const look = one.verdict === "passed" ? "good" : "bad";
    const all = answers.runs(data, side.name);
    const right = all.filter((run) => answers.solved(run, task)).map(answers.turn);
    const seeds = all.length > 1 ? ` Solved with ${right.length} of ${all.length} seeds${right.length ? ` (${right.join(", ")})` : ""}.` : "";
    const program = one.program === null
      ? make("p", { class: "small" }, "The page does not hold the programs of this seed.")
      : make("pre", { class: "program" }, one.program === "" ? "(empty)" : one.program);
    return make("div", { class: "side" }, head,
      make("p", {}, make("span", { class: `badge ${look}` }, one.verdict),
        ` ${one.nfe} forward passes, seed ${answers.turn(side.run)}.${seeds}`),
      one.reason ? make("pre", { class: "reason" }, one.reason) : null,
      make("h5", {}, "Program"), program);
  }

  function traced(task) {
    const section = at("decoding");
    if (section === null || section.dataset.task !== data.tasks[task]) return null;
    return make("p", {}, make("a", { href: "#decoding" }, "How an answer to this problem came about, step by step"));
  }

  fill(place, index.places.map(([model, benchmark], number) => [String(number), `${model}, ${benchmark}`]));
  fill(which, [["all", KINDS.all[0]]]);
  place.addEventListener("change", () => { chosen = null; open(); });
  for (const select of [first, second]) select.addEventListener("change", () => { seeds(); list(); });
  for (const select of [seed, which]) select.addEventListener("change", list);
  search.addEventListener("input", list);
  at("choose").addEventListener("submit", (event) => event.preventDefault());
  for (const link of document.querySelectorAll("a.cell")) {
    link.addEventListener("click", () => {
      const { model, benchmark, arm, budget } = link.dataset;
      place.value = String(index.places.findIndex((one) => one[0] === model && one[1] === benchmark));
      which.value = "all";
      chosen = null;
      open({ first: JSON.stringify([arm, budget]) });
    });
  }
  open();
})();
