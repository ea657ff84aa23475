"use strict";

// Creates an element with a class, a text and children.
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
  const { requests, polls, hello, pool, finding } = outcome;
  const rows = [];
  const statuses = Object.entries(requests.statuses).map(([status, count]) => `${count} × ${status}`);
  rows.push(["requests", `${statuses.join(", ") || "no answer"}, within ${time(requests.wall_ms)}`]);
  if (finding) rows.push(["longest poll", `${time(finding.longest_ms)} (phase ${finding.phase})`]);
  else if (polls.longest_at_most_ms !== null)
    rows.push(["longest poll", `at most ${time(polls.longest_at_most_ms)} (${polls.count} polls)`]);
  rows.push([
    "GET /hello meanwhile",
    `median ${time(hello.median_ms)}, longest ${time(hello.longest_ms)}`,
  ]);
  if (pool && pool.tasks > 0) {
    const wait = pool.longest_wait_ms === null ? "" : `, longest wait ${time(pool.longest_wait_ms)}`;
    rows.push([
      "blocking pool",
      `${pool.tasks} tasks of this route, at most ${pool.running} running and ${pool.queued} queued${wait}`,
    ]);
  } else if (pool && pool.busy) rows.push(["blocking pool", `${pool.busy} busy threads, no wrapped task`]);
  if (outcome.extractor_us !== null)
    rows.push(["extractor", `median ${outcome.extractor_us.toFixed(1)} µs`]);
  const list = element("dl");
  for (const [name, text] of rows) list.append(element("dt", "", name), element("dd", "", text));
  return list;
}

function kind(verdict) {
  if (verdict.startsWith("none")) return "none";
  return ["block_in_place", "preempted"].includes(verdict) ? "not-blamed" : "blocks";
}

function show(box, outcome) {
  box.replaceChildren();
  box.hidden = false;
  if (outcome.unavailable) {
    box.append(element("p", "unavailable", outcome.unavailable));
    return;
  }
  const verdict = element("span", `verdict ${kind(outcome.verdict)}`, outcome.verdict);
  box.append(element("div", "", "verdict: ", verdict), figures(outcome));
  if (outcome.text) box.append(element("pre", "report", outcome.text));
  for (const mismatch of outcome.mismatches)
    box.append(element("div", "mismatch", `not as expected: ${mismatch}`));
}

async function tryRow(button) {
  const box = button.closest("article").querySelector(".outcome");
  button.disabled = true;
  try {
    const response = await fetch(`/gallery/try/${button.dataset.row}`, { method: "POST" });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    show(box, await response.json());
  } catch (error) {
    box.replaceChildren(element("p", "mismatch", `no outcome: ${error.message}`));
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
