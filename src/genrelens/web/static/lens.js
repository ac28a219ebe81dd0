/**
 * The lens: a ring with a ray for each genre. It breathes while nothing happens; while a clip is
 * being classified, the rays are the probabilities; while recording, they move with the level.
 */

const REST = 0.3; // length of a ray at rest, as a share of the longest
const EASE = 0.12; // of the way to the new length, in each frame

export class Lens {
  #canvas;
  #context;
  #colours = [];
  #labels = [];
  #lengths = [];
  #probabilities = null; // genre -> probability; null at rest
  #level = null; // of the microphone, 0..1
  #isStill = matchMedia("(prefers-reduced-motion: reduce)");
  #isVisible = true;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => this.#resize()).observe(canvas);
    new IntersectionObserver(([{ isIntersecting }]) => {
      const begins = isIntersecting && !this.#isVisible;
      this.#isVisible = isIntersecting;
      if (begins) {
        this.#animate();
      }
    }).observe(canvas);
    this.#animate();
  }

  /** Set the genres, in the order of the rays, and their colours. */
  setGenres(labels, colours) {
    [this.#labels, this.#colours] = [labels, colours];
    this.#lengths = labels.map(() => 0);
    this.#settle();
  }

  /** Show probabilities; null: return to rest. */
  show(probabilities) {
    this.#probabilities = probabilities;
    this.#settle();
  }

  /** Show the level of the microphone, 0..1; null: nothing is recorded. */
  setLevel(level) {
    this.#level = level;
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    const scale = Math.min(2, devicePixelRatio || 1);
    this.#canvas.width = clientWidth * scale;
    this.#canvas.height = clientHeight * scale;
    this.#settle();
  }

  /** Without motion, draw the final state at once. */
  #settle() {
    if (this.#isStill.matches) {
      this.#lengths = this.#labels.map((_, index) => this.#target(index, 0));
      this.#draw();
    }
  }

  #animate(time = 0) {
    if (!this.#isVisible || this.#isStill.matches) {
      return;
    }
    this.#lengths = this.#lengths.map((length, index) => {
      return length + EASE * (this.#target(index, time) - length);
    });
    this.#draw();
    requestAnimationFrame((next) => this.#animate(next));
  }

  #target(index, time) {
    const breath = 0.5 + 0.5 * Math.sin(time / 1400 + index * 0.9) * Math.sin(time / 3100 + index * 2.3);
    const rest = REST + 0.4 * breath;
    const level = this.#level === null ? 1 : 0.35 + 0.9 * this.#level;
    if (!this.#probabilities) {
      return rest * (this.#level === null ? 1 : 0.4 + 2 * this.#level);
    }
    const probability = this.#probabilities[this.#labels[index]] ?? 0;
    return Math.min(1, (0.06 + 0.94 * Math.sqrt(probability)) * level);
  }

  #draw() {
    const { width, height } = this.#canvas;
    const context = this.#context;
    const radius = Math.min(width, height) / 2;
    const isLight = this.#prefersLight();
    context.clearRect(0, 0, width, height);
    context.save();
    context.translate(width / 2, height / 2);
    const inner = 0.36 * radius;
    const step = (2 * Math.PI) / Math.max(1, this.#lengths.length);
    context.lineCap = "round";
    context.lineWidth = 0.62 * step * inner;
    this.#lengths.forEach((length, index) => {
      const angle = index * step - Math.PI / 2;
      const outer = inner + context.lineWidth / 2 + length * (0.94 * radius - inner - context.lineWidth);
      context.strokeStyle = isLight ? darker(this.#colours[index]) : this.#colours[index];
      context.beginPath();
      context.moveTo(Math.cos(angle) * (inner + context.lineWidth / 2), Math.sin(angle) * (inner + context.lineWidth / 2));
      context.lineTo(Math.cos(angle) * outer, Math.sin(angle) * outer);
      context.stroke();
    });
    context.restore();
  }

  /** Whether the page is light: by the button, or by the preference of the system. */
  #prefersLight() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "light" : matchMedia("(prefers-color-scheme: light)").matches;
  }
}

/** Return a colour that is visible on a light page. */
function darker(colour) {
  const channels = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  return `rgb(${channels.map((channel) => Math.round(0.78 * channel)).join(" ")})`;
}
