"use strict";
// The answers of a model on a benchmark, unpacked once: runs by decoder, budget and seed, and what each solved.
window.xpflow.answers = (() => {
  const { index, unpack } = window.xpflow;
  const VERDICTS = { p: "passed", w: "wrong", e: "error", t: "timeout", m: "memory" };
  const known = new Map();

  function load(place) {
    if (!known.has(place)) known.set(place, unpack(`data-answers-${place}`).then(ordered));
    return known.get(place);
  }

  // Problems in the order in which people count: 2 before 10.
  function ordered(text) {
    const data = JSON.parse(text);
    const compare = new Intl.Collator("en", { numeric: true }).compare;
    data.order = [...data.tasks.keys()].sort((a, b) => compare(data.tasks[a], data.tasks[b]));
    return data;
  }

  const key = (run) => JSON.stringify([run.arm, run.budget]);
  const label = (name) => {
    const [arm, budget] = JSON.parse(name);
    return `${index.arms[arm] ?? arm} at ${budget}`;
  };

  // What tells the runs of a decoder and budget apart: the seed, and the sample where there are several.
  const turn = (run) => (run.sample === undefined ? String(run.seed) : `${run.seed}, sample ${run.sample}`);

  // The runs of one decoder and budget, by seed.
  function runs(data, name) {
    return data.runs.filter((run) => key(run) === name).sort((a, b) => a.seed - b.seed || (a.sample ?? 0) - (b.sample ?? 0));
  }

  // The run of a seed; a decoder that ran once stands for every seed.
  function run(data, name, seed) {
    const found = runs(data, name);
    return found.find((one) => turn(one) === seed) ?? (found.length === 1 ? found[0] : null);
  }

  function answer(data, run, task) {
    return {
      verdict: VERDICTS[run.verdicts[task]],
      reason: data.reasons[run.reasons[task]],
      nfe: run.nfe[task],
      program: run.programs === null ? null : data.programs[run.programs[task]],
    };
  }

  const solved = (run, task) => run !== null && run.verdicts[task] === "p";
  return { load, key, label, turn, runs, run, answer, solved };
})();
