// The cortex in WebGL 2: one orthographic scene, turned by azimuth and elevation about the upright
// axis, whose vertices move between two neighbouring shapes. What lies under the pointer is found
// among the projected triangles, as they are drawn, so that nothing is read back from the card.
"use strict";
(function () {
  const canvas = byId("brain");
  const gl = canvas.getContext("webgl2", { antialias: true });
  function fail(text) {
    byId("fallback").textContent = text;
    byId("fallback").hidden = false;
    canvas.hidden = true;
    document.body.dataset.ready = "no webgl";
  }
  if (!gl) {
    fail("This browser offers no WebGL 2, which the map is drawn with. Switch on hardware acceleration, or open the file in a current Firefox, Chrome, Edge or Safari; plotting.brain_map draws the same values as a picture.");
    return;
  }
  canvas.addEventListener("webglcontextlost", () => fail("The graphics card was taken away from this page. Load it again."));

  // ------------------------------------------------------------------ data
  const N = VALUES.length, N_LEFT = DATA.n_left;
  const FACES = unpack(DATA.faces);
  // Of each hemisphere: first face, faces on the flat map (these come first), all faces.
  const PARTS = DATA.parts;
  const CURVATURE = unpack(DATA.curvature); // 0 gyrus … 255 sulcus
  const SHAPES = DATA.shapes.map((shape) => {
    const coded = unpack(shape.points), points = new Float32Array(3 * N);
    for (let i = 0; i < points.length; i++) points[i] = coded[i] * shape.step;
    const normals = computeNormals(points, FACES, shape.flat);
    return { ...shape, points, normals, extents: ["both", "left", "right"].map((w) => measure(points, FACES, PARTS, w, shape.flat)) };
  });
  const ROIS = DATA.rois.map((roi) => ({ ...roi, inside: unpackBits(roi.bits, N) }));

  // ------------------------------------------------------------------ what is seen
  const START = { azimuth: -35, elevation: 15, zoom: 1, pan: [0, 0], which: "both" };
  const view = { ...START, pan: [0, 0], shape: DATA.start };
  const VIEWS = [
    ["left lateral", -90, 0, "both"], ["right lateral", 90, 0, "both"],
    ["left medial", 90, 0, "left"], ["right medial", -90, 0, "right"],
    ["dorsal", 0, 90, "both"], ["ventral", 180, -90, "both"],
    ["posterior", 0, 0, "both"], ["anterior", 180, 0, "both"],
  ];

  function shapeNow() {
    const from = Math.max(0, Math.min(SHAPES.length - 2, Math.floor(view.shape)));
    const to = Math.min(from + 1, SHAPES.length - 1);
    const mix = to === from ? 0 : view.shape - from;
    const flatness = SHAPES[from].flat ? 1 : SHAPES[to].flat ? mix : 0;
    return { from, to, mix, flatness };
  }

  // From millimetres to clip space: turn, then scale and move.
  function camera() {
    const { from, to, mix, flatness } = shapeNow();
    const azimuth = ((((view.azimuth + 180) % 360) + 360) % 360) - 180;
    const a = ((azimuth * Math.PI) / 180) * (1 - flatness);
    const e = ((view.elevation * Math.PI) / 180) * (1 - flatness);
    const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
    const turn = [
      [ca, sa, 0],
      [-sa * se, ca * se, ce],
      [sa * ce, -ca * ce, se],
    ];
    const at = ["both", "left", "right"].indexOf(view.which);
    const [p, q] = [SHAPES[from].extents[at], SHAPES[to].extents[at]];
    const between = (x, y) => x + (y - x) * mix;
    const middle = p.middle.map((x, k) => between(x, q.middle[k]));
    const [w, h] = [canvas.clientWidth || 1, canvas.clientHeight || 1];
    const pxPerMm = view.zoom * Math.min(w / 2 / between(p.wide, q.wide), h / 2 / between(p.tall, q.tall));
    return { turn, middle, scale: [(2 * pxPerMm) / w, (2 * pxPerMm) / h], pxPerMm, w, h };
  }

  // ------------------------------------------------------------------ programs and buffers
  const surface = makeProgram(gl, SURFACE, ["a_from", "a_to", "a_normal_from", "a_normal_to", "a_paint", "a_curvature"]);
  const lines = makeProgram(gl, LINES, ["a_from", "a_to", "a_other_from", "a_other_to", "a_side"]);

  function makeBuffer(data, kind = gl.ARRAY_BUFFER) {
    const buffer = gl.createBuffer();
    gl.bindBuffer(kind, buffer);
    gl.bufferData(kind, data, gl.STATIC_DRAW);
    return buffer;
  }
  function useBuffer(at, buffer, size) {
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(at, size, gl.FLOAT, false, 0, 0);
  }
  for (const shape of SHAPES) {
    shape.buffer = makeBuffer(shape.points);
    shape.normalBuffer = makeBuffer(shape.normals);
  }
  const curvatureBuffer = makeBuffer(Float32Array.from(CURVATURE, (c) => c / 255));
  const paintBuffer = gl.createBuffer();
  const faceArray = gl.createVertexArray(), lineArray = gl.createVertexArray();
  const faceBuffer = makeBuffer(Uint32Array.from(FACES), gl.ELEMENT_ARRAY_BUFFER);
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, COLOURS);
  for (const which of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, which, gl.NEAREST);

  for (const roi of ROIS) {
    roi.pieces = PARTS.map((part) => findBorder(FACES, part, roi.inside));
    roi.middles = PARTS.map((_, side) => findMiddle(roi, side));
    const sides = new Float32Array(roi.pieces.reduce((n, piece) => n + 6 * piece.pairs.length, 0));
    // seen from its other end a line has its left on its right
    for (let k = 0; k < sides.length; k++) sides[k] = [1, -1, -1, -1, -1, 1][k % 6];
    roi.sideBuffer = makeBuffer(sides);
    roi.ends = SHAPES.map((shape) => {
      const here = new Float32Array(3 * sides.length), other = new Float32Array(3 * sides.length);
      let at = 0;
      for (const piece of roi.pieces) {
        for (const [a, b, c, d] of piece.pairs) {
          for (const first of [true, true, false, true, false, false]) {
            for (let k = 0; k < 3; k++, at++) {
              const p = (shape.points[3 * a + k] + shape.points[3 * b + k]) / 2;
              const q = (shape.points[3 * c + k] + shape.points[3 * d + k]) / 2;
              here[at] = first ? p : q;
              other[at] = first ? q : p;
            }
          }
        }
      }
      return { here: makeBuffer(here), other: makeBuffer(other) };
    });
  }

  // The vertex of a region nearest to its centre, on the shape that the map starts with.
  function findMiddle(roi, side) {
    const { points } = SHAPES[Math.round(view.shape)];
    const members = [], sum = [0, 0, 0];
    for (let i = side ? N_LEFT : 0; i < (side ? N : N_LEFT); i++) {
      if (!roi.inside[i]) continue;
      members.push(i);
      for (let k = 0; k < 3; k++) sum[k] += points[3 * i + k];
    }
    let best = -1, least = Infinity;
    for (const i of members) {
      const far = Math.hypot(...sum.map((s, k) => s / members.length - points[3 * i + k]));
      if (far < least) [best, least] = [i, far];
    }
    return best;
  }

  // ------------------------------------------------------------------ drawing
  let painted = computeOpacity();
  function paint() {
    painted = computeOpacity();
    const data = new Float32Array(4 * N);
    for (let i = 0; i < N; i++) {
      if (Number.isNaN(VALUES[i])) continue;
      data.set([VALUES[i], 1, painted.opacity[i], painted.passes[i]], 4 * i);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, paintBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    redraw();
  }

  let projected = null, waiting = false;
  function redraw() {
    projected = null;
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  }

  function setCamera(program, seen, now) {
    gl.useProgram(program.program);
    gl.uniformMatrix3fv(program.u_turn, true, seen.turn.flat());
    gl.uniform3fv(program.u_middle, seen.middle);
    gl.uniform2fv(program.u_scale, seen.scale);
    gl.uniform2f(program.u_pan, (2 * view.pan[0]) / seen.w, (-2 * view.pan[1]) / seen.h);
    gl.uniform1f(program.u_mix, now.mix);
  }

  const isShown = (side) => view.which === "both" || view.which === ["left", "right"][side];

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    gl.viewport(0, 0, w, h);
    gl.clearColor(1, 1, 1, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    const seen = camera(), now = shapeNow();
    const [from, to] = [SHAPES[now.from], SHAPES[now.to]];
    setCamera(surface, seen, now);
    gl.uniform1f(surface.u_low, DATA.scale.low);
    gl.uniform1f(surface.u_high, DATA.scale.high);
    gl.uniform1f(surface.u_outline, STATE.fade ? 1 : 0);
    gl.bindVertexArray(faceArray);
    [from.buffer, to.buffer, from.normalBuffer, to.normalBuffer].forEach((b, at) => useBuffer(at, b, 3));
    useBuffer(4, paintBuffer, 4);
    useBuffer(5, curvatureBuffer, 1);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, faceBuffer);
    PARTS.forEach((part, side) => {
      if (!isShown(side)) return;
      const count = now.flatness > 0 ? part.on_flat : part.all;
      gl.drawElements(gl.TRIANGLES, 3 * count, gl.UNSIGNED_INT, 12 * part.first);
    });
    if (STATE.outlines) drawLines(seen, now, [w, h], ratio);
    placeNames();
  }

  function drawLines(seen, now, size, ratio) {
    setCamera(lines, seen, now);
    gl.uniform2fv(lines.u_size, size);
    gl.bindVertexArray(lineArray);
    for (const roi of ROIS) {
      const [from, to] = [roi.ends[now.from], roi.ends[now.to]];
      [from.here, to.here, from.other, to.other].forEach((b, at) => useBuffer(at, b, 3));
      useBuffer(4, roi.sideBuffer, 1);
      for (const [width, colour] of [[4.4, [1, 1, 1]], [2.2, roi.rgb]]) {
        gl.uniform1f(lines.u_width, width * ratio);
        gl.uniform3fv(lines.u_colour, colour);
        let first = 0;
        roi.pieces.forEach((piece, side) => {
          const count = now.flatness > 0 ? piece.onFlat : piece.pairs.length;
          if (isShown(side)) gl.drawArrays(gl.TRIANGLES, first, 6 * count);
          first += 6 * piece.pairs.length;
        });
      }
    }
  }

  // ------------------------------------------------------------------ where a vertex is seen
  function project() {
    if (projected) return projected;
    const seen = camera(), now = shapeNow();
    const [from, to] = [SHAPES[now.from].points, SHAPES[now.to].points];
    const [t, m] = [seen.turn, seen.middle];
    projected = new Float32Array(3 * N);
    for (let i = 0; i < 3 * N; i += 3) {
      const x = from[i] + (to[i] - from[i]) * now.mix - m[0];
      const y = from[i + 1] + (to[i + 1] - from[i + 1]) * now.mix - m[1];
      const z = from[i + 2] + (to[i + 2] - from[i + 2]) * now.mix - m[2];
      projected[i] = seen.w / 2 + view.pan[0] + seen.pxPerMm * (t[0][0] * x + t[0][1] * y + t[0][2] * z);
      projected[i + 1] = seen.h / 2 + view.pan[1] - seen.pxPerMm * (t[1][0] * x + t[1][1] * y + t[1][2] * z);
      projected[i + 2] = t[2][0] * x + t[2][1] * y + t[2][2] * z;
    }
    return projected;
  }

  // The vertex nearest to a point of the canvas on the triangle seen there, and its depth; or null.
  function pick(x, y) {
    const at = project(), now = shapeNow();
    let best = null;
    PARTS.forEach((part, side) => {
      if (!isShown(side)) return;
      const count = now.flatness > 0 ? part.on_flat : part.all;
      for (let f = 3 * part.first; f < 3 * (part.first + count); f += 3) {
        const [a, b, c] = [3 * FACES[f], 3 * FACES[f + 1], 3 * FACES[f + 2]];
        const [ax, ay, bx, by, cx, cy] = [at[a], at[a + 1], at[b], at[b + 1], at[c], at[c + 1]];
        if ((x < ax && x < bx && x < cx) || (x > ax && x > bx && x > cx)) continue;
        if ((y < ay && y < by && y < cy) || (y > ay && y > by && y > cy)) continue;
        const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
        const v = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area;
        const w = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area;
        const u = 1 - v - w;
        if (!(u >= 0 && v >= 0 && w >= 0)) continue;
        const depth = u * at[a + 2] + v * at[b + 2] + w * at[c + 2];
        if (best && best.depth >= depth) continue;
        best = { depth, vertex: (u >= v && u >= w ? a : v >= w ? b : c) / 3 };
      }
    });
    return best;
  }

  const names = ROIS.flatMap((roi) => roi.middles.map((vertex, side) => {
    if (vertex < 0) return null;
    const tag = document.createElement("span");
    tag.textContent = roi.name;
    tag.style.color = roi.colour;
    byId("names").append(tag);
    return { tag, vertex, side };
  })).filter(Boolean);

  function placeNames() {
    byId("names").hidden = !STATE.labels;
    if (!STATE.labels || drag) return;
    const at = project();
    for (const { tag, vertex, side } of names) {
      const [x, y, depth] = at.subarray(3 * vertex, 3 * vertex + 3);
      const front = isShown(side) ? pick(x, y) : null;
      tag.hidden = !front || front.depth > depth + 4; // millimetres: something lies before it
      tag.style.left = `${x}px`;
      tag.style.top = `${y}px`;
    }
  }

  function read(x, y) {
    const found = pick(x, y), ring = byId("ring");
    ring.hidden = !found;
    if (!found) return showNothing();
    const v = found.vertex, at = project();
    ring.style.left = `${at[3 * v]}px`;
    ring.style.top = `${at[3 * v + 1]}px`;
    const where = v < N_LEFT ? `left hemisphere, vertex ${v}` : `right hemisphere, vertex ${v - N_LEFT}`;
    showValue(v, where, ROIS.filter((roi) => roi.inside[v]).map((roi) => roi.name), painted.passes);
  }

  // ------------------------------------------------------------------ hands
  let drag = null;
  const locate = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  function move(dx, dy, pan) {
    if (pan || shapeNow().flatness > 0.5) {
      view.pan = [view.pan[0] + dx, view.pan[1] + dy];
    } else {
      view.azimuth -= dx * 0.5;
      view.elevation = Math.max(-90, Math.min(90, view.elevation + dy * 0.5));
    }
    redraw();
  }
  function zoom(factor) {
    view.zoom = Math.max(0.4, Math.min(20, view.zoom * factor));
    redraw();
  }
  canvas.addEventListener("pointerdown", (event) => {
    drag = locate(event);
    canvas.classList.add("dragging");
    byId("ring").hidden = true;
    byId("names").hidden = true;
    if (event.isTrusted) canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = locate(event);
    if (!drag) return read(...at);
    move(at[0] - drag[0], at[1] - drag[1], event.shiftKey);
    drag = at;
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, () => {
      drag = null;
      canvas.classList.remove("dragging");
      redraw();
    });
  }
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = locate(event), before = view.zoom;
    zoom(Math.exp(-event.deltaY * 0.0015));
    const ratio = view.zoom / before; // what is under the pointer stays there
    const centre = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    view.pan = view.pan.map((p, k) => [x, y][k] - centre[k] - ([x, y][k] - centre[k] - p) * ratio);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 40 : 12;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) move(...moves[event.key], false);
    else if (event.key === "+" || event.key === "=") zoom(1.2);
    else if (event.key === "-") zoom(1 / 1.2);
    else if (event.key === "[" || event.key === "]") setShape(view.shape + (event.key === "]" ? 0.1 : -0.1));
    else if (event.key === "Home") {
      Object.assign(view, START, { pan: [0, 0] });
      redraw();
    } else if (event.key === "Enter") read(canvas.clientWidth / 2, canvas.clientHeight / 2);
    else return;
    event.preventDefault();
  });

  function setShape(value) {
    view.shape = Math.max(0, Math.min(SHAPES.length - 1, value));
    byId("shape").value = view.shape;
    byId("ring").hidden = true;
    redraw();
  }
  function turnTo(name) {
    const [, azimuth, elevation, which] = VIEWS.find((v) => v[0] === name);
    Object.assign(view, { azimuth, elevation, which, zoom: 1, pan: [0, 0] });
    byId("ring").hidden = true;
    redraw();
  }
  byId("shape").max = SHAPES.length - 1;
  byId("shape").value = view.shape;
  byId("shape").disabled = SHAPES.length < 2;
  byId("shape").addEventListener("input", (event) => setShape(Number(event.target.value)));
  SHAPES.forEach((shape, at) => addButton("shapes", shape.name, () => setShape(at)));
  for (const [name] of VIEWS) addButton("views", name, () => turnTo(name));
  function addButton(into, text, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", act);
    byId(into).append(button);
  }

  connectControls(paint, redraw);
  new ResizeObserver(redraw).observe(canvas);
  paint();
  draw();
  // For scripts and tests: where a vertex is seen, and what is seen at a place of the canvas.
  window.brainMap = {
    view, turnTo, setShape, draw, pick,
    screenOf: (vertex) => Array.from(project().subarray(3 * vertex, 3 * vertex + 3)),
  };
  document.body.dataset.ready = "yes";
})();
