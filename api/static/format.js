// Numbers and times as people read them. Times are shown in the reader's own zone.

const KIB = 1024;
const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const SI = [[1e9, "G"], [1e6, "M"], [1e3, "k"]];
const clock = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" });

function plain(value) {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 4;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}

function bytes(value) {
  const step = value === 0 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.max(0, Math.floor(Math.log2(Math.abs(value)) / 10)));
  const scaled = value / KIB ** step;
  return `${scaled.toFixed(step === 0 || Math.abs(scaled) >= 100 || Number.isInteger(scaled) ? 0 : 1)} ${BYTE_UNITS[step]}`;
}

function seconds(value) {
  if (Math.abs(value) >= 120) return duration(value * 1000);
  if (Math.abs(value) >= 1) return `${plain(value)} s`;
  if (value === 0) return "0 s";
  return Math.abs(value) >= 0.001 ? `${plain(value * 1000)} ms` : `${plain(value * 1e6)} µs`;
}

function si(value, unit) {
  const [factor, prefix] = SI.find(([limit]) => Math.abs(value) >= limit) ?? [1, ""];
  return `${plain(value / factor)} ${prefix}${unit}`;
}

const FORMATS = {
  bytes,
  seconds,
  ratio: (value) => `${plain(Math.round(value * 1000) / 10)} %`,
  celsius: (value) => `${plain(value)} °C`,
  watts: (value) => `${plain(Math.round(value))} W`,
  joules: (value) => si(value, "J"),
  hertz: (value) => si(value, "Hz"),
};

export function quantity(value, unit) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return (FORMATS[unit] ?? plain)(value);
}

// "70.6 of 80 GiB": the unit once where both have the same.
export function part(value, whole, unit) {
  const [one, all] = [quantity(value, unit), quantity(whole, unit)];
  const [word, wholeWord] = [one, all].map((text) => text.slice(text.indexOf(" ")));
  return `${word === wholeWord ? one.slice(0, -word.length) : one} of ${all}`;
}

export function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share < 0.01) return "< 1 %";
  return share > 0.99 ? "> 99 %" : `${Math.round(share * 100)} %`;
}

export function duration(ms) {
  const minutes = Math.max(0, Math.round(ms / 60000));
  const [days, hours, left] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  if (days) return hours ? `${days} d ${hours} h` : `${days} d`;
  if (hours) return left ? `${hours} h ${left} min` : `${hours} h`;
  return `${left} min`;
}

export function age(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 90 ? `${seconds} s` : duration(ms);
}

export const ago = (ms) => `${age(ms)} ago`;

export const weekTime = (ms) => clock.format(ms).replace(",", "");

// Steps for an axis: powers of two for bytes, so that the labels are round.
export function axisSteps(unit) {
  const steps = [];
  if (unit === "bytes") for (let power = 0; power < 60; power += 1) steps.push(2 ** power);
  else for (let power = -9; power < 16; power += 1) for (const base of [1, 2, 5]) steps.push(Number(`${base}e${power}`));
  return steps;
}
