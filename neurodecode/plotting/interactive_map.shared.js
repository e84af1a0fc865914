// What both viewers share: the data, thresholds, the colour bar, the readout.
"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const TYPES = { f4: Float32Array, i2: Int16Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array };

function unpack(packed) {
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new TYPES[packed.type](bytes.buffer);
}

// Bits come with the first one highest, as numpy.packbits writes them.
function unpackBits(packed, count) {
  const bytes = unpack(packed);
  const bits = new Uint8Array(count);
  for (let i = 0; i < count; i++) bits[i] = (bytes[i >> 3] >> (7 - (i & 7))) & 1;
  return bits;
}

const COLOURS = unpack(DATA.scale.colours); // 256 times red, green, blue
const VALUES = unpack(DATA.values); // NaN where there is none
const NEGLOG = DATA.neglog_q ? unpack(DATA.neglog_q) : null; // -log10 q, NaN where there is none
const STATE = {
  negLogThreshold: DATA.rule.q === null || !NEGLOG ? 0 : -Math.log10(DATA.rule.q),
  least: DATA.rule.least || 0,
  fade: DATA.rule.fade,
  outlines: true,
  labels: true,
};
const LARGEST = VALUES.reduce((most, v) => (Math.abs(v) > most ? Math.abs(v) : most), 0) || 1;

function colourIndex(value) {
  const { low, high } = DATA.scale;
  return Math.max(0, Math.min(255, Math.floor((256 * (value - low)) / (high - low))));
}

function formatNumber(value) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  return Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
}

// The rule of map_values.py: 1 where a value passes; below, the square of how near it comes.
function computeOpacity() {
  const n = VALUES.length;
  const passes = new Uint8Array(n);
  const opacity = new Float32Array(n);
  const byQ = NEGLOG !== null && STATE.negLogThreshold > 0;
  let count = 0, given = 0;
  for (let i = 0; i < n; i++) {
    const value = VALUES[i];
    if (Number.isNaN(value)) continue;
    given++;
    let near = 1, pass = true;
    if (byQ) {
      const known = Number.isNaN(NEGLOG[i]) ? 0 : NEGLOG[i];
      pass = known > STATE.negLogThreshold * (1 + 1e-6); // values are single precision
      near = Math.min(1, known / STATE.negLogThreshold);
    }
    if (STATE.least > 0) {
      pass = pass && Math.abs(value) >= STATE.least;
      near = Math.min(near, Math.abs(value) / STATE.least);
    }
    passes[i] = pass ? 1 : 0;
    count += passes[i];
    opacity[i] = pass ? 1 : STATE.fade ? near * near : 0;
  }
  byId("count").textContent = `${count.toLocaleString("en")} of ${given.toLocaleString("en")} ${DATA.places} pass`;
  return { passes, opacity };
}

function drawColourBar() {
  const canvas = byId("colourbar"), context = canvas.getContext("2d");
  for (let x = 0; x < canvas.width; x++) {
    const at = 3 * Math.floor((256 * x) / canvas.width);
    context.fillStyle = `rgb(${COLOURS[at]},${COLOURS[at + 1]},${COLOURS[at + 2]})`;
    context.fillRect(x, 0, 1, canvas.height);
  }
  const { low, high, ticks } = DATA.scale;
  for (const value of ticks) {
    const tick = document.createElement("span");
    const share = (value - low) / (high - low);
    tick.textContent = String(value);
    tick.style.left = `${100 * share}%`;
    tick.className = share < 0.03 ? "first" : share > 0.97 ? "last" : "";
    byId("ticks").append(tick);
  }
}

function showValue(index, where, rois, passes) {
  const value = VALUES[index];
  byId("value").textContent = Number.isNaN(value) ? "no value" : formatNumber(value);
  const details = [];
  if (!Number.isNaN(value)) {
    details.push(DATA.unit);
    if (NEGLOG && !Number.isNaN(NEGLOG[index])) details.push(`q ${formatNumber(10 ** -NEGLOG[index])}`);
    if (!passes[index]) details.push("below the threshold");
  }
  byId("details").textContent = details.join(" · ");
  byId("where").textContent = [where, rois.join(", ")].filter(Boolean).join(" · ");
}

function showNothing() {
  byId("value").textContent = "–";
  byId("details").textContent = "";
  byId("where").textContent = "";
}

// Connects the controls; `repaint` is called when thresholds changed, `redraw` for the rest.
function connectControls(repaint, redraw) {
  const tell = () => {
    const q = 10 ** -STATE.negLogThreshold;
    byId("q-text").textContent = STATE.negLogThreshold > 0 ? `q < ${Number(q.toPrecision(2))}` : "none";
    byId("least-text").textContent = STATE.least > 0 ? `≥ ${Number(STATE.least.toPrecision(3))} ${DATA.unit}` : "any";
  };
  byId("q-row").hidden = NEGLOG === null;
  byId("q").value = STATE.negLogThreshold;
  byId("q").addEventListener("input", (event) => {
    // what is shown is what is used: two digits
    const q = Number((10 ** -Number(event.target.value)).toPrecision(2));
    STATE.negLogThreshold = Math.max(0, -Math.log10(q));
    tell();
    repaint();
  });
  byId("least").value = (200 * STATE.least) / LARGEST;
  byId("least").addEventListener("input", (event) => {
    STATE.least = Number(((LARGEST * Number(event.target.value)) / 200).toPrecision(3));
    tell();
    repaint();
  });
  byId("fade").checked = STATE.fade;
  byId("fade").addEventListener("change", (event) => {
    STATE.fade = event.target.checked;
    repaint();
  });
  byId("roi-row").hidden = DATA.rois.length === 0;
  for (const name of ["outlines", "labels"]) {
    byId(name).addEventListener("change", (event) => {
      STATE[name] = event.target.checked;
      redraw();
    });
  }
  for (const roi of DATA.rois) {
    const item = document.createElement("li"), swatch = document.createElement("i");
    swatch.style.background = roi.colour;
    item.append(swatch, roi.name);
    byId("rois").append(item);
  }
  tell();
  drawColourBar();
}
