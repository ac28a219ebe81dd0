/** Functions for arrays of numbers that several modules use. */

/** Join arrays of floats. @param {Float32Array[]} parts */
export function concatenate(parts) {
  if (parts.length === 1) {
    return parts[0];
  }
  const joined = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Return the index of the largest value; the first of equal ones. */
export function argmax(values) {
  let best = 0;
  for (let index = 1; index < values.length; index += 1) {
    if (values[index] > values[best]) {
      best = index;
    }
  }
  return best;
}

/** Return the whole numbers from 0 to `n - 1`. */
export const range = (n) => Array.from({ length: n }, (_, index) => index);

/** Return the weighted mean of numbers. */
export function average(values, weights) {
  return values.reduce((total, value, index) => total + value * weights[index], 0) / sum(weights);
}

/** Return the weighted mean of rows of numbers of the same length. */
export function averageRows(rows, weights) {
  const total = sum(weights);
  return range(rows[0].length).map(
    (column) => rows.reduce((mean, row, index) => mean + row[column] * weights[index], 0) / total,
  );
}

/** Return probabilities from logits. */
export function softmax(logits) {
  const highest = logits.reduce((best, value) => Math.max(best, value), -Infinity);
  const exponentials = Array.from(logits, (value) => Math.exp(value - highest));
  const total = sum(exponentials);
  return exponentials.map((value) => value / total);
}

export const sigmoid = (logit) => 0.5 * (1 + Math.tanh(0.5 * logit));

/** Interpolate linearly; outside the known positions, the nearest value is returned. */
export function interpolate(x, positions, values) {
  const above = positions.findIndex((position) => position >= x);
  if (above === -1) {
    return values.at(-1);
  }
  if (above === 0) {
    return values[0];
  }
  const [low, high] = [positions[above - 1], positions[above]];
  const share = (x - low) / (high - low);
  return values[above - 1] + share * (values[above] - values[above - 1]);
}
