// Three orthogonal slices through a volume, with a crosshair; axes run to the right, front and top.
"use strict";
(function () {
  const [NX, NY, NZ] = DATA.shape;
  const MASK = unpackBits(DATA.mask, NX * NY * NZ);
  const NUMBER = new Int32Array(MASK.length).fill(-1); // of a place of the grid, among the values
  let count = 0;
  for (let i = 0; i < MASK.length; i++) if (MASK[i]) NUMBER[i] = count++;
  const ROIS = DATA.rois.map((roi) => ({ ...roi, inside: unpackBits(roi.bits, VALUES.length) }));
  const BACK = DATA.background && { factor: DATA.background.factor, grey: unpack(DATA.background.grey) };
  // For each plane: the axis cut through, those to the right and to the top, and their ends.
  const PLANES = {
    sagittal: { cut: 0, right: 1, up: 2, ends: "PASI" },
    coronal: { cut: 1, right: 0, up: 2, ends: "LRSI" },
    axial: { cut: 2, right: 0, up: 1, ends: "LRAP" },
  };
  const cross = [...DATA.start];
  let painted = computeOpacity(), pxPerMm = 1;

  const at = (i) => NUMBER[(i[0] * NY + i[1]) * NZ + i[2]];
  const apply = (rows, i) => rows.map((row) => row[0] * i[0] + row[1] * i[1] + row[2] * i[2] + row[3]);
  const lengthOf = (axis) => DATA.shape[axis] * DATA.sizes[axis];
  for (const [name, plane] of Object.entries(PLANES)) {
    plane.canvas = byId(name);
    plane.context = plane.canvas.getContext("2d");
    // A single slice has no other planes to look at.
    plane.shown = DATA.shape[plane.right] > 1 && DATA.shape[plane.up] > 1;
    plane.canvas.parentElement.hidden = !plane.shown;
  }
  const shownPlanes = () => Object.values(PLANES).filter((plane) => plane.shown);

  function layOut() {
    const box = byId("planes"), planes = shownPlanes();
    const [w, h] = [box.clientWidth - 48, box.clientHeight - 32];
    const wide = planes.map((p) => lengthOf(p.right)), tall = planes.map((p) => lengthOf(p.up));
    const sum = (list) => list.reduce((a, b) => a + b, 0);
    const inRow = Math.min((w - 12 * planes.length) / sum(wide), (h - 30) / Math.max(...tall));
    let best = inRow;
    if (planes.length === 3) {
      const two = Math.min((w - 24) / Math.max(wide[0] + wide[1], wide[2]), (h - 72) / (Math.max(tall[0], tall[1]) + tall[2]));
      best = Math.max(inRow, two);
    }
    pxPerMm = Math.max(0.5, Math.min(12, best));
  }

  function drawPlane(plane) {
    const { canvas, context, cut, right, up } = plane;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [lengthOf(right) * pxPerMm, lengthOf(up) * pxPerMm];
    canvas.style.width = `${w}px`;
    canvas.style.height = `${h}px`;
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
    const [nr, nu] = [DATA.shape[right], DATA.shape[up]];
    const [sx, sy] = [canvas.width / nr, canvas.height / nu];
    context.fillStyle = BACK ? "#000" : "#f1f3f4";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (BACK) {
      const f = BACK.factor, [wide, tall] = [nr * f, nu * f];
      const picture = new ImageData(wide, tall), place = [0, 0, 0];
      place[cut] = cross[cut] * f + (f >> 1);
      for (let y = 0; y < tall; y++) {
        for (let x = 0; x < wide; x++) {
          place[right] = x;
          place[up] = tall - 1 - y;
          const grey = BACK.grey[(place[0] * NY * f + place[1]) * NZ * f + place[2]];
          picture.data.set([grey, grey, grey, 255], 4 * (y * wide + x));
        }
      }
      stamp(context, picture, canvas, true);
    }
    const picture = new ImageData(nr, nu), numbers = new Int32Array(nr * nu), place = [0, 0, 0];
    place[cut] = cross[cut];
    for (let y = 0; y < nu; y++) {
      for (let x = 0; x < nr; x++) {
        place[right] = x;
        place[up] = nu - 1 - y;
        const k = at(place);
        numbers[y * nr + x] = k;
        if (k < 0 || Number.isNaN(VALUES[k])) continue;
        const c = 3 * colourIndex(VALUES[k]);
        picture.data.set([COLOURS[c], COLOURS[c + 1], COLOURS[c + 2], Math.round(255 * painted.opacity[k])], 4 * (y * nr + x));
      }
    }
    stamp(context, picture, canvas, false);
    const edge = (isInside, colour, width) => strokeEdges(context, nr, nu, sx, sy, (x, y) => {
      const k = x >= 0 && y >= 0 && x < nr && y < nu ? numbers[y * nr + x] : -1;
      return k >= 0 && Boolean(isInside(k));
    }, colour, width * ratio);
    if (!BACK) edge(() => true, "#c4cace", 1);
    if (STATE.fade && (STATE.negLogThreshold > 0 || STATE.least > 0)) edge((k) => painted.passes[k], BACK ? "#fff" : "#111", 1.2);
    if (STATE.outlines) for (const roi of ROIS) edge((k) => roi.inside[k], roi.colour, 2);
    drawSigns(plane, ratio, sx, sy);
  }

  function stamp(context, picture, canvas, smooth) {
    const sheet = document.createElement("canvas");
    [sheet.width, sheet.height] = [picture.width, picture.height];
    sheet.getContext("2d").putImageData(picture, 0, 0);
    context.imageSmoothingEnabled = smooth;
    context.drawImage(sheet, 0, 0, canvas.width, canvas.height);
  }

  function strokeEdges(context, nr, nu, sx, sy, isInside, colour, width) {
    context.beginPath();
    for (let y = 0; y <= nu; y++) {
      for (let x = 0; x <= nr; x++) {
        const here = isInside(x, y);
        if (here !== isInside(x - 1, y)) {
          context.moveTo(x * sx, y * sy);
          context.lineTo(x * sx, (y + 1) * sy);
        }
        if (here !== isInside(x, y - 1)) {
          context.moveTo(x * sx, y * sy);
          context.lineTo((x + 1) * sx, y * sy);
        }
      }
    }
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
  }

  function drawSigns(plane, ratio, sx, sy) {
    const { canvas, context, cut, right, up, ends } = plane;
    const x = (cross[right] + 0.5) * sx, y = canvas.height - (cross[up] + 0.5) * sy;
    context.strokeStyle = "rgba(30, 200, 120, 0.8)";
    context.lineWidth = ratio;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, canvas.height);
    context.moveTo(0, y);
    context.lineTo(canvas.width, y);
    context.stroke();
    context.font = `600 ${12 * ratio}px sans-serif`;
    context.fillStyle = BACK ? "#fff" : "#1d2327";
    context.textBaseline = "middle";
    context.textAlign = "left";
    context.fillText(ends[0], 4 * ratio, canvas.height / 2);
    context.textAlign = "right";
    context.fillText(ends[1], canvas.width - 4 * ratio, canvas.height / 2);
    const mm = apply(DATA.to_mm, cross)[cut];
    byId(`${canvas.id}-label`).textContent = `${canvas.id}, ${"xyz"[cut]} = ${mm.toFixed(1)} mm`;
  }

  let waiting = false;
  function drawAll() {
    layOut();
    shownPlanes().forEach(drawPlane);
  }
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      drawAll();
    });
  }

  function find(plane, event) {
    const box = plane.canvas.getBoundingClientRect(), place = [...cross];
    const clamp = (v, axis) => Math.max(0, Math.min(DATA.shape[axis] - 1, Math.floor(v)));
    place[plane.right] = clamp(((event.clientX - box.left) / box.width) * DATA.shape[plane.right], plane.right);
    place[plane.up] = clamp((1 - (event.clientY - box.top) / box.height) * DATA.shape[plane.up], plane.up);
    return place;
  }
  function read(place) {
    const k = at(place), mm = apply(DATA.to_mm, place).map((v) => v.toFixed(1)).join(", ");
    const where = `voxel (${apply(DATA.to_original, place).join(", ")}), ${mm} mm`;
    if (k >= 0) return showValue(k, where, ROIS.filter((roi) => roi.inside[k]).map((roi) => roi.name), painted.passes);
    showNothing();
    byId("value").textContent = "outside the mask";
    byId("where").textContent = where;
  }
  function moveTo(place) {
    place.forEach((v, axis) => (cross[axis] = Math.max(0, Math.min(DATA.shape[axis] - 1, v))));
    read(cross);
    redraw();
  }
  const step = (axis, by) => moveTo(cross.map((v, k) => (k === axis ? v + by : v)));
  for (const plane of shownPlanes()) {
    const { canvas, cut, right, up } = plane;
    let dragging = false;
    canvas.addEventListener("pointerdown", (event) => {
      dragging = true;
      if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
      moveTo(find(plane, event));
    });
    canvas.addEventListener("pointermove", (event) => (dragging ? moveTo(find(plane, event)) : read(find(plane, event))));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => (dragging = false));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      step(cut, event.deltaY > 0 ? -1 : 1);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const moves = {
        ArrowLeft: [right, -1], ArrowRight: [right, 1], ArrowUp: [up, 1], ArrowDown: [up, -1],
        PageUp: [cut, 1], PageDown: [cut, -1],
      };
      if (!moves[event.key]) return;
      event.preventDefault();
      step(...moves[event.key]);
    });
  }

  byId("labels").parentElement.hidden = true; // colours are named in the list of regions
  connectControls(() => {
    painted = computeOpacity();
    redraw();
  }, redraw);
  new ResizeObserver(redraw).observe(byId("stage"));
  drawAll();
  read(cross);
  // For scripts and tests: where a place of the grid is seen on a plane.
  window.sliceMap = {
    cross, moveTo, drawAll,
    screenOf(name, place) {
      const plane = PLANES[name], box = plane.canvas.getBoundingClientRect();
      return [
        box.left + ((place[plane.right] + 0.5) / DATA.shape[plane.right]) * box.width,
        box.top + (1 - (place[plane.up] + 0.5) / DATA.shape[plane.up]) * box.height,
      ];
    },
  };
  document.body.dataset.ready = "yes";
})();
