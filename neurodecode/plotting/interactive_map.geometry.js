// What follows from points and triangles alone: normals, extents, borders of regions.
"use strict";
function computeNormals(points, faces, flat) {
  const normals = new Float32Array(points.length);
  if (flat) {
    for (let i = 0; i < points.length; i += 3) normals[i + 1] = -1;
    return normals;
  }
  for (let f = 0; f < faces.length; f += 3) {
    const a = 3 * faces[f], b = 3 * faces[f + 1], c = 3 * faces[f + 2];
    const ux = points[b] - points[a], uy = points[b + 1] - points[a + 1], uz = points[b + 2] - points[a + 2];
    const vx = points[c] - points[a], vy = points[c + 1] - points[a + 1], vz = points[c + 2] - points[a + 2];
    const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
    for (const at of [a, b, c]) {
      normals[at] += x;
      normals[at + 1] += y;
      normals[at + 2] += z;
    }
  }
  for (let i = 0; i < points.length; i += 3) {
    const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
    for (let k = 0; k < 3; k++) normals[i + k] /= length;
  }
  return normals;
}

// Middle and half width, height: of a solid, what it needs however it is turned.
function measure(points, faces, parts, which, flat) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (const [side, part] of parts.entries()) {
    if (which !== "both" && which !== ["left", "right"][side]) continue;
    const last = part.first + (flat ? part.on_flat : part.all);
    for (let f = 3 * part.first; f < 3 * last; f++) {
      for (let k = 0; k < 3; k++) {
        const p = points[3 * faces[f] + k];
        low[k] = Math.min(low[k], p);
        high[k] = Math.max(high[k], p);
      }
    }
  }
  const half = low.map((l, k) => (high[k] - l) / 2);
  const wide = flat ? half[0] : Math.max(half[0], half[1]);
  const tall = flat ? half[2] : Math.max(half[1], half[2]);
  return { middle: low.map((l, k) => (l + high[k]) / 2), wide: wide * 1.06, tall: tall * 1.06 };
}

// The border of a region crosses its triangles from the middle of one edge to that of another:
// for each crossing the two pairs of vertices, those on the flat map first.
function findBorder(faces, part, inside) {
  const pairs = [];
  let onFlat = 0;
  for (let f = part.first; f < part.first + part.all; f++) {
    const [a, b, c] = faces.subarray(3 * f, 3 * f + 3);
    const [x, y, z] = [inside[a], inside[b], inside[c]];
    if (x + y + z === 0 || x + y + z === 3) continue;
    const [one, p, q] = x !== y && x !== z ? [a, b, c] : y !== x && y !== z ? [b, a, c] : [c, a, b];
    pairs.push([one, p, one, q]);
    if (f < part.first + part.on_flat) onFlat++;
  }
  return { pairs, onFlat };
}
