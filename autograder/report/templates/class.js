(() => {
  "use strict";
  const table = document.getElementById("every");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const words = new Intl.Collator(document.documentElement.lang, { numeric: true, sensitivity: "base" });
  const order = (a, b, sign, column) => {
    const one = a.cells[column].textContent, other = b.cells[column].textContent;
    if (!heads[column].dataset.number) return sign * words.compare(one, other);
    const x = parseFloat(one), y = parseFloat(other);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // what has no number stands last
    return sign * (x - y);
  };
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const first = head.dataset.number ? "descending" : "ascending";
      const next = now === "ascending" ? "descending" : now === "descending" ? "ascending" : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      rows.sort((a, b) => order(a, b, sign, column));
      body.replaceChildren(...rows);
    });
  });
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  document.getElementById("find").hidden = false;
  search.addEventListener("input", () => {
    const wanted = search.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      count += !row.hidden;
    }
    shown.textContent = shown.dataset.words.replace("{n}", count);
  });
})();
