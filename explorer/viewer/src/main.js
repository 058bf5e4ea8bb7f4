// The Streamlit component: called at mount, and again whenever its data or the theme changes.
import { Clip } from "./clip.js";
import { Viewer } from "./viewer.js";

const viewers = new WeakMap(); // parentElement -> Viewer

export default function mount({ data, parentElement, setStateValue }) {
  let viewer = viewers.get(parentElement);
  if (!viewer) {
    viewer = new Viewer(parentElement);
    viewers.set(parentElement, viewer);
  }
  viewer.onSettled = (frame) => setStateValue("frame", frame);
  if (viewer.clip?.meta.id !== data.meta.id) viewer.open(new Clip(data));
  else viewer.retheme();
  return () => {
    viewer.dispose();
    viewers.delete(parentElement);
  };
}
