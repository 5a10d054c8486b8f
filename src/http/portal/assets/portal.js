// Copies values, and shows what happens while a page is looked at. Every page works without it.
"use strict";
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const from = document.getElementById(button.dataset.copy);
    const words = button.innerHTML;
    if (from.select) from.select();
    try { await navigator.clipboard.writeText(from.value ?? from.textContent); } catch { document.execCommand("copy"); }
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.innerHTML = words; }, 1500);
  });
}
const problem = document.querySelector(".problem[tabindex]");
if (problem) problem.focus();
const clock = document.querySelector("[data-live=clock]");
const tables = [...document.querySelectorAll("table[data-live]")];
const MOST = 200;
let stream;
function listen() {
  if (stream || document.hidden) return;
  const query = new URLSearchParams();
  for (const table of tables) query.set(table.dataset.live === "audit" ? "audit" : "requests", table.dataset.after);
  stream = new EventSource("/portal/live?" + query);
  stream.addEventListener("clock", (event) => {
    const { now, due } = JSON.parse(event.data);
    clock.querySelector("[data-clock=now]").textContent = now;
    clock.querySelector("[data-clock=due]").textContent = due;
  });
  for (const table of tables) {
    stream.addEventListener(table.dataset.live, (event) => {
      const row = document.createElement("tr");
      for (const text of JSON.parse(event.data)) row.appendChild(document.createElement("td")).textContent = text;
      const body = table.tBodies[0];
      body.prepend(row);
      while (body.rows.length > MOST) body.lastElementChild.remove();
    });
  }
}
// Browsers open few connections to a host: a page that nobody sees gives its own back.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  if (tables.length === 0 && stream) { stream.close(); stream = undefined; }
});
listen();
if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 1000);
