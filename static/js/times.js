/* Relative times go on ticking: <time data-ago> and, for what is under way, <time data-since> (elapsed). */

const STEPS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const WEEK = 7 * 86400;

function ago(seconds) {
  const distance = Math.abs(seconds);
  if (distance < 10) return "just now";
  const [size, unit] = STEPS.find(([size]) => distance >= size);
  const text = `${Math.floor(distance / size)} ${unit}`;
  return seconds > 0 ? `${text} ago` : `in ${text}`;
}

function elapsed(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const index = STEPS.findIndex(([size]) => whole >= size);
  const [[size, unit], [smaller, smallerUnit]] = [STEPS[index], STEPS[index + 1]];
  const rest = Math.floor((whole % size) / smaller);
  return `${Math.floor(whole / size)} ${unit}${rest ? ` ${rest} ${smallerUnit}` : ""}`;
}

function tick() {
  if (document.hidden) return;
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-ago], time[data-since]")) {
    const seconds = (now - Date.parse(time.dateTime)) / 1000;
    if (Number.isNaN(seconds)) continue;
    const text = "since" in time.dataset ? elapsed(seconds) : Math.abs(seconds) < WEEK ? ago(seconds) : null;
    if (text && time.textContent !== text) time.textContent = text;
  }
}

setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
