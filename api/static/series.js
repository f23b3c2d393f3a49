// Arithmetic on series as the API gives them: windows on a grid, quantiles of histograms.

// Puts columns of several series on one grid of times (seconds); windows without samples become null.
export function grid(startMs, endMs, stepMs, columns) {
  const first = Math.floor(startMs / stepMs) * stepMs;
  const times = [];
  for (let moment = first; moment < endMs; moment += stepMs) times.push(moment / 1000);
  const placed = columns.map(({ times: own, values }) => {
    const column = new Array(times.length).fill(null);
    own.forEach((moment, index) => {
      const place = Math.round((Date.parse(moment) - first) / stepMs);
      if (place >= 0 && place < column.length) column[place] = values[index];
    });
    return column;
  });
  return [times, ...placed];
}

// Sums columns of equal length; a place where all are null stays null.
export function sumColumns(columns, length) {
  const sum = new Array(length).fill(null);
  for (const column of columns) {
    column.forEach((value, index) => {
      if (value !== null && value !== undefined) sum[index] = (sum[index] ?? 0) + value;
    });
  }
  return sum;
}

// The quantile of a cumulative histogram, linear within a bucket, as Prometheus' histogram_quantile.
// buckets: [[upper bound, count]], sorted, the last bound infinite.
export function histogramQuantile(quantile, buckets) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (!(total > 0)) return null;
  const rank = quantile * total;
  const place = buckets.findIndex(([, count]) => count >= rank);
  if (place === buckets.length - 1) return buckets.length > 1 ? buckets.at(-2)[0] : null;
  const [low, below] = place > 0 ? buckets[place - 1] : [0, 0];
  const [high, count] = buckets[place];
  return count === below ? high : low + ((high - low) * (rank - below)) / (count - below);
}

// Per window the quantiles of a family of _bucket series (any number of workers, added up).
export function quantileColumns(series, startMs, endMs, stepMs, quantiles) {
  const bounds = new Map();
  for (const one of series) {
    const bound = one.labels.le === "+Inf" ? Infinity : Number(one.labels.le);
    if (!bounds.has(bound)) bounds.set(bound, []);
    bounds.get(bound).push({ times: one.times, values: one.increase });
  }
  const sorted = [...bounds.keys()].sort((left, right) => left - right);
  const [times] = grid(startMs, endMs, stepMs, []);
  const counts = sorted.map((bound) => sumColumns(grid(startMs, endMs, stepMs, bounds.get(bound)).slice(1), times.length));
  const columns = quantiles.map((quantile) =>
    times.map((_moment, index) => histogramQuantile(quantile, sorted.map((bound, place) => [bound, counts[place][index] ?? 0]))));
  return [times, ...columns];
}
