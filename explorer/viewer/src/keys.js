// Keys and their actions, while the viewer has the focus; a select box keeps its own keys.

const KEYS = {
  " ": "play",
  ArrowLeft: "back",
  ArrowRight: "forward",
  Home: "first",
  End: "last",
  w: "worst",
  "[": "worst-before",
  "]": "worst-after",
  r: "reset-view",
  o: "switch-layout",
  m: "switch-parts",
  c: "switch-colour",
  t: "switch-trails",
  f: "full-screen",
  s: "screenshot",
};
const WITH_SHIFT = { ArrowLeft: "back10", ArrowRight: "forward10" };

export function keyAction(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const { target } = event;
  if (target.matches("select")) return null;
  // Reached by Tab, a button or check box is pressed with space as everywhere, and the opacity moves with the arrows.
  if (event.key === " " && target.matches("button, input[type=checkbox]")) return null;
  if (event.key.startsWith("Arrow") && target.matches("input[type=range]:not(.slider)")) return null;
  return (event.shiftKey && WITH_SHIFT[event.key]) || KEYS[event.key] || null;
}
