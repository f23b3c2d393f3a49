// The daemon's API.

export async function get(path, parameters = {}, patience = 10000) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined) query.append(name, one);
  }
  const address = query.size ? `${path}?${query}` : path;
  const answer = await fetch(address, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(patience) });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error?.message ?? `${path}: ${answer.status}`);
  return body;
}

// Newest values by metric name: values("forewarn_gpu_power_watts") is a list of {labels, value, time}.
export function latestIndex(answer) {
  const byName = new Map();
  for (const one of answer.values) {
    if (!byName.has(one.name)) byName.set(one.name, []);
    byName.get(one.name).push(one);
  }
  return {
    time: Date.parse(answer.time),
    newest: answer.values.reduce((newest, one) => Math.max(newest, Date.parse(one.time)), 0),
    values: (name) => byName.get(name) ?? [],
    value: (name, labels = {}) =>
      (byName.get(name) ?? []).find((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))?.value,
  };
}
