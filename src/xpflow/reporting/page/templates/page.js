"use strict";
// What every other script uses: packed data, elements made of text, the light and the dark page.
window.xpflow = (() => {
  const index = JSON.parse(document.getElementById("index").textContent);
  const listeners = [];
  let printing = false;

  async function unpack(id) {
    const packed = atob(document.getElementById(id).textContent.trim());
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // An element with attributes and children; texts become text nodes and nothing else.
  function make(name, attributes = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  function option(value, text) {
    const element = make("option", {}, text);
    element.value = value;
    return element;
  }

  const asked = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");

  function remembered(value) {
    try {
      if (value !== undefined) localStorage.setItem("xpflow-theme", value);
      return localStorage.getItem("xpflow-theme");
    } catch {
      return null; // a page without storage
    }
  }

  const isPrinting = () => printing;
  const isDark = () => !printing && document.documentElement.dataset.theme === "dark";

  function show(dark) {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
    for (const listener of listeners) listener();
  }

  const start = remembered();
  show(start === null ? asked.matches : start === "dark");
  asked.addEventListener("change", (event) => remembered() === null && show(event.matches));
  button.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme !== "dark";
    remembered(dark ? "dark" : "light");
    show(dark);
  });
  for (const [name, on] of [["beforeprint", true], ["afterprint", false]]) {
    window.addEventListener(name, () => {
      printing = on;
      for (const listener of listeners) listener();
    });
  }

  return { index, unpack, make, option, isDark, isPrinting, onTheme: (listener) => listeners.push(listener) };
})();
