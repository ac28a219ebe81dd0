/** The impulse response of a low-pass filter. */

/**
 * Return the response of an ideal low-pass, limited by a Kaiser window.
 * @param {number} x  distance from the centre in samples
 * @param {number} cutoff  as a share of the Nyquist frequency: the middle of the transition
 * @param {number} half  half the length of the window in samples
 * @param {number} beta  of the window: the higher, the less passes and the wider the transition
 */
export function kaiserSinc(x, cutoff, half, beta) {
  const edge = x / half;
  if (Math.abs(edge) >= 1) {
    return 0;
  }
  const angle = Math.PI * cutoff * x;
  const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
  return (cutoff * sinc * bessel(beta * Math.sqrt(1 - edge * edge))) / bessel(beta);
}

/** The modified Bessel function of order 0. */
function bessel(x) {
  let [term, total] = [1, 1];
  for (let k = 1; term > 1e-12 * total; k += 1) {
    term *= (x / (2 * k)) ** 2;
    total += term;
  }
  return total;
}
