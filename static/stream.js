// Live sessions: one socket, the last seq it delivered, and honest words about how fresh the page is.
// The database is the truth: after any break the socket is asked for everything after our own last seq.
(() => {
  "use strict";
  const root = document.querySelector("[data-live]");
  if (!root) return;
  const BEAT = 5000, SILENCE = 2.5 * BEAT, RETRY_MAX = 30000, REFRESH = 1000, ROWS = 400, PATIENCE = 3000;
  const away = document.querySelector("[data-away]");
  const feed = document.querySelector("[data-feed]"), rows = document.getElementById("feed-rows");
  const chip = document.querySelector("[data-new]"), hold = document.querySelector("[data-hold]");
  let last = Number(root.dataset.seq), head = last, status = root.dataset.status, over = root.dataset.over === "1";
  let socket = null, tries = 0, due = 0, heard = 0, since = null, timer = 0, held = false, waiting = [], said = 0;
  const pending = new Set(), refreshed = new Map();

  const url = () => {
    const at = new URL(`/ws/sessions/${root.dataset.live}/`, location.href);
    at.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    at.searchParams.set("after", last);
    return at;
  };

  function connect() {
    clearTimeout(timer);
    timer = 0;
    heard = Date.now();
    const mine = new WebSocket(url());
    socket = mine;
    mine.onmessage = (message) => { if (mine === socket) receive(JSON.parse(message.data)); };
    mine.onclose = (event) => { if (mine === socket) lost(event.code); };
  }

  function lost(code) {
    socket = null;
    since = since || new Date();
    if ([4401, 4403, 4404].includes(code)) { show("offline", code === 4401 ? "Signed out" : "No access"); return; }
    if (over && last >= head) { show("over", "Ended"); return; }
    // Full jitter: many pages that lost one server do not come back in one moment.
    const wait = code === 4408 ? 200 : 500 + Math.random() * Math.min(RETRY_MAX, 1000 * 2 ** tries);
    tries += 1;
    timer = setTimeout(connect, wait);
    due = Date.now() + wait;
    freshness();
  }

  function receive(items) {
    heard = Date.now();
    tries = 0;
    if (since) { since = null; everything(); }
    for (const item of items) {
      if (item.kind === "hello" || item.kind === "hb") beat(item);
      else if (item.seq > last) take(item);
    }
    freshness();
  }

  function beat(item) {
    head = Math.max(head, item.head || 0);
    if (item.status && item.status !== status) {
      status = item.status;
      over = ["finished", "failed", "cancelled", "interrupted"].includes(status);
      mark("status");
    }
  }

  function take(item) {
    last = item.seq;
    head = Math.max(head, last);
    mark(item.kind);
    announce(item.kind);
    if (item.html) { waiting.push(item); flush(); }
  }

  // --- the feed: grows at the top only when the reader is there and does not hold it ---
  function wanted(item) {
    const on = document.querySelector("[data-filter][aria-pressed='true']");
    const kinds = on && on.dataset.filter ? GROUPS[on.dataset.filter] || [] : null;
    return !kinds || kinds.includes(item.kind);
  }
  const GROUPS = JSON.parse((document.getElementById("feed-groups") || { textContent: "{}" }).textContent);

  function flush(force) {
    if (!rows) return;
    const free = force || (!held && feed.scrollTop < 8);
    if (!free) { chip.hidden = false; chip.textContent = `${waiting.length} new event${waiting.length === 1 ? "" : "s"}`; return; }
    const batch = waiting.filter(wanted);
    waiting = [];
    chip.hidden = true;
    if (!batch.length) return;
    const empty = rows.querySelector("[data-empty]");
    if (empty) empty.remove();
    // Each row comes from the server's own template, already escaped there.
    for (const item of batch) {
      if (document.getElementById(`e${item.seq}`)) continue;
      const before = rows.firstElementChild;
      rows.insertAdjacentHTML("afterbegin", item.html);
      // Rounds of one benchmark stand in one row that moves on.
      const fold = rows.firstElementChild.dataset.fold;
      if (fold && before && before.dataset.fold === fold) before.remove();
    }
    gather();
    while (rows.children.length > ROWS) rows.lastElementChild.remove();
    document.dispatchEvent(new CustomEvent("page:changed"));
  }

  // Consecutive rows of one kind (state files) stand in one row that opens; a newer one joins the row it follows.
  function gather() {
    for (const row of rows.querySelectorAll(":scope > [data-gather]")) {
      const kind = row.dataset.gather, before = row.previousElementSibling, next = row.nextElementSibling;
      if (before && before.dataset.gathered === kind) {
        before.querySelector("ol").append(row);
        count(before);
      } else if (next && next.dataset.gathered === kind) {
        next.querySelector("ol").prepend(row);
        count(next);
      } else if (next && next.dataset.gather === kind) {
        const group = row.cloneNode(true), text = group.querySelector(".event-text");
        for (const name of ["id", "data-seq", "data-gather"]) group.removeAttribute(name);
        group.dataset.gathered = kind;
        text.innerHTML = `<details id="gathered-${Number(next.dataset.seq)}"><summary></summary><ol></ol></details>`;
        row.before(group);
        text.querySelector("ol").append(row, next);
        count(group);
      }
    }
  }
  function count(group) {
    const inside = [...group.querySelectorAll("ol > [data-seq]")], names = inside.map((one) => one.querySelector("code").textContent);
    group.querySelector("summary").textContent = `${inside.length} ${group.dataset.gathered}s: ${[...new Set(names)].join(", ")}`;
    group.querySelector(":scope > time").dateTime = inside[0].querySelector("time").dateTime;
  }

  // --- panels: asked for again at most once a second each, never while the reader is inside one ---
  function mark(kind) {
    for (const panel of document.querySelectorAll("[data-panel]")) {
      if (panel.dataset.kinds.split(" ").includes(kind)) pending.add(panel.id);
    }
  }
  function everything() {
    for (const panel of document.querySelectorAll("[data-panel]")) pending.add(panel.id);
  }
  function busy(panel) {
    const at = document.activeElement;
    return (at && at !== document.body && panel.contains(at)) || panel.querySelector("details.menu[open]") !== null;
  }
  function refresh() {
    if (document.hidden || !socket) return;
    for (const id of pending) {
      const panel = document.getElementById(id);
      if (!panel || Date.now() - (refreshed.get(id) || 0) < REFRESH || busy(panel)) continue;
      pending.delete(id);
      refreshed.set(id, Date.now());
      window.htmx.trigger(panel, "refresh");
    }
  }

  // --- honest words ---
  function freshness() {
    const behind = head - last;
    if (since) show("offline", `Offline since ${clock(since)}`);
    else if (over && behind <= 0) show("over", "Ended");
    else if (behind > 0) show("behind", `${behind} behind`);
    else if (socket && socket.readyState === WebSocket.OPEN) show("live", "Live");
    const at = document.querySelector("[data-at]"), top = document.querySelector("[data-head]");
    if (at) { at.textContent = last; top.textContent = head; }
  }
  // Offline is said once more where it cannot be missed, when a quick reconnect has not helped.
  function offline() {
    if (!away) return;
    away.hidden = !since || Date.now() - since < PATIENCE;
    if (away.hidden) return;
    away.querySelector("[data-since]").textContent = clock(since);
    away.querySelector("[data-upto]").textContent = last.toLocaleString("en");
    const left = Math.ceil((due - Date.now()) / 1000);
    away.querySelector("[data-try-in]").textContent = !timer || left <= 0 ? "Trying now." : `Next try in ${left} s.`;
  }
  function show(state, words) {
    document.documentElement.dataset.flow = state;
    for (const badge of document.querySelectorAll("[data-stream]")) {
      if (badge.dataset.state !== state) badge.dataset.state = state;
      if (badge.textContent !== words) badge.textContent = words;
      badge.setAttribute("aria-label", `Stream: ${words}`);
    }
  }
  const clock = (date) => date.toTimeString().slice(0, 5);
  const SPOKEN = { experiment_kept: "An experiment was kept", experiment_crashed: "An experiment crashed",
    baseline_profiled: "The baseline is profiled", plateau_reached: "Optimizing is complete",
    review_filed: "The review is filed", session_ended: "The session ended" };
  function announce(kind) {
    if (!SPOKEN[kind] || Date.now() - said < 10000) return;
    said = Date.now();
    document.getElementById("announcer").textContent = SPOKEN[kind];
  }

  setInterval(() => {
    if (socket && Date.now() - heard > SILENCE) { const dead = socket; socket = null; dead.close(); lost(1006); }
    refresh();
    freshness();
    offline();
  }, 500);
  if (away) away.querySelector("button").addEventListener("click", () => { if (!socket) connect(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { refresh(); if (!socket && timer) connect(); } });
  window.addEventListener("online", () => { if (!socket) connect(); });
  document.addEventListener("htmx:afterSwap", () => freshness());
  if (feed) {
    gather();
    feed.addEventListener("htmx:afterSettle", gather);
    feed.addEventListener("scroll", () => { if (feed.scrollTop < 8 && waiting.length) flush(); }, { passive: true });
    chip.addEventListener("click", () => { feed.scrollTop = 0; flush(true); });
    hold.addEventListener("click", () => {
      held = !held;
      hold.setAttribute("aria-pressed", held);
      hold.querySelector("span").textContent = held ? "Follow" : "Hold";
      if (!held) flush();
    });
    document.querySelector(".filters").addEventListener("click", (event) => {
      const one = event.target.closest("[data-filter]");
      if (!one) return;
      for (const other of document.querySelectorAll("[data-filter]")) other.setAttribute("aria-pressed", other === one);
      waiting = [];
      chip.hidden = true;
    });
  }
  if (over) show("over", "Ended"); else connect();
})();
