// Keeps a page current while something runs: asks for it again, and replaces the parts that changed.
// Without it the page says the same when it is reloaded.
"use strict";
(() => {
  const main = document.querySelector("main");
  const told = document.getElementById("live");
  const LONGEST = 30;
  let etag = "";
  let failures = 0;

  const say = (text) => {
    if (told && told.textContent !== text) told.textContent = text;
  };

  const seconds = () => Number(main.dataset.live || 0);

  const place = (element) => element && (element.id ? "#" + element.id : element.getAttribute("href"));

  const find = (part, where) =>
    where.startsWith("#")
      ? document.getElementById(where.slice(1))
      : [...part.querySelectorAll("a[href]")].find((one) => one.getAttribute("href") === where);

  const replace = (old, fresh) => {
    if (old.outerHTML === fresh.outerHTML) return;
    const focused = old.contains(document.activeElement) ? place(document.activeElement) : null;
    const scrolled = [...old.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
    old.replaceWith(fresh);
    fresh.querySelectorAll(".scroll").forEach((one, n) => {
      if (scrolled[n]) [one.scrollLeft, one.scrollTop] = scrolled[n];
    });
    if (focused) find(fresh, focused)?.focus({ preventScroll: true });
  };

  const take = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
    const parts = [...main.querySelectorAll("[data-part]")];
    const named = new Map([...fresh.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
    if (parts.length !== named.size || parts.some((one) => !named.has(one.dataset.part))) {
      location.reload();
      return;
    }
    parts.forEach((one) => replace(one, document.adoptNode(named.get(one.dataset.part))));
    main.dataset.live = fresh.dataset.live || "";
  };

  const ask = async () => {
    // The browser asks with the ETag that it knows, and has the same answer again after a 304.
    const answer = await fetch(location.href, { cache: "no-cache" });
    const text = await answer.text();
    if (!answer.ok) throw new Error(String(answer.status));
    if (etag === answer.headers.get("ETag")) return;
    etag = answer.headers.get("ETag");
    take(text);
  };

  const turn = async () => {
    if (!document.hidden) {
      try {
        await ask();
        failures = 0;
        say(seconds() ? "Live: this page brings itself up to date." : "This is how it stands.");
      } catch {
        failures += 1;
        say("The console does not answer; it is asked again.");
      }
    }
    if (seconds()) setTimeout(turn, 1000 * Math.min(LONGEST, seconds() * 2 ** failures));
  };

  if (seconds()) {
    say("Live: this page brings itself up to date.");
    setTimeout(turn, 1000 * seconds());
  }
})();
