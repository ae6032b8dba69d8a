"use strict";
// Tables sort by any column: once up, once down, and back to the order that they came in.
(() => {
  const NEXT = { none: "descending", descending: "ascending", ascending: "none" };

  function key(cell) {
    const text = cell.innerText.trim();
    const number = /^[≤≥]?\s*([+−-]?(?:\d[\d ]*(?:\.\d+)?(?:e[+−-]?\d+)?|∞))(\/\d+)?/.exec(text);
    if (text === "–" || text === "") return { rank: 2, value: 0 };
    if (!number) return { rank: 1, value: text.toLowerCase() };
    const value = Number(number[1].replaceAll("−", "-").replaceAll(" ", "").replace("∞", "Infinity"));
    const over = number[2] && !/^[+−-]/.test(number[1]) ? Number(number[2].slice(1)) : 1;
    return { rank: 0, value: value / over };
  }

  function compared(a, b, sign) {
    if (a.rank !== b.rank) return a.rank - b.rank; // what is missing stays at the end
    return a.value < b.value ? -sign : a.value > b.value ? sign : 0;
  }

  function sort(table, rows, head, column) {
    const order = NEXT[head.getAttribute("aria-sort")];
    for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const keyed = rows.map((row) => ({ row, key: key(row.cells[column]) }));
    if (order !== "none") keyed.sort((a, b) => compared(a.key, b.key, sign));
    table.tBodies[0].append(...keyed.map((one) => one.row));
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const rows = [...table.tBodies[0].rows];
    const heads = [...table.querySelectorAll("th[aria-sort]")];
    heads.forEach((head, column) => {
      head.querySelector("button").addEventListener("click", () => sort(table, rows, head, column));
    });
  }
})();
