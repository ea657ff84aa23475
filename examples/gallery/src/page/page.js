"use strict";

// An element with a class, text, and elements in it.
function element(name, className, text, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

const time = (ms) =>
  ms >= 1000 ? `${(ms / 1000).toFixed(2)} s` : ms >= 10 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;

function figures(outcome) {
  const { requests, polls, innocent, pool, finding } = outcome;
  const rows = [];
  const statuses = Object.entries(requests.statuses).map(([status, count]) => `${count} × ${status}`);
  rows.push(["requests", `${statuses.join(", ") || "no answer"}, all within ${time(requests.wall_ms)}`]);
  if (finding) rows.push(["longest poll", `${time(finding.longest_ms)} (phase ${finding.phase})`]);
  else if (polls.longest_at_most_ms !== null)
    rows.push(["longest poll", `at most ${time(polls.longest_at_most_ms)}, of ${polls.count}`]);
  rows.push([
    "innocent /hello",
    `median ${time(innocent.median_ms)}, longest ${time(innocent.longest_ms)}`,
  ]);
  if (pool && pool.tasks > 0) {
    const wait = pool.longest_wait_ms === null ? "" : `, longest wait ${time(pool.longest_wait_ms)}`;
    rows.push([
      "blocking pool",
      `${pool.tasks} tasks of this route, ${pool.running} running and ${pool.queued} queued at most${wait}`,
    ]);
  } else if (pool && pool.busy) rows.push(["blocking pool", `${pool.busy} threads at work, not by the wrapper`]);
  if (outcome.extractor_us !== null)
    rows.push(["extractor", `${outcome.extractor_us.toFixed(1)} µs, median`]);
  const list = element("dl");
  for (const [name, text] of rows) list.append(element("dt", "", name), element("dd", "", text));
  return list;
}

function kind(verdict) {
  if (verdict.startsWith("none")) return "none";
  return ["block_in_place", "preempted"].includes(verdict) ? "apart" : "blocks";
}

function show(box, outcome) {
  box.replaceChildren();
  box.hidden = false;
  if (outcome.unavailable) {
    box.append(element("p", "unavailable", outcome.unavailable));
    return;
  }
  const verdict = element("span", `verdict ${kind(outcome.verdict)}`, outcome.verdict);
  box.append(element("div", "", "the layer: ", verdict), figures(outcome));
  if (outcome.text) box.append(element("pre", "said", outcome.text));
  for (const difference of outcome.differs)
    box.append(element("div", "differs", `not as the table says: ${difference}`));
}

async function tryRow(button) {
  const box = button.closest("article").querySelector(".outcome");
  button.disabled = true;
  try {
    const response = await fetch(`/gallery/try/${button.dataset.row}`, { method: "POST" });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    show(box, await response.json());
  } catch (error) {
    box.replaceChildren(element("p", "differs", `no outcome: ${error.message}`));
    box.hidden = false;
  }
  button.disabled = false;
}

const buttons = [...document.querySelectorAll("button[data-row]")];
for (const button of buttons) button.addEventListener("click", () => tryRow(button));

document.getElementById("all").addEventListener("click", async ({ target }) => {
  target.disabled = true;
  for (const button of buttons) {
    button.scrollIntoView({ block: "center", behavior: "smooth" });
    await tryRow(button);
  }
  target.disabled = false;
});
