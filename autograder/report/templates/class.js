(() => {
  "use strict";
  const table = document.getElementById("every");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const all = document.getElementById("all");
  const words = new Intl.Collator(document.documentElement.lang, { numeric: true, sensitivity: "base" });
  const few = Number(table.dataset.few); // rows at a time: laying out thousands takes a second
  let rows = [...body.rows];
  let most = few;

  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    let found = 0;
    for (const row of rows) {
      const fits = !wanted || row.cells[0].textContent.toLowerCase().includes(wanted);
      row.hidden = !fits || found >= most;
      found += fits;
    }
    shown.textContent = shown.dataset.words.replace("{n}", Math.min(found, most)).replace("{total}", rows.length);
    all.hidden = found <= most;
  };

  const sort = (column, sign) => {
    const isNumber = heads[column].dataset.number;
    const keyed = rows.map((row) => {
      const text = row.cells[column].textContent;
      return { row, key: isNumber ? parseFloat(text) : text };
    });
    keyed.sort((a, b) => {
      if (!isNumber) return sign * words.compare(a.key, b.key);
      if (Number.isNaN(a.key) || Number.isNaN(b.key)) return Number.isNaN(a.key) - Number.isNaN(b.key); // no number: last
      return sign * (a.key - b.key);
    });
    rows = keyed.map(({ row }) => row);
    show();
    body.replaceChildren(...rows);
  };

  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const turned = { ascending: "descending", descending: "ascending" }[head.getAttribute("aria-sort")];
      const order = turned || (head.dataset.number ? "descending" : "ascending");
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      sort(column, order === "ascending" ? 1 : -1);
    });
  });
  search.addEventListener("input", show);
  all.addEventListener("click", () => {
    most = Infinity;
    show();
    search.focus(); // the button is gone
  });
  document.getElementById("find").hidden = false;
  show();
})();
