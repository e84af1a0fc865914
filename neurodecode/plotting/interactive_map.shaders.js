// The two programs that run on the graphics card: the painted cortex, and lines of constant width.
"use strict";
const PLACE = `
  uniform mat3 u_turn; uniform vec3 u_middle; uniform vec2 u_scale, u_pan; uniform float u_mix;
  vec4 place(vec3 from, vec3 to) {
    vec3 p = u_turn * (mix(from, to, u_mix) - u_middle);
    return vec4(p.xy * u_scale + u_pan, -p.z / 1000.0, 1.0);
  }`;
const SURFACE = [`#version 300 es
  in vec3 a_from, a_to, a_normal_from, a_normal_to; in vec4 a_paint; in float a_curvature;
  out vec4 v_paint; out float v_curvature; out vec3 v_normal;
  ${PLACE}
  void main() {
    gl_Position = place(a_from, a_to);
    v_paint = a_paint; v_curvature = a_curvature;
    v_normal = u_turn * mix(a_normal_from, a_normal_to, u_mix);
  }`, `#version 300 es
  precision highp float;
  in vec4 v_paint; in float v_curvature; in vec3 v_normal;
  uniform sampler2D u_colours; uniform float u_low, u_high, u_outline;
  out vec4 colour;
  void main() {
    vec3 grey = vec3(mix(0.86, 0.70, v_curvature));
    vec3 seen = grey;
    if (v_paint.y >= 0.5) {
      float share = clamp((v_paint.x / v_paint.y - u_low) / (u_high - u_low), 0.0, 1.0);
      vec3 paint = texelFetch(u_colours, ivec2(min(255, int(share * 256.0)), 0), 0).rgb;
      seen = mix(grey, paint, clamp(v_paint.z / v_paint.y, 0.0, 1.0));
    }
    float slope = fwidth(v_paint.w);
    if (u_outline > 0.5 && slope > 1e-6)
      seen = mix(seen, vec3(0.11), 0.9 * (1.0 - smoothstep(0.5, 1.2, abs(v_paint.w - 0.5) / slope)));
    float facing = abs(normalize(v_normal).z);
    colour = vec4(seen * (0.66 + 0.34 * facing), 1.0);
  }`];
// A line is two triangles, as wide as many pixels whatever the zoom.
const LINES = [`#version 300 es
  in vec3 a_from, a_to, a_other_from, a_other_to; in float a_side;
  uniform vec2 u_size; uniform float u_width;
  ${PLACE}
  void main() {
    vec4 here = place(a_from, a_to);
    vec2 along = (place(a_other_from, a_other_to).xy - here.xy) * u_size;
    vec2 across = length(along) > 0.0 ? normalize(vec2(-along.y, along.x)) : vec2(0.0);
    gl_Position = here + vec4(across * a_side * u_width / u_size, -0.0016, 0.0);
  }`, `#version 300 es
  precision highp float;
  uniform vec3 u_colour; out vec4 colour;
  void main() { colour = vec4(u_colour, 1.0); }`];

function makeProgram(gl, [vertex, fragment], names) {
  const program = gl.createProgram();
  for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
  }
  names.forEach((name, at) => gl.bindAttribLocation(program, at, name));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  return new Proxy({ program }, {
    get: (all, name) => (name === "program" ? program : (all[name] ??= gl.getUniformLocation(program, name))),
  });
}
