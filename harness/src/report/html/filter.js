
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const by = (id) => document.getElementById(id);
  const rules = [...document.querySelectorAll(".matrix tbody")];
  by("open-rules").addEventListener("change", (event) => {
    for (const group of rules) {
      const rows = [...group.querySelectorAll("tr:not(.group)")];
      for (const row of rows) row.hidden = event.target.checked && "passed" in row.dataset;
      group.hidden = rows.every((row) => row.hidden);
    }
  });

  const cases = [...document.querySelectorAll("#all-cases tbody tr")];
  const texts = cases.map((row) => (row.textContent + " " + row.dataset.rules).toLowerCase());
  const filter = () => {
    const words = by("find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const standing = by("standing").value;
    const protocol = by("protocol").value;
    let shown = 0;
    cases.forEach((row, index) => {
      const fits = (!standing || row.dataset.standing === standing)
        && (!protocol || row.dataset.protocol === protocol)
        && words.every((word) => texts[index].includes(word));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    by("shown").textContent = shown === cases.length ? cases.length + " cases" : shown + " of " + cases.length + " cases";
  };
  for (const id of ["find", "standing", "protocol"]) by(id).addEventListener("input", filter);
});
