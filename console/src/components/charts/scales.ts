/** A value axis: maps a value to a fraction of its length (0 at the start, 1 at the end), and has tick marks. */
export interface Scale {
  at: (value: number) => number;
  ticks: readonly number[];
}

/** An axis from zero to a round number at or above the highest value. */
export function linear(values: readonly number[], isWhole: boolean): Scale {
  return between(0, Math.max(...values, isWhole ? 4 : 0), isWhole ? 1 : 0);
}

/** An axis of shares (0 to 1) that ends at 1 and starts at a round number below the lowest value. */
export function share(values: readonly number[]): Scale {
  const lowest = Math.min(...values, 0.95);
  const step = niceStep((1 - lowest) / 4, 0);
  const first = Math.max(0, Math.floor(lowest / step + 1e-9) * step);
  return between(first, 1, 0);
}

/** A logarithmic axis that starts and ends at powers of ten. All values must be positive. */
export function logarithmic(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(...positive, 100)));
  const high = Math.max(Math.ceil(Math.log10(Math.max(...positive, 1)) - 1e-9), low + 1);
  const ticks = Array.from({ length: high - low + 1 }, (_, power) => 10 ** (low + power));
  return { ticks, at: (value) => (Math.log10(Math.max(value, 10 ** low)) - low) / (high - low) };
}

function between(start: number, highest: number, smallestStep: number): Scale {
  const step = niceStep((highest - start) / 4, smallestStep);
  const count = Math.max(1, Math.ceil((highest - start) / step - 1e-9));
  // Multiplies the step, because sums would accumulate errors such as 0.30000000000000004.
  const ticks = Array.from({ length: count + 1 }, (_, at) => Number((start + at * step).toPrecision(12)));
  const end = ticks.at(-1) ?? 1;
  return { ticks, at: (value) => (value - start) / (end - start) };
}

/** The smallest number that is at least `wanted` and is 1, 2, 2.5 or 5 times a power of ten. */
function niceStep(wanted: number, smallest: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(wanted, smallest, 1e-6)));
  const steps = [1, 2, 2.5, 5, 10].map((factor) => factor * power);
  const fitting = steps.find((step) => step >= wanted - 1e-9 && step >= smallest && (!smallest || step % 1 === 0));
  return fitting ?? 10 * power;
}
