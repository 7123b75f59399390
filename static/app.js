// Small behaviours every page shares: theme, clocks, dialogs, the command bar, keyboard. All pages work without it.
(() => {
  "use strict";
  const html = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

  // --- theme: remembered in a cookie so that the server sends the right page at once ---
  const dark = () => html.dataset.theme ? html.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    html.dataset.theme = dark() ? "light" : "dark";
    document.cookie = `theme=${html.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
    document.dispatchEvent(new CustomEvent("theme:changed"));
  });

  // --- times: in the reader's zone, and clocks that tick from the server's own start ---
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const two = (n) => String(n).padStart(2, "0");
  function duration(seconds) {
    seconds = Math.max(0, Math.round(seconds));
    const d = Math.floor(seconds / 86400), h = Math.floor(seconds / 3600) % 24, m = Math.floor(seconds / 60) % 60, s = seconds % 60;
    if (d) return `${d} d ${h} h`;
    if (h) return `${h} h ${two(m)} m`;
    return m ? `${m} m ${two(s)} s` : `${s} s`;
  }
  function when(at) {
    const now = new Date();
    if (at.toDateString() === now.toDateString()) return `${two(at.getHours())}:${two(at.getMinutes())}`;
    const day = `${at.getDate()} ${MONTHS[at.getMonth()]}`;
    return at.getFullYear() === now.getFullYear() ? day : `${day} ${at.getFullYear()}`;
  }
  const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  function localise() {
    for (const node of $$("time[data-when], time[data-clock]")) {
      const at = new Date(node.dateTime);
      write(node, "clock" in node.dataset ? `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}` : when(at));
      node.title = at.toLocaleString(undefined, { dateStyle: "long", timeStyle: "long" });
    }
    lanes();
  }
  // The reader's clock may be wrong: the page says what time it was on the server when it was made.
  const skew = Date.now() - new Date(html.dataset.now).getTime() || 0;
  function tick() {
    // A clock may not run on a dead stream.
    if (document.hidden || html.dataset.flow === "offline") return;
    for (const node of $$("time[data-elapsed], time[data-waiting]")) {
      write(node, duration((Date.now() - skew - new Date(node.dateTime)) / 1000));
    }
  }
  function lanes() {
    for (const axis of $$("svg[data-ticks]")) {
      axis.replaceChildren();
      const width = axis.getBoundingClientRect().width || 400;
      axis.setAttribute("viewBox", `0 0 ${width} 16`);
      const ticks = axis.dataset.ticks.split(";").filter(Boolean).map((tick) => tick.split(" "));
      const close = ticks.length > 1 && ticks[1][1] - ticks[0][1] < 60;
      for (const [place, at] of ticks) {
        const moment = new Date(Number(at) * 1000);
        const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
        const x = parseFloat(place) / 100 * width;
        text.setAttribute("x", x);
        text.setAttribute("y", 12);
        text.setAttribute("text-anchor", x < 20 ? "start" : x > width - 20 ? "end" : "middle");
        text.textContent = `${two(moment.getHours())}:${two(moment.getMinutes())}${close ? `:${two(moment.getSeconds())}` : ""}`;
        axis.append(text);
      }
    }
  }
  setInterval(tick, 1000);
  document.addEventListener("page:changed", localise);
  document.addEventListener("htmx:afterSettle", () => { localise(); tick(); });

  // --- what a swap must not lose: open details stay open, fields in use stay put ---
  const open = new Set();
  document.addEventListener("htmx:beforeSwap", (event) => {
    const target = event.detail.target;
    if (!target) return;
    for (const one of $$("details[id][open]", target)) open.add(one.id);
    const at = document.activeElement;
    const asked = event.detail.requestConfig && event.detail.requestConfig.triggeringEvent;
    if (asked && asked.type === "refresh" && at && at !== document.body && target.contains(at)) event.detail.shouldSwap = false;
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of open) { const one = document.getElementById(id); if (one) one.open = true; }
    open.clear();
  });

  // --- dialogs and the command bar ---
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) { const dialog = document.getElementById(opener.dataset.open); if (dialog) { dialog.showModal(); const field = $("input", dialog); if (field) field.focus(); } return; }
    if (event.target.matches("dialog")) event.target.close();
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  const commands = $("[data-command-list]"), typed = $("[data-command-input]");
  if (commands) {
    const choices = () => $$("li:not([hidden]) a", commands);
    typed.addEventListener("input", () => {
      const text = typed.value.trim().toLowerCase();
      // Repos are found by the search from the second letter on.
      for (const item of $$("[data-command-static] li", commands)) item.hidden = ("idle" in item.dataset && text.length > 1) || !item.textContent.toLowerCase().includes(text);
    });
    typed.form.addEventListener("keydown", (event) => {
      const all = choices();
      if (event.key === "ArrowDown" && all.length) { event.preventDefault(); all[0].focus(); }
    });
    commands.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      const all = choices(), at = all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      (all[at] || typed).focus();
    });
  }

  // --- files marked as viewed: remembered in this browser, for this very change of the file ---
  function seen(key) {
    try { return new Set(JSON.parse(localStorage.getItem(key) || "[]")); } catch { return new Set(); }
  }
  function viewing() {
    const panel = $("[data-viewing]");
    if (!panel) return;
    const marked = seen(`viewed:${panel.dataset.viewing}`), files = $$("[data-file]", panel);
    for (const file of files) {
      const on = marked.has(file.dataset.file);
      $("[data-script]", file).hidden = false;
      $("[data-viewed]", file).checked = on;
      file.classList.toggle("viewed", on);
    }
    const done = files.filter((file) => marked.has(file.dataset.file)).length;
    write($("[data-viewed-count]", panel), files.length ? `${done} of ${files.length} viewed` : "");
  }
  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-viewed]")) return;
    const key = `viewed:${event.target.closest("[data-viewing]").dataset.viewing}`, marked = seen(key);
    const name = event.target.closest("[data-file]").dataset.file;
    if (event.target.checked) marked.add(name); else marked.delete(name);
    try { localStorage.setItem(key, JSON.stringify([...marked])); } catch { /* private windows may not remember */ }
    viewing();
  });
  document.addEventListener("htmx:afterSettle", viewing);
  // A link to a pass opens it.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#pass-']"), pass = link && $(link.getAttribute("href"));
    if (pass && pass.matches("details")) pass.open = true;
  });

  // --- forms: busy until the server answers; dependent fields of the launch form ---
  document.addEventListener("submit", (event) => {
    if (event.target.method === "dialog" || event.target.method === "get") return;
    const button = event.submitter;
    if (!button) return;
    if (button.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
    button.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => $$("[aria-busy]").forEach((one) => one.removeAttribute("aria-busy")));
  function shown() {
    for (const part of $$("[data-for-mode]")) {
      const mode = $("input[name='mode']:checked");
      part.hidden = !mode || part.dataset.forMode !== mode.value;
    }
  }
  function deciding() {
    const form = $("[data-decision]");
    if (!form) return;
    const kind = $("input[name='kind']:checked", form), button = $("[data-decide]", form);
    const needs = kind && kind.value !== "approved";
    const read = $("[name='read']", form), reason = $("[name='reason']", form);
    const why = !kind ? "Choose one first" : needs && !reason.value.trim() ? "Say why first" : !needs && read && !read.checked ? "Read the open findings first" : "";
    button.disabled = Boolean(why) || !kind;
    button.textContent = kind ? `${kind.dataset.verb} ${form.dataset.commit}` : "Decide";
    $("[data-why]", form).textContent = why;
    $("[data-optional]", form).textContent = needs ? "needed" : "optional when you approve";
  }
  document.addEventListener("input", () => { shown(); deciding(); });
  document.addEventListener("change", (event) => {
    shown();
    if (event.target.matches("[data-autosubmit]")) event.target.form.requestSubmit();
    if (event.target.matches("[data-tick]")) selection();
  });
  function selection() {
    const bar = $("[data-selection]");
    if (!bar) return;
    const ticked = $$("[data-tick]:checked");
    bar.hidden = ticked.length < 1;
    $("[data-selected]", bar).textContent = `${ticked.length} selected`;
    const go = $("[data-compare]", bar);
    go.disabled = ticked.length < 2 || ticked.length > 4;
    const repos = new Set(ticked.map((one) => one.dataset.repo));
    $("[data-fair]", bar).textContent = ticked.length < 2 ? "tick one more to compare" : ticked.length > 4 ? "at most four" : repos.size > 1 ? "different repos: not a fair compare" : "same repo";
    write(go.querySelector("span"), ticked.length < 2 ? "Compare" : `Compare ${ticked.map((one) => `#${one.value}`).join(" and ")}`);
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-clear]")) { $$("[data-tick]:checked").forEach((one) => { one.checked = false; }); selection(); }
    const copy = event.target.closest("[data-copy]");
    if (copy && navigator.clipboard) navigator.clipboard.writeText(copy.dataset.copy).then(() => notice("Copied"));
  });
  function notice(words) {
    const box = document.createElement("div");
    box.className = "notice";
    box.textContent = words;
    $("#notices").append(box);
    setTimeout(() => box.remove(), 6000);
  }

  // --- keyboard ---
  const GO = { h: "home", r: "reviews", s: "sessions", l: "learnings", p: "repos" };
  let going = 0;
  const typing = (at) => at && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName) && !/^(checkbox|radio|button|submit)$/.test(at.type));
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); const bar = $("#command"); if (bar && !bar.open) { bar.showModal(); typed.focus(); } return; }
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { const form = event.target.closest && event.target.closest("form"); if (form && form.method === "post") form.requestSubmit(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("dialog[open]")) return;
    const key = event.key;
    if (going && Date.now() - going < 1500 && GO[key]) { going = 0; const to = $(`[data-go="${GO[key]}"]`); if (to) location.assign(to.href); return; }
    going = key === "g" ? Date.now() : 0;
    if (key === "/") { const field = $("[data-search]"); if (field) { event.preventDefault(); field.focus(); field.select(); } }
    else if (key === "?") { const help = $("#shortcuts"); if (help) help.showModal(); }
    else if (key === "c") { const to = $("[data-go='launch']"); if (to) location.assign(to.href); }
    else if (key === "f") { const hold = $("[data-hold]"); if (hold) hold.click(); }
    else if (key === "d") { const form = $("#decision"); if (form) { form.scrollIntoView({ block: "start" }); const first = $("input:not([disabled]):not([type='hidden'])", form); if (first) first.focus(); } }
    else if (/^[1-6]$/.test(key)) { const pass = $(`#pass-${key}`); if (pass && pass.matches("details")) { pass.open = !pass.open; $("summary", pass).focus(); } }
    else if (key === "j" || key === "k") { row(key === "j" ? 1 : -1, event); }
    else if (key === "x") { const line = document.activeElement.closest("tr, li"); const box = line && $("[data-tick]", line); if (box) box.click(); }
    else if (key === "o" && document.activeElement.matches("a.cover")) document.activeElement.click();
    else if (key === "[" || key === "]") {
      const to = $(key === "]" ? "[data-next]" : "[data-previous]");
      if (to) location.assign(to.href); else change(key === "]" ? 1 : -1);
    }
  });
  function change(step) {
    const stops = $$("#changes summary.commit-line, #changes .diff-wrap").filter((one) => one.offsetParent);
    if (!stops.length) return;
    const to = stops[Math.min(Math.max(stops.indexOf(document.activeElement) + step, 0), stops.length - 1)];
    to.focus({ preventScroll: true });
    to.scrollIntoView({ block: "start" });
  }
  function row(step, event) {
    const links = $$("main a.cover").filter((one) => one.offsetParent);
    if (!links.length) return;
    event.preventDefault();
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + step, 0), links.length - 1)].focus();
  }

  if (window.innerWidth <= 760) for (const box of $$(".facet-box")) box.open = Boolean($("input:checked", box));
  localise();
  viewing();
  shown();
  deciding();
  selection();
})();
