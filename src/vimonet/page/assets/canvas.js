// A canvas: sized to its box, its view turned by drag, wheel, pinch and keys.

// A context in pixels of the page, cleared; null while the box has no size.
export function sized(canvas, width, height) {
  if (!width || !height) return null;
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const g = canvas.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  return g;
}

// `flat()` tells whether the view is that of a picture, which is zoomed but not turned.
export function turnByHand(canvas, camera, { flat, changed }) {
  const pointers = new Map();
  let pinch = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    canvas.classList.add("held");
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()];
      const wide = Math.hypot(a[0] - b[0], a[1] - b[1]);
      if (pinch) camera.zoomBy(wide / pinch);
      pinch = wide;
    } else if (!flat()) camera.turn(event.clientX - before[0], event.clientY - before[1]);
    changed();
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    pinch = 0;
    canvas.classList.remove("held");
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return; // the page scrolls
      event.preventDefault();
      camera.zoomBy(Math.exp(-event.deltaY / 500));
      changed();
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const turns = { ArrowLeft: [-24, 0], ArrowRight: [24, 0], ArrowUp: [0, 20], ArrowDown: [0, -20] };
    if (event.altKey && turns[event.key] && !flat()) camera.turn(...turns[event.key]);
    else if (event.key === "+" || event.key === "=") camera.zoomBy(1.15);
    else if (event.key === "-") camera.zoomBy(1 / 1.15);
    else return;
    event.preventDefault();
    event.stopPropagation();
    changed();
  });
}
