// What is wrong with the texts of a page: an object {width, overflow, texts, problems}.
(() => {
  const problems = [];
  const SLACK = 1.5; // pixels that rounding may take
  const page = document.scrollingElement; // as wide as the screen; a phone's innerWidth grows with what is wide

  const rgba = (text) => {
    const [r, g, b, a = 1] = text.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
    return text.startsWith("color(") ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
  };
  const over = (top, below) => below.map((value, place) => top[3] * top[place] + (1 - top[3]) * value);
  const background = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(rgba(getComputedStyle(one).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  // Relative luminance and contrast as WCAG 2.2 defines them.
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };

  const opacity = (element) => {
    let product = 1;
    for (let one = element; one; one = one.parentElement) product *= getComputedStyle(one).opacity;
    return product;
  };

  const clipped = (element, box) => {
    for (let one = element; one && one !== document.documentElement; one = one.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(one);
      if (overflowX === "visible" && overflowY === "visible") continue;
      const frame = one.getBoundingClientRect();
      if (box.top < frame.top - SLACK || box.bottom > frame.bottom + SLACK) return "above or below";
      if (overflowX === "auto" || overflowX === "scroll") {
        if (one.scrollWidth > one.clientWidth && one.tabIndex < 0) return "in a part that no key scrolls";
        const left = frame.left - one.scrollLeft;
        const seen = box.left >= left - SLACK && box.right <= left + one.scrollWidth + SLACK;
        return seen ? null : "beyond what can be scrolled to";
      }
      if (box.left < frame.left - SLACK || box.right > frame.right + SLACK) return "beside its part";
    }
    return box.left < -SLACK || box.right > page.clientWidth + SLACK ? "beside the page" : null;
  };

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!node.data.trim() || element.closest("title, style")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
    const style = getComputedStyle(element);
    if (!boxes.length || style.visibility !== "visible") {
      problems.push(["not shown", node.data]);
      continue;
    }
    const drawing = element.closest("svg");
    const scale = drawing ? drawing.getScreenCTM().a : 1;
    const colour = rgba(drawing ? style.fill : style.color);
    colour[3] *= opacity(element) * (drawing ? style.fillOpacity : 1);
    const ground = background(element);
    const ratio = contrast(over(colour, ground), ground);
    if (ratio < 4.5) problems.push([`contrast ${ratio.toFixed(2)}`, node.data]);
    if (parseFloat(style.fontSize) * scale < 9) problems.push(["small", parseFloat(style.fontSize) * scale, node.data]);
    for (const box of boxes) {
      const where = clipped(element, box);
      if (where) problems.push([where, node.data]);
      texts.push({ box, node, element });
    }
  }

  // Lines of the same text stand close; those of two may not lie on each other.
  const sorted = texts.sort((a, b) => a.box.top - b.box.top);
  sorted.forEach((one, place) => {
    for (let next = place + 1; next < sorted.length && sorted[next].box.top < one.box.bottom - 5; next++) {
      const other = sorted[next];
      const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const high = Math.min(one.box.bottom, other.box.bottom) - other.box.top;
      if (wide > 3 && high > 5 && one.node !== other.node && one.element.parentElement !== other.element.parentElement) {
        problems.push(["on each other", one.node.data, other.node.data]);
      } else if (wide > 3 && high > 5 && one.node !== other.node && one.element.closest("svg")) {
        problems.push(["on each other", one.node.data, other.node.data]);
      }
    }
  });

  return { width: innerWidth, overflow: page.scrollWidth - page.clientWidth, texts: texts.length, problems };
})();
