// What works only with scripts: times in the reader's own zone, ages that go on, the end of a session that is announced.
"use strict";
(() => {
  const zone = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", month: "short", day: "numeric", timeZoneName: "short" });
  const span = (seconds) => {
    const left = Math.max(Math.floor(seconds), 0);
    if (left < 60) return `${left} s`;
    const parts = [];
    let rest = left;
    for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      const count = Math.floor(rest / size);
      rest -= count * size;
      if (count || parts.length) parts.push(count ? `${count} ${unit}` : "");
    }
    return parts.slice(0, 2).filter(Boolean).join(" ");
  };
  const write = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };
  const tick = () => {
    const now = Date.now();
    for (const each of document.querySelectorAll("[data-since]")) write(each, span((now - Date.parse(each.dataset.since)) / 1000));
    for (const each of document.querySelectorAll("[data-until]")) {
      const left = (Date.parse(each.dataset.until) - now) / 1000;
      each.classList.toggle("soon", left < 120);
      write(each, left > 0 ? `${span(left)} left` : "expired");
    }
    for (const each of document.querySelectorAll("time[data-moment]:not([data-local])")) {
      each.dataset.local = "";
      const local = new Date(each.dateTime);
      if (local.getTimezoneOffset()) each.textContent = `${zone.format(local)} (${each.textContent})`;
    }
  };
  tick();
  setInterval(tick, 1000);

  // The session ends on the server; the page is left then, so that nobody reads it who finds the screen.
  const idle = Number(document.body.dataset.idleSeconds || 0);
  const bar = document.getElementById("stay");
  const leave = () => location.replace(`/sign-in?next=${encodeURIComponent(location.pathname)}&said=idle`);
  let timers = [];
  const wait = () => {
    timers.forEach(clearTimeout);
    bar.hidden = true;
    timers = [
      setTimeout(() => { bar.hidden = false; }, (idle - 120) * 1000),
      setTimeout(leave, (idle + 5) * 1000),
    ];
  };
  if (idle && bar) {
    wait();
    bar.addEventListener("submit", async (event) => {
      event.preventDefault();
      const answer = await fetch("/stay", { method: "POST", body: new URLSearchParams(new FormData(bar)) });
      if (answer.ok && !answer.redirected) wait(); else leave();
    });
  }
  document.addEventListener("over", () => location.reload());
})();
