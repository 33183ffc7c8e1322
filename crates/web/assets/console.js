"use strict";
// Spares reloads and adds comfort; every page and form works without it.
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // --- Times: the reader's own clock joins the plant's on hover. ---
  const own = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "your time";
  const times = (within) => {
    for (const time of within.querySelectorAll("time[datetime]:not([data-own])")) {
      time.dataset.own = "";
      time.title += ` · ${own.format(new Date(time.dateTime))} (${zone}, yours)`;
    }
  };

  // --- Live: asks for the page again when something it may show has changed. ---
  const QUIET_MS = 25000; // The stream says something every 10 s: without a word for so long it is held up somewhere.
  const POLL_MS = 10000;
  let entity = null, pending = false, isAsking = false, poll = null, source = null, heardAt = 0;
  const main = () => document.getElementById("main");
  const listens = () => main()?.dataset.live;
  const stale = (isStale) => { const note = document.getElementById("stale"); if (note) note.hidden = !isStale; };

  const isBusy = () => {
    const active = document.activeElement;
    return Boolean(active?.closest?.("[data-keep]") || document.querySelector("details.confirm[open]"));
  };
  const refresh = async () => {
    if (isAsking || document.hidden) { pending = true; return; }
    isAsking = true; pending = false;
    try {
      // A page that asks by itself does not keep its session alive.
      const headers = { "x-tidegate-refresh": "1", ...(entity && { "if-none-match": entity }) };
      const answer = await fetch(location.href, { headers, cache: "no-store", credentials: "same-origin" });
      if (answer.redirected) { location.reload(); return; }
      if (answer.status === 200) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("main");
        if (fresh && !isBusy()) {
          entity = answer.headers.get("etag");
          // What a person opened or typed stays as they left it.
          for (const details of main().querySelectorAll("details[open]")) {
            const same = matching(fresh, main(), details);
            if (same) same.open = true;
          }
          Idiomorph.morph(main(), fresh, { ignoreActiveValue: true, callbacks: { beforeNodeMorphed: keeps } });
          htmx.process(main());
          ready(main());
        } else if (fresh) { pending = true; }
      }
      stale(false);
    } catch { stale(true); }
    isAsking = false;
    if (pending && !document.hidden) setTimeout(() => pending && refresh(), 1000);
  };
  const keeps = (old) => !(old.nodeType === 1 && old.matches("[data-keep]") && old.querySelector(":focus"));
  const matching = (fresh, old, node) => {
    const path = [];
    for (let at = node; at !== old; at = at.parentElement) path.unshift([...at.parentElement.children].indexOf(at));
    let found = fresh;
    for (const index of path) { found = found?.children[index]; }
    return found?.tagName === "DETAILS" ? found : null;
  };
  const polling = (isOn) => {
    if (isOn && !poll) poll = setInterval(refresh, POLL_MS);
    if (!isOn && poll) { clearInterval(poll); poll = null; }
  };
  const connect = () => {
    if (!listens() || source) return;
    source = new EventSource("/live");
    const heard = () => { heardAt = Date.now(); polling(false); stale(false); };
    source.addEventListener("beat", heard);
    source.addEventListener("changed", (event) => {
      heard();
      const wanted = listens();
      if (wanted === "*" || event.data === "*" || event.data === wanted) refresh();
    });
    // What changed between the making of the page and here is seen too.
    source.addEventListener("open", () => { heardAt = Date.now(); refresh(); });
    source.addEventListener("error", () => polling(true));
  };
  setInterval(() => { if (source && Date.now() - heardAt > QUIET_MS) polling(true); }, 5000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && (pending || poll)) refresh(); });
  addEventListener("pagehide", () => { source?.close(); source = null; });
  addEventListener("pageshow", (event) => { if (event.persisted) { connect(); refresh(); } });

  // --- Comfort ---
  const ready = (within) => {
    times(within);
    for (const list of within.querySelectorAll("[data-sortable]")) {
      if (!list.dataset.sorted && window.Sortable) {
        list.dataset.sorted = "";
        Sortable.create(list, { handle: ".grip", animation: 120, onEnd: () => {
          const form = list.closest("form");
          form.requestSubmit(form.querySelector("button[value=save]"));
        } });
      }
    }
  };
  document.addEventListener("click", async (event) => {
    const press = event.target.closest?.("[data-print],[data-copy]");
    if (!press) return;
    if (press.dataset.print) { print(); return; }
    const field = document.getElementById(press.dataset.copy);
    field.select();
    try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
    press.textContent = "Copied";
  });
  document.addEventListener("change", async (event) => {
    const file = event.target.dataset?.into && event.target.files?.[0];
    // What is too long is told by the form's own answer, so a little more than the bound is enough.
    if (file) document.getElementById(event.target.dataset.into).value = await file.slice(0, 300000).text();
  });
  document.addEventListener("htmx:afterSwap", (event) => ready(event.target.parentElement ?? document));
  document.addEventListener("DOMContentLoaded", () => {
    ready(document);
    connect();
    // The secret of a one-time link is behind the `#`, where no server and no log sees it before it is used.
    const form = document.querySelector("form[data-from-fragment]");
    if (form && location.hash.length > 1) {
      form.elements[form.dataset.fromFragment].value = decodeURIComponent(location.hash.slice(1));
      history.replaceState(null, "", location.pathname + location.search);
    }
  });
})();
