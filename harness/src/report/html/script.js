
(() => {
  "use strict";
  const root = document.documentElement;
  const themes = ["system", "light", "dark"];
  // Storage is denied to some pages that come from a file.
  const stored = () => { try { return localStorage.getItem("stocktake-theme"); } catch { return null; } };
  const store = (theme) => { try { localStorage.setItem("stocktake-theme", theme); } catch { /* forgotten, then */ } };
  let theme = themes.includes(stored()) ? stored() : "system";
  const dress = () => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
  };
  dress();

  const open = (target) => {
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  };
  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    target.hidden = false;
    open(target);
    target.scrollIntoView();
  };

  document.addEventListener("DOMContentLoaded", () => {
    const by = (id) => document.getElementById(id);
    const button = by("theme");
    const label = () => { button.textContent = "Theme: " + theme; };
    label();
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      store(theme);
      dress();
      label();
    });
    button.hidden = false;
    for (const control of document.querySelectorAll(".control")) control.hidden = false;

    window.addEventListener("hashchange", follow);
    follow();

    let closed = [];
    window.addEventListener("beforeprint", () => {
      closed = [...document.querySelectorAll("details:not([open])")];
      for (const one of closed) one.open = true;
    });
    window.addEventListener("afterprint", () => { for (const one of closed) one.open = false; });
  });
})();
