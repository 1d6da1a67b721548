// What moves on the page: the plots, the address map and its scrubber, and what a running agent tells. Everything that it
// shows is in the URL, so that every view is a link. Without this file the page says the same in words, tables and SVG.

const $ = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const pad = (n) => String(n).padStart(2, "0");
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function stamp(ms) {
  const d = new Date(ms);
  return `${d.getUTCDate()} ${months[d.getUTCMonth()]} ${d.getUTCFullYear()}, ${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}:${pad(d.getUTCSeconds())} UTC`;
}

function lasting(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}\u00a0s`;
  if (s < 3600) return `${Math.floor(s / 60)}\u00a0min`;
  if (s < 86400) return `${Math.floor(s / 3600)}\u00a0h\u00a0${Math.floor(s / 60) % 60}\u00a0min`;
  return `${Math.floor(s / 86400)}\u00a0d\u00a0${Math.floor(s / 3600) % 24}\u00a0h`;
}

const milliseconds = (us) => `${(us / 1000).toFixed(us < 1000 ? 2 : us < 10000 ? 1 : 0)}\u00a0ms`;

async function ask(path, params, signal) {
  const answer = await fetch(`/api/v1/${path}?${new URLSearchParams(params)}`, { signal });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || answer.statusText);
  return body;
}

// cividis of Nuñez, Anderton and Renslow, 2018: even to the eye, with and without colour vision.
const cividisStops = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];
function mix(stops, v) {
  const at = Math.min(Math.max(v, 0), 1) * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2), f = at - i;
  return `rgb(${stops[i].map((c, k) => Math.round(c + (stops[i + 1][k] - c) * f)).join(",")})`;
}
const cividis = (v) => mix(cividisStops, v);

// ---- the state of the view, which stands in the URL ----

const app = $("app");
const view = app && {
  block: app.dataset.block, since: +app.dataset.since, until: +app.dataset.until, observed: +app.dataset.observed,
  at: null, order: "hilbert", layer: "now", live: "live" in app.dataset, follows: false,
};

function moment(text) {
  const n = /^\d+$/.test(text) ? +text : Date.parse(text);
  return Number.isFinite(n) ? n : null;
}

function readURL() {
  const q = new URLSearchParams(location.search);
  if (q.get("at")) view.at = moment(q.get("at"));
  if (q.get("order") === "rows") view.order = "rows";
  if (["share", "rtt", "change"].includes(q.get("layer"))) view.layer = q.get("layer");
  view.follows = view.live && !q.get("until");
}

let writing = 0;
function writeURL(push) {
  const q = new URLSearchParams(location.search);
  q.set("block", view.block);
  q.set("since", new Date(view.since).toISOString());
  if (view.follows) q.delete("until"); else q.set("until", new Date(view.until).toISOString());
  for (const [name, value, byDefault] of [["at", view.at, null], ["order", view.order, "hilbert"], ["layer", view.layer, "now"]]) {
    if (value === byDefault) q.delete(name); else q.set(name, value);
  }
  const url = `${location.pathname}?${q}${location.hash}`;
  clearTimeout(writing); // browsers refuse more than about 100 changes in 10 s
  if (push) history.pushState(null, "", url);
  else writing = setTimeout(() => history.replaceState(null, "", url), 150);
}

// ---- the plots ----

const protocolColors = { light: ["#7a5195", "#00796b", "#b35806", "#4d6a1f", "#c2417c"], dark: ["#c9a4e6", "#5ec8b8", "#f0a869", "#b3cf78", "#f08ab8"] };
const dark = matchMedia("(prefers-color-scheme: dark)");
const still = matchMedia("(prefers-reduced-motion: reduce)");
let series, plots = [], moving = false;

function hatch(ctx, color) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 10;
  const t = tile.getContext("2d");
  t.strokeStyle = color;
  t.lineWidth = 3;
  t.beginPath();
  for (const x of [-10, 0, 10]) { t.moveTo(x, 10); t.lineTo(x + 10, 0); }
  t.stroke();
  return ctx.createPattern(tile, "repeat");
}

// shade marks outages and what is unknown behind the lines: total solid, partial hatched, unknown grey.
function shade(u) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const s of series.states) {
    const from = u.valToPos(Date.parse(s.start) / 1000, "x", true), to = u.valToPos(Date.parse(s.end) / 1000, "x", true);
    if (to < bbox.left || from > bbox.left + bbox.width) continue;
    const fill = { total: css("--total"), partial: hatch(ctx, css("--fill-partial")), unknown: css("--fill-unknown") }[s.state];
    if (!fill) continue;
    ctx.globalAlpha = s.state === "partial" ? .6 : .38;
    ctx.fillStyle = fill;
    ctx.fillRect(from, bbox.top, Math.max(to - from, 2 * devicePixelRatio), bbox.height);
  }
  ctx.restore();
}

function timeAxis() {
  return {
    stroke: css("--faint"), grid: { stroke: css("--rule"), width: 1 }, ticks: { show: false }, font: "12px system-ui", space: 70,
    values: (u, ticks, _, __, step) => ticks.map((t) => {
      const d = new Date(t * 1000), midnight = t % 86400 === 0;
      if (step >= 86400 * 27) return `${months[d.getUTCMonth()]}${d.getUTCMonth() ? "" : " " + d.getUTCFullYear()}`;
      if (midnight) return `${d.getUTCDate()} ${months[d.getUTCMonth()]}`;
      return `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}${step < 60 ? ":" + pad(d.getUTCSeconds()) : ""}`;
    }),
  };
}

function options(id, height, lines, bands, axis, range) {
  return {
    width: $(id).clientWidth, height, series: [{}, ...lines], bands, legend: { show: false }, padding: [8, 22, 0, 0],
    tzDate: (t) => new Date((t + new Date(t * 1000).getTimezoneOffset() * 60) * 1000), // the axis is in UTC
    scales: { x: { time: true, range: () => [view.since / 1000, view.until / 1000] }, y: { range } },
    axes: [timeAxis(), { stroke: css("--faint"), grid: { stroke: css("--rule"), width: 1 }, ticks: { show: false }, font: "12px system-ui", size: 58, ...axis }],
    cursor: { sync: { key: "time" }, y: false, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => { zoomOut(); return null; } } },
    hooks: {
      drawClear: [shade],
      setSelect: [(u) => { if (u.select.width > 4) zoom(u.posToVal(u.select.left, "x") * 1000, u.posToVal(u.select.left + u.select.width, "x") * 1000); }],
      setCursor: [(u) => { if (!moving && u.cursor.left >= 0) setAt(u.posToVal(u.cursor.left, "x") * 1000, "plot"); }],
    },
  };
}

function drawPlots() {
  plots.forEach((p) => p.destroy());
  const x = series.time_ms.map((t) => t / 1000), theme = dark.matches ? "dark" : "light";
  const known = (values, of) => values.map((v, i) => (v === null ? null : of ? of(v, i) : v));
  const drop = series.power ? series.power.smallest_drop : 0;
  const low = known(series.rate, () => 1 - drop), one = known(series.rate, () => 1);
  const plain = { points: { show: false } };
  const lines = [{ ...plain, stroke: "transparent" }, { ...plain, stroke: css("--rule"), dash: [4, 4] }, { ...plain, stroke: "transparent" }];
  const data = [x, low, one, series.lowest];
  series.protocols.forEach((p, k) => {
    lines.push({ stroke: protocolColors[theme][k % 5], width: 1.2, points: { show: false } });
    data.push(known(p.answering, (v, i) => (series.expected[i] ? v / series.expected[i] : null)));
  });
  lines.push({ stroke: css("--up"), width: 2.4, points: { show: x.length < 3 } });
  data.push(series.rate);
  const bands = [{ series: [2, 1], fill: css("--band") }, { series: [lines.length, 3], fill: css("--band") }];
  const rate = options("rate", 290, lines, bands, { values: (_, t) => t.map((v) => `${Math.round(v * 100)}\u00a0%`) }, (_, __, top) => [0, Math.max(1.15, (top || 1) * 1.05)]);
  const smoke = [["p10", "transparent", 0], ["p90", "transparent", 0], ["p25", "transparent", 0], ["p75", "transparent", 0], ["p50", css("--up"), 1.8]];
  const rttLines = smoke.map(([, stroke, width]) => ({ stroke, width, points: { show: false } }));
  const rttBands = [{ series: [2, 1], fill: css("--band") }, { series: [4, 3], fill: dark.matches ? "#3f6a8f" : "#8fb3d1" }];
  const rtt = options("rtt", 170, rttLines, rttBands, { values: (_, t) => t.map((v) => `${v} ms`) }, (_, __, top) => [0, (top || 1) * 1.05]);
  const rttData = [x, ...smoke.map(([name]) => known(series.rtt_us[name], (v) => v / 1000))];
  plots = [new uPlot(rate, data, $("rate")), new uPlot(rtt, rttData, $("rtt"))];
}

// showCursor moves both plots' cursor to the view's moment.
function showCursor() {
  if (view.at === null || !plots.length) return;
  moving = true;
  for (const p of plots) p.setCursor({ left: p.valToPos(view.at / 1000, "x"), top: 10 });
  moving = false;
}

function nearest(list, t) {
  let low = 0, high = list.length - 1;
  while (low < high) {
    const mid = (low + high + 1) >> 1;
    if (list[mid] <= t) low = mid; else high = mid - 1;
  }
  return low;
}

function showLegend() {
  const legend = $("legend"), theme = dark.matches ? "dark" : "light";
  legend.replaceChildren();
  if (!series.time_ms.length) { legend.textContent = "No round lies in this time."; return; }
  const i = view.at === null ? series.time_ms.length - 1 : nearest(series.time_ms, view.at);
  const add = (text, color) => {
    const span = document.createElement("span");
    if (color) { const mark = document.createElement("i"); mark.style.background = color; span.append(mark); }
    span.append(text);
    legend.append(span);
  };
  const at = document.createElement("b");
  at.textContent = stamp(series.time_ms[i]);
  legend.append(at, " ");
  if (series.rate[i] === null) add("unknown");
  else add(`${Math.round(series.observed[i] * 10) / 10} of ${Math.round(series.expected[i] * 10) / 10} expected (${Math.round(series.rate[i] * 100)}\u00a0%)`, css("--up"));
  if (series.step_ms && series.lowest[i] !== null) add(`lowest ${Math.round(series.lowest[i] * 100)}\u00a0%`);
  series.protocols.forEach((p, k) => { if (p.answering[i] !== null) add(`${p.protocol} ${Math.round(p.answering[i] * 10) / 10}`, protocolColors[theme][k % 5]); });
  if (series.rtt_us.p50[i] !== null) add(`median RTT ${milliseconds(series.rtt_us.p50[i])}`);
}

let asked;
async function load() {
  asked?.abort();
  asked = new AbortController();
  const span = { since: new Date(view.since).toISOString(), until: new Date(view.until + 1).toISOString() };
  try {
    series = await ask("series", { block: view.block, points: 1500, ...span }, asked.signal);
    drawPlots();
    showLegend();
    await loadFrames(asked.signal);
  } catch (e) {
    if (e.name !== "AbortError") $("legend").textContent = `Could not be loaded: ${e.message}`;
    return;
  }
  app.dataset.ready = "true";
}

function zoom(from, to) {
  if (to - from < 60_000) return;
  view.since = Math.round(from);
  view.until = Math.round(to);
  view.follows = false;
  writeURL(true);
  markRange();
  load();
}

function zoomOut() {
  const half = (view.until - view.since) / 2, until = Math.min(view.until + half, Math.max(view.observed, view.until));
  zoom(until - 4 * half, until);
}

function markRange() {
  $("back").hidden = false;
  for (const a of document.querySelectorAll("[data-range]")) a.removeAttribute("aria-current");
}

// setAt moves the cursor of everything to a moment.
function setAt(t, by) {
  view.at = Math.round(Math.min(Math.max(t, view.since), view.until));
  if (by !== "plot") showCursor();
  showLegend();
  clearTimeout(fetching);
  if (frames && view.at >= frames.since && view.at < frames.until) {
    frame = nearest(frames.times, view.at);
    showFrame();
  } else fetching = setTimeout(() => loadFrames(asked?.signal).catch(() => {}), 150); // once the cursor rests
  writeURL(false);
}

// ---- the address map ----

const Unknown = 0, Silent = 1, Unreachable = 2, Answers = 3;
let frames, frame = 0, layout, focus = 0, rtts, playing, fetching, loads = 0;

function unpack(base64) {
  const text = atob(base64), data = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) data[i] = text.charCodeAt(i);
  return data;
}
const cellIn = (data, from, i) => (data[from + (i >> 2)] >> ((i & 3) * 2)) & 3;
const cellAt = (k, i) => cellIn(frames.data, k * frames.bytes, i);

async function loadFrames(signal) {
  const most = 300, room = 86400_000 * 2; // of a longer time, what is around the cursor
  const centre = view.at ?? view.until, turn = ++loads;
  let since = Math.max(view.since, Math.min(centre - room / 2, view.until - room)), answer, next;
  const until = Math.min(view.until, since + room) + 1;
  for (;;) {
    answer = await ask("frames", { since: new Date(since).toISOString(), until: new Date(until).toISOString(), limit: most }, signal);
    next = answer.next ? Date.parse(answer.next) : until;
    if (next >= until || next > centre) break;
    since = Math.max(next, centre - (next - since) * .9); // so many rounds, or another space after these: begin nearer to it
  }
  if (turn !== loads) return; // another was begun since
  const some = answer.start.length > 0;
  for (const id of ["map", "map-controls", "scrubber"]) $(id).hidden = !some;
  if (!some) {
    frames = null;
    if (playing) play();
    $("map-key").textContent = "No round lies in this time.";
    return;
  }
  frames = { ...answer, since, until: next, times: answer.start.map(Date.parse), data: unpack(answer.data), usual: unpack(answer.usual) };
  layout = layOut(answer.space, answer.addresses);
  focus = Math.min(focus, layout.n - 1);
  shares = null;
  frame = view.at === null ? frames.times.length - 1 : nearest(frames.times, view.at);
  $("time").max = frames.times.length - 1;
  showFrame();
}

// ---- where addresses stand: as layout.go has it ----

function number(address) {
  return address.split(".").reduce((n, b) => n * 256 + +b, 0);
}

// prefixes as ranges of numbers; IPv6 keeps its order alone.
function spans(space) {
  let base = 0;
  return space.map((cidr) => {
    const [address, bits] = cidr.split("/"), v4 = !address.includes(":");
    const n = v4 ? 2 ** (32 - bits) : 2 ** Math.min(128 - bits, 30);
    const s = { cidr, v4, first: v4 ? number(address) : 0, n, base };
    base += n;
    return s;
  });
}

// spanOf is the last of those ranges that begins with the ith address or before it.
function spanOf(parts, i) {
  let from = 0, to = parts.length;
  while (to - from > 1) {
    const middle = (from + to) >> 1;
    if (parts[middle].base <= i) from = middle; else to = middle;
  }
  return parts[from];
}

function hilbert(order, i) {
  let x = 0, y = 0;
  for (let s = 1; s < 1 << order; s *= 2) {
    const rx = 1 & (i / 2), ry = 1 & (i ^ rx);
    if (!ry) {
      if (rx) { x = s - 1 - x; y = s - 1 - y; }
      [x, y] = [y, x];
    }
    x += s * rx;
    y += s * ry;
    i = Math.floor(i / 4);
  }
  return [x, y];
}

function layOut(space, n) {
  const parts = spans(space), order = Math.ceil(Math.log2(Math.max(n, 1)) / 2), side = 1 << order;
  const place = new Array(n), names = (i) => {
    const s = spanOf(parts, i);
    if (!s.v4) return s.n === 1 ? s.cidr.split("/")[0] : `${s.cidr} number ${i - s.base}`;
    const a = s.first + i - s.base;
    return [a / 2 ** 24, a / 2 ** 16, a / 256, a].map((b) => Math.floor(b) % 256).join(".");
  };
  const groups = new Map();
  if (parts.every((p) => p.v4)) for (let i = 0; i < n; i++) {
    const a = names(i), g = a.slice(0, a.lastIndexOf("."));
    if (!groups.has(g)) groups.set(g, []);
    groups.get(g).push(i);
  }
  const curve = space.length === 1 && n === side * side || !groups.size || groups.size > 256;
  const across = curve ? 1 : Math.ceil(Math.sqrt(groups.size)), labels = [];
  const width = curve ? side : across * 16, height = curve ? side : Math.ceil(groups.size / across) * 16;
  if (curve) for (let i = 0; i < n; i++) place[i] = view.order === "rows" ? [i % side, Math.floor(i / side)] : hilbert(order, i);
  let k = 0;
  for (const [g, list] of groups) {
    if (!curve) for (const i of list) {
      const last = +names(i).slice(g.length + 1), [x, y] = view.order === "rows" ? [last % 16, Math.floor(last / 16)] : hilbert(4, last);
      place[i] = [(k % across) * 16 + x, Math.floor(k / across) * 16 + y];
    }
    if (groups.size <= 64 && (!curve || list.length === 256 && n > 256)) {
      labels.push([Math.min(...list.map((i) => place[i][0])), Math.min(...list.map((i) => place[i][1])), "." + g.split(".")[2], list]);
    }
    k++;
  }
  const index = new Map(place.map(([x, y], i) => [y * width + x, i]));
  return { width, height, place, names, labels, index, n };
}

// ---- what a cell shows ----

let shares;
function shareOf(from, to) {
  const out = new Float32Array(frames.addresses).fill(-1);
  for (let i = 0; i < frames.addresses; i++) {
    let lives = 0, known = 0;
    for (let k = from; k < to; k++) {
      const c = cellAt(k, i);
      if (c !== Unknown) known++;
      if (c === Answers) lives++;
    }
    if (known) out[i] = lives / known;
  }
  return out;
}

const window_ = () => (shares ??= shareOf(0, frames.times.length));
const usual = (i) => cellIn(frames.usual, 0, i) === Answers || window_()[i] >= .4;

function cellStyle(i, change) {
  const c = cellAt(frame, i);
  switch (view.layer) {
    case "share": { const v = window_()[i]; return v < 0 ? ["unknown"] : v === 0 ? ["quiet"] : ["color", cividis(v)]; }
    case "rtt": {
      const v = rtts?.get(i);
      return v ? ["color", cividis(1 - Math.min(Math.log(v / rtts.low + 1e-9) / Math.log(Math.max(rtts.high / rtts.low, 1.01)), 1))] : [c === Unknown ? "unknown" : "quiet"];
    }
    case "change": {
      const [before, after] = [change[0][i], change[1][i]];
      if (before < 0 || after < 0) return ["unknown"];
      if (before === 0 && after === 0) return ["quiet"];
      return after - before < -.3 ? ["missing"] : after - before > .3 ? ["gained"] : ["same"];
    }
  }
  if (c === Answers) return ["answers"];
  if (c === Unknown) return ["unknown"];
  return [usual(i) ? "missing" : c === Unreachable ? "unreachable" : "quiet"];
}

function drawMap() {
  const canvas = $("map"), ctx = canvas.getContext("2d"), ratio = Math.min(devicePixelRatio || 1, 3);
  const box = canvas.clientWidth || 384;
  canvas.style.aspectRatio = `${layout.width} / ${layout.height}`;
  canvas.width = box * ratio;
  canvas.height = (box * layout.height / layout.width) * ratio;
  const cell = canvas.width / layout.width, gap = cell > 5 ? Math.max(1, cell * .1) : 0, size = cell - gap;
  const paper = css("--paper"), colors = { answers: css("--answers"), missing: css("--missing"), quiet: css("--quiet"), unknown: css("--fill-unknown"), unreachable: "#a783b8", gained: css("--answers"), same: dark.matches ? "#4a545e" : "#c3beb0" };
  const change = view.layer === "change" && [shareOf(Math.max(0, frame - 6), frame), shareOf(frame, Math.min(frames.times.length, frame + 6))];
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  for (let i = 0; i < layout.n; i++) {
    const [x, y] = layout.place[i].map((v) => v * cell + gap / 2), [kind, color] = cellStyle(i, change);
    ctx.fillStyle = color ?? colors[kind];
    ctx.fillRect(x, y, size, size);
    ctx.strokeStyle = paper;
    ctx.lineWidth = Math.max(1, cell * .14);
    if (kind === "missing") { ctx.beginPath(); ctx.moveTo(x, y + size); ctx.lineTo(x + size, y); ctx.stroke(); }
    if (kind === "gained") { ctx.beginPath(); ctx.moveTo(x + size / 2, y + size * .2); ctx.lineTo(x + size / 2, y + size * .8); ctx.moveTo(x + size * .2, y + size / 2); ctx.lineTo(x + size * .8, y + size / 2); ctx.stroke(); }
    if (kind === "unknown") { ctx.fillStyle = paper; ctx.fillRect(x + size * .35, y + size * .35, size * .3, size * .3); }
  }
  label(ctx, cell, ratio);
  if (document.activeElement === canvas) {
    const [x, y] = layout.place[focus];
    ctx.strokeStyle = css("--text");
    ctx.lineWidth = 2 * ratio;
    ctx.strokeRect(x * cell, y * cell, cell, cell);
  }
}

// label writes which /24 is where, and draws the lines between them.
function label(ctx, cell, ratio) {
  if (layout.labels.length < 2) return;
  ctx.font = `600 ${11 * ratio}px system-ui`;
  ctx.textBaseline = "top";
  for (const [x, y, text, list] of layout.labels) {
    const w = (Math.max(...list.map((i) => layout.place[i][0])) + 1 - x) * cell, h = (Math.max(...list.map((i) => layout.place[i][1])) + 1 - y) * cell;
    ctx.strokeStyle = css("--faint");
    ctx.lineWidth = ratio;
    ctx.strokeRect(x * cell + .5, y * cell + .5, w - 1, h - 1);
    const wide = ctx.measureText(text).width;
    ctx.fillStyle = css("--paper");
    ctx.globalAlpha = .6; // the addresses below it show
    ctx.fillRect(x * cell + ratio, y * cell + ratio, wide + 8 * ratio, 15 * ratio);
    ctx.globalAlpha = 1;
    ctx.fillStyle = css("--text");
    ctx.fillText(text, x * cell + 5 * ratio, y * cell + 3 * ratio);
  }
}

const keys = {
  now: [["answers", "answers"], ["missing", "silent, though it usually answers"], ["unreachable", "reported unreachable"], ["quiet", "silent as usual"], ["unknown", "not known"]],
  change: [["missing", "fell silent"], ["answers", "came back (+)"], ["quiet", "never there"], ["unknown", "not known"]],
};

function showKey() {
  const key = $("map-key");
  key.replaceChildren();
  const span = (className, ...inside) => { const s = Object.assign(document.createElement("span"), { className }); s.append(...inside); return s; };
  if (keys[view.layer]) for (const [name, text] of keys[view.layer]) key.append(span("item", span(`swatch ${name}`), text), " ");
  else {
    const bar = Object.assign(document.createElement("span"), { className: "cividis" });
    if (view.layer === "share") key.append("seldom", bar, "always; of the rounds shown");
    else if (rtts?.size) key.append(milliseconds(rtts.high), bar, milliseconds(rtts.low));
    else key.append("Nothing answered in this round.");
  }
}

async function loadRTTs() {
  const at = frames.start[frame];
  if (rtts?.of === at) return;
  const round = await ask(`rounds/${at}`, {});
  if (frames.start[frame] !== at) return;
  const byName = new Map();
  for (let i = 0; i < layout.n; i++) byName.set(layout.names(i), i);
  rtts = new Map();
  rtts.of = at;
  for (const p of round.probes) for (const a of p.answers || []) {
    const i = byName.get(a.address);
    if (i !== undefined && a.rtt_us && a.outcome !== "unreachable") rtts.set(i, Math.min(a.rtt_us, rtts.get(i) ?? Infinity));
  }
  rtts.low = Math.min(...rtts.values());
  rtts.high = Math.max(...rtts.values());
  drawMap();
  showKey();
}

function showFrame() {
  const time = $("time");
  time.value = frame;
  $("when").value = `Round of ${stamp(frames.times[frame])}`;
  time.setAttribute("aria-valuetext", $("when").value);
  drawMap();
  showKey();
  if (view.layer === "rtt") loadRTTs().catch(() => {});
  $("map").dataset.frame = frames.start[frame];
}

function toFrame(k) {
  frame = Math.min(Math.max(k, 0), frames.times.length - 1);
  view.at = Math.min(Math.max(frames.times[frame], view.since), view.until);
  showCursor();
  showLegend();
  showFrame();
  writeURL(false);
}

function describe(i) {
  const words = { [Unknown]: "not known", [Silent]: usual(i) ? "silent, though it usually answers" : "silent as usual", [Unreachable]: "reported unreachable", [Answers]: "answers" };
  const share = window_()[i];
  return `${layout.names(i)}: ${words[cellAt(frame, i)]}${share < 0 ? "" : `; answered ${Math.round(share * 100)}\u00a0% of the rounds shown`}${view.layer === "rtt" && rtts?.get(i) ? `; ${milliseconds(rtts.get(i))}` : ""}`;
}

function under(e) {
  const box = $("map").getBoundingClientRect();
  const x = Math.floor(((e.clientX - box.left) / box.width) * layout.width), y = Math.floor(((e.clientY - box.top) / box.height) * layout.height);
  return layout.index.get(y * layout.width + x);
}

function play() {
  const button = $("play");
  if (playing) {
    clearInterval(playing);
    playing = null;
  } else {
    if (frame >= frames.times.length - 1) toFrame(0);
    playing = setInterval(() => { if (frame >= frames.times.length - 1) play(); else toFrame(frame + 1); }, still.matches ? 700 : 140);
  }
  button.textContent = playing ? "Pause" : "Play";
  button.setAttribute("aria-pressed", String(!!playing));
}

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function mapKeys(e) {
  if (!frames) return;
  if (e.key === "Enter") { location.href = `/addresses/${layout.names(focus)}`; return; }
  const step = arrows[e.key];
  if (!step) return;
  e.preventDefault();
  const [x, y] = layout.place[focus];
  focus = layout.index.get((y + step[1]) * layout.width + x + step[0]) ?? focus;
  $("hover").textContent = describe(focus);
  drawMap();
}

function plotKeys(e) {
  if (!series?.time_ms.length) return;
  const list = series.time_ms, i = view.at === null ? list.length - 1 : nearest(list, view.at), width = view.until - view.since, centre = view.at ?? view.until - width / 2;
  if (e.key === "ArrowLeft") setAt(list[Math.max(i - 1, 0)], "key");
  else if (e.key === "ArrowRight") setAt(list[Math.min(i + 1, list.length - 1)], "key");
  else if (e.key === "Home") setAt(list[0], "key");
  else if (e.key === "End") setAt(list.at(-1), "key");
  else if (e.key === "+" || e.key === "=") zoom(centre - width / 4, centre + width / 4);
  else if (e.key === "-") zoomOut();
  else return;
  e.preventDefault();
}

function wire() {
  $("rate").addEventListener("keydown", plotKeys);
  $("back").addEventListener("click", zoomOut);
  $("time").addEventListener("input", () => toFrame(+$("time").value));
  $("play").addEventListener("click", play);
  const map = $("map");
  map.addEventListener("mousemove", (e) => { const i = frames && under(e); $("hover").textContent = i === undefined ? "" : describe(i); });
  map.addEventListener("click", (e) => { const i = frames && under(e); if (i !== undefined) location.href = `/addresses/${layout.names(i)}`; });
  map.addEventListener("keydown", mapKeys);
  map.addEventListener("focus", () => { if (frames) { $("hover").textContent = describe(focus); drawMap(); } });
  map.addEventListener("blur", () => frames && drawMap());
  for (const id of ["layer", "order"]) {
    $(id).value = view[id];
    $(id).addEventListener("change", () => {
      view[id] = $(id).value;
      if (id === "order") layout = layOut(frames.space, frames.addresses);
      showFrame();
      writeURL(false);
    });
  }
  let width = 0;
  new ResizeObserver(() => {
    const now = $("rate").clientWidth;
    if (now === width || !series) return;
    width = now;
    for (const p of plots) p.setSize({ width: now, height: p.height });
    if (frames) drawMap();
  }).observe($("rate"));
  dark.addEventListener("change", () => { if (series) { drawPlots(); showCursor(); } if (frames) drawMap(); });
  addEventListener("popstate", () => location.reload());
}

// ---- what a running agent tells ----

let source;

function listen() {
  source = new EventSource("/api/v1/stream");
  source.addEventListener("status", (e) => {
    const m = JSON.parse(e.data), round = m.agent?.round;
    app.dataset.heard = m.now;
    const p = $("progress");
    if (p && round) p.textContent = `${Math.round((100 * round.sent) / round.planned)}\u00a0% of the next one sent`;
    for (const t of document.querySelectorAll("[data-ago]")) t.textContent = `${lasting(Date.parse(m.now) - Date.parse(t.dataset.ago))} ago`;
  });
  // A round that is over, or a new state, is in the page's words too: the page is read again. So it is when the stream begins,
  // or begins anew: who knows what was missed.
  source.addEventListener("round", (e) => { if (JSON.parse(e.data).kind === "round") anew(); });
  for (const name of ["open", "change", "outage"]) source.addEventListener(name, anew);
  source.addEventListener("error", lost);
}

// lost says that what stands here may be over, until the agent is heard and the page is read again.
function lost() {
  if ($("lost")) return;
  const said = Object.assign(document.createElement("div"), { id: "lost", className: "banner" });
  said.setAttribute("role", "status");
  said.append(Object.assign(document.createElement("strong"), { textContent: "Attention." }),
    ` The agent cannot be heard. This is as of ${stamp(Date.parse(app.dataset.heard) || view.observed)}.`);
  $("main").prepend(said);
}

// anew reads the page again, shortly after it is asked to and once at a time.
let stale = false, reading = false;
async function anew() {
  stale = true;
  if (reading) return;
  reading = true;
  while (stale) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    stale = false;
    await refresh().catch(() => {}); // the next time, then
  }
  reading = false;
}

// around is what stands before the plots and the map, and what stands after.
function around(doc) {
  const all = [...doc.getElementById("main").children], i = all.indexOf(doc.getElementById("app"));
  return [all.slice(0, i), all.slice(i + 1)];
}

// refresh takes the new words from the server and, where the view follows the present, the new data.
async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html"), news = fresh.getElementById("app");
  if (!news) return;
  const [before, after] = around(fresh);
  for (const old of around(document).flat()) old.remove();
  app.before(...before);
  app.after(...after);
  if (source.readyState !== EventSource.OPEN) lost(); // what said so went with the rest
  document.querySelector(".hero").dataset.fresh = "true";
  document.title = fresh.title;
  const usualHosts = "#map-section details table";
  document.querySelector(usualHosts).replaceWith(fresh.querySelector(usualHosts));
  if (!view.follows) return;
  const width = view.until - view.since;
  view.observed = view.until = +news.dataset.observed;
  view.since = view.until - width;
  if (view.at !== null && view.at < view.since) view.at = null;
  await load();
}

// ---- figures as PNG ----

// toPNG draws an SVG of ours, at twice its size.
async function toPNG(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth * 2;
  canvas.height = image.naturalHeight * 2;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

for (const link of document.querySelectorAll("a[data-png]")) {
  const png = link.cloneNode();
  png.removeAttribute("data-png");
  png.textContent = link.textContent.replace("SVG", "PNG");
  png.addEventListener("click", async (e) => {
    if (png.href.startsWith("blob:")) return;
    e.preventDefault();
    png.download = link.download.replace(/svg$/, "png");
    png.href = URL.createObjectURL(await toPNG(link.href));
    png.click();
  });
  link.after(" ", png);
}

if (app) {
  readURL();
  wire();
  load().then(() => { if (view.at !== null) setAt(view.at, "url"); });
  if (view.live) listen();
}
