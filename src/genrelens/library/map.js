"use strict";
{
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const points = data.points.map(([x, y, genre, sure, name, answer, path, link]) => ({
    x, y: -y, genre, sure, name, answer, path, link, text: `${name} ${path}`.toLowerCase(),
  }));
  const place = byId("place"), canvas = byId("map"), tip = byId("tip");
  const player = document.querySelector("audio");
  const context = canvas.getContext("2d");
  const picked = new Set(); // genres; none means all
  const view = { zoom: 1, x: 0, y: 0 };
  let words = "", chosen = null, hovered = null, isDrawn = true;

  // ---------------------------------------------------------------- which points are shown

  const isShown = ({ genre }) => !picked.size || picked.has(genre);
  const matches = ({ text }) => text.includes(words);
  const canBeChosen = (point) => isShown(point) && matches(point);

  // ------------------------------------------------------------------------------ geometry

  const extent = (axis) => Math.max(0.01, ...points.map((point) => Math.abs(point[axis])));
  const [wide, high] = [extent("x"), extent("y")];

  /** Pixels for 1 to the right and down: the map fills the screen, stretched by half at most. */
  function scale() {
    const [x, y] = [0.46 * place.clientWidth / wide, 0.46 * place.clientHeight / high];
    return [view.zoom * Math.min(x, 1.5 * y), view.zoom * Math.min(y, 1.5 * x)];
  }
  function screen({ x, y }) {
    const [right, down] = scale();
    return [place.clientWidth / 2 + right * x + view.x, place.clientHeight / 2 + down * y + view.y];
  }
  const radius = () =>
    Math.min(9, Math.max(3, 150 / Math.sqrt(points.length + 300)) * view.zoom ** 0.4);

  /** The nearest point that can be chosen, up to 14 pixels from a place on the screen. */
  function pointAt(left, top) {
    let best = null, least = 14 ** 2;
    for (const point of points) {
      const [x, y] = screen(point);
      const distance = (x - left) ** 2 + (y - top) ** 2;
      if (distance < least && canBeChosen(point)) {
        [best, least] = [point, distance];
      }
    }
    return best;
  }

  /** The nearest point in a direction, where a step to the side counts three times. */
  function neighbour(from, right, down) {
    let best = null, least = Infinity;
    for (const point of points) {
      const along = (point.x - from.x) * right + (point.y - from.y) * down;
      const aside = Math.abs((point.x - from.x) * down) + Math.abs((point.y - from.y) * right);
      if (along > 1e-6 && along + 3 * aside < least && point !== from && canBeChosen(point)) {
        [best, least] = [point, along + 3 * aside];
      }
    }
    return best;
  }

  /** The place of the name of each genre: its point with the most of its kind around it. */
  const labels = data.genres.map(({ name }, genre) => {
    const own = points.filter((point) => point.genre === genre && point.sure).slice(0, 700);
    const crowd = (a) => own.filter((b) => (a.x - b.x) ** 2 + (a.y - b.y) ** 2 < 0.015).length;
    const counts = own.map(crowd);
    const most = Math.max(...counts);
    return most >= 4 ? { name, most, point: own[counts.indexOf(most)] } : null;
  }).filter(Boolean).sort((a, b) => b.most - a.most);

  // ------------------------------------------------------------------------------- drawing

  const SHAPES = [
    (r) => [[r, 0], [0, r], [-r, 0], [0, -r]], // diamond
    (r) => [[0, -r], [0.95 * r, 0.7 * r], [-0.95 * r, 0.7 * r]],
    (r) => [-1, 1].flatMap((s) => [[s * 0.8 * r, s * 0.8 * r], [-s * 0.8 * r, s * 0.8 * r]]),
    (r) => [[0, r], [-0.95 * r, -0.7 * r], [0.95 * r, -0.7 * r]],
    (r) => star(6, r, r), // hexagon
    (r) => star(4, 1.15 * r, 0.5 * r), // star of four
  ];
  const star = (n, outer, inner) => Array.from({ length: 2 * n }, (_, i) => {
    const size = i % 2 ? inner * (inner === outer ? Math.cos(Math.PI / n) : 1) : outer;
    return [size * Math.sin((Math.PI * i) / n), -size * Math.cos((Math.PI * i) / n)];
  });

  /** Shapes differ, so that genres differ not only in colour; every seventh has a circle. */
  const corners = (shape, r) => (shape % 7 ? SHAPES[(shape % 7) - 1](r) : null);

  function outline(shape, x, y, r) {
    context.beginPath();
    const found = corners(shape, r);
    if (!found) {
      context.arc(x, y, 0.9 * r, 0, 7);
      return;
    }
    found.forEach(([a, b], i) => (i ? context.lineTo(x + a, y + b) : context.moveTo(x + a, y + b)));
    context.closePath();
  }

  function draw() {
    isDrawn = true;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [place.clientWidth, place.clientHeight];
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const r = radius();
    context.lineWidth = 0.8;
    context.strokeStyle = colour("edge");
    for (const point of points) {
      const [x, y] = screen(point);
      if (!isShown(point) || x < -r || y < -r || x > width + r || y > height + r) {
        continue;
      }
      const look = data.genres[point.genre];
      context.globalAlpha = (point.sure ? 1 : 0.4) * (matches(point) ? 1 : 0.12);
      context.fillStyle = look.colour;
      outline(look.shape, x, y, point.sure ? r : 0.8 * r);
      context.fill();
      context.stroke();
    }
    context.globalAlpha = 1;
    drawLabels(colour("ink"), colour("paper"));
    for (const [point, name, size] of [[hovered, "ink", 5], [chosen, "focus", 7]]) {
      if (point) {
        const [x, y] = screen(point);
        context.lineWidth = 2.5;
        context.strokeStyle = colour(name);
        context.beginPath();
        context.arc(x, y, r + size, 0, 7);
        context.stroke();
      }
    }
  }

  function drawLabels(ink, paper) {
    context.font = "600 14px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    const drawn = [];
    for (const { name, point } of labels.filter(({ point }) => isShown(point))) {
      const [x, y] = screen(point);
      const half = context.measureText(name).width / 2;
      if (drawn.some(([a, b, c]) => Math.abs(x - a) < half + c && Math.abs(y - b) < 16)) {
        continue; // it would hide the name of a larger crowd
      }
      drawn.push([x, y, half]);
      context.lineWidth = 4;
      context.strokeStyle = paper;
      context.strokeText(name, x, y);
      context.fillStyle = ink;
      context.fillText(name, x, y);
    }
  }

  function update() {
    if (isDrawn) {
      isDrawn = false;
      requestAnimationFrame(draw);
    }
  }

  // ------------------------------------------------------------------------ choose and play

  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  }

  function choose(point) {
    chosen = point;
    byId("chosen").replaceChildren(
      element("b", point.name),
      element("span", point.answer),
      document.createElement("br"),
      element("a", point.path, { href: point.link }),
    );
    player.pause();
    player.hidden = false;
    player.src = point.link;
    update();
  }

  function play() {
    player.play().catch((error) => {
      if (error.name !== "AbortError") {
        byId("chosen").append(element("p", "The browser cannot play this file.", { role: "alert" }));
      }
    });
  }

  /** Move the map so that a point is on the screen. */
  function reveal(point) {
    const [x, y] = screen(point);
    const [width, height] = [place.clientWidth, place.clientHeight];
    if (x < 20 || y < 20 || x > width - 20 || y > height - 20) {
      view.x += width / 2 - x;
      view.y += height / 2 - y;
    }
  }

  function showTip(point, left, top) {
    hovered = point;
    tip.hidden = !point;
    if (point) {
      tip.replaceChildren(element("b", point.name), element("span", point.answer));
      tip.style.left = `${Math.max(4, Math.min(left + 14, place.clientWidth - tip.offsetWidth - 4))}px`;
      tip.style.top = `${Math.max(4, Math.min(top + 14, place.clientHeight - tip.offsetHeight - 4))}px`;
    }
    update();
  }

  // ---------------------------------------------------------------------------------- zoom

  /** Zoom about a place on the screen, which stays where it is; 0 shows the whole map. */
  function zoom(factor, left = place.clientWidth / 2, top = place.clientHeight / 2) {
    const before = view.zoom;
    view.zoom = factor ? Math.min(60, Math.max(0.8, before * factor)) : 1;
    const change = view.zoom / before;
    const [x, y] = [left - place.clientWidth / 2, top - place.clientHeight / 2];
    view.x = factor ? x - (x - view.x) * change : 0;
    view.y = factor ? y - (y - view.y) * change : 0;
    showTip(null);
  }

  // ------------------------------------------------------------------------------- pointers

  const fingers = new Map();
  let moved = 0;

  const spread = () => {
    const [a, b] = [...fingers.values()];
    return b ? Math.hypot(a[0] - b[0], a[1] - b[1]) : 0;
  };
  const at = (event) => {
    const box = place.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const [left, top] = at(event);
    const last = fingers.get(event.pointerId);
    if (!last) {
      showTip(pointAt(left, top), left, top);
      canvas.style.cursor = hovered ? "pointer" : "grab";
      return;
    }
    const before = spread();
    fingers.set(event.pointerId, [left, top]);
    moved += Math.abs(left - last[0]) + Math.abs(top - last[1]);
    if (fingers.size === 2 && before) {
      zoom(spread() / before, left, top);
    } else if (moved > 4) {
      view.x += left - last[0];
      view.y += top - last[1];
      showTip(null);
    }
  });
  const release = (event) => fingers.delete(event.pointerId);
  canvas.addEventListener("pointerup", (event) => {
    release(event);
    const point = moved > 4 ? null : pointAt(...at(event));
    if (point) {
      choose(point);
      play();
    }
  });
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => showTip(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), ...at(event));
  }, { passive: false });
  document.querySelectorAll("[data-zoom]").forEach((button) =>
    button.addEventListener("click", () => zoom(Number(button.dataset.zoom))));

  // -------------------------------------------------------------------------------- keyboard

  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  function step([right, down]) {
    const middle = { x: -view.x / scale()[0], y: -view.y / scale()[1] };
    const nearest = () => points.filter(canBeChosen).reduce((best, point) =>
      (!best || Math.hypot(point.x - middle.x, point.y - middle.y)
        < Math.hypot(best.x - middle.x, best.y - middle.y) ? point : best), null);
    const next = chosen && canBeChosen(chosen) ? neighbour(chosen, right, down) : nearest();
    if (next) {
      choose(next);
      reveal(next);
    }
  }

  const KEYS = {
    Enter: () => chosen && (player.paused ? play() : player.pause()),
    " ": () => chosen && (player.paused ? play() : player.pause()),
    "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => zoom(0),
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key in ARROWS) {
      step(ARROWS[event.key]);
    } else if (event.key in KEYS) {
      KEYS[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });

  // ------------------------------------------------------------------------ search and legend

  const status = () => {
    const n = words ? points.filter(canBeChosen).length : 0;
    byId("matches").textContent = words ? `${n} found; Enter goes to the first` : "";
  };
  byId("search").addEventListener("input", (event) => {
    words = event.target.value.trim().toLowerCase();
    status();
    update();
  });
  byId("search").addEventListener("keydown", (event) => {
    const first = event.key === "Enter" && words && points.find(canBeChosen);
    if (first) {
      choose(first);
      reveal(first);
      canvas.focus();
    }
  });

  function symbol({ colour, shape }) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const found = corners(shape, 7);
    const mark = document.createElementNS(svg.namespaceURI, found ? "polygon" : "circle");
    const values = found ? { points: found.map((pair) => pair.join()).join(" ") } : { r: 6.3 };
    Object.entries({ ...values, fill: colour, stroke: "#333" }).forEach(([key, value]) =>
      mark.setAttribute(key, value));
    Object.entries({ width: 18, height: 18, viewBox: "-9 -9 18 18", "aria-hidden": "true" })
      .forEach(([key, value]) => svg.setAttribute(key, value));
    svg.append(mark);
    return svg;
  }

  data.genres.forEach((look, genre) => {
    const n = points.filter((point) => point.genre === genre).length;
    const button = element("button", "", { type: "button", "aria-pressed": "false" });
    button.append(symbol(look), look.name, element("span", n));
    button.addEventListener("click", () => {
      picked.has(genre) ? picked.delete(genre) : picked.add(genre);
      button.setAttribute("aria-pressed", String(picked.has(genre)));
      status();
      update();
    });
    const item = document.createElement("li");
    item.append(button);
    byId("legend").append(item);
  });

  new ResizeObserver(update).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
  draw();
}
