"""Layout checks, measured in the browser."""

from __future__ import annotations

CONTRAST = """
(() => {
  const channels = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([red, green, blue]) => [red, green, blue]
    .map(part => (part /= 255) <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
  const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  const behind = element => {
    if (!element) return canvas;
    const [red, green, blue, alpha = 1] = channels(getComputedStyle(element).backgroundColor);
    if (alpha === 1) return [red, green, blue];
    return behind(element.parentElement)
      .map((part, place) => part * (1 - alpha) + [red, green, blue][place] * alpha);
  };
  const seen = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('title, script')) continue;
    const style = getComputedStyle(element);
    const [front, back] = [channels(element.closest('svg') ? style.fill : style.color), behind(element)];
    const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
    const what = `${element.tagName.toLowerCase()}.${element.getAttribute('class') || ''}`;
    seen.set(what, Math.min(seen.get(what) || 21, (high + 0.05) / (low + 0.05)));
  }
  return Object.fromEntries(seen);
})()
"""
"""The lowest contrast between text and background, by element and class. Source: WCAG 2.2, 1.4.3."""

LEGIBLE = 4.5

OVERLAPS = """
[...document.querySelectorAll('figure > svg')].flatMap(chart => {
  const labels = [...chart.querySelectorAll('text')].map(each => each.getBoundingClientRect());
  const edge = chart.getBoundingClientRect();
  const out = labels.filter(each => each.left < edge.left - 1 || each.right > edge.right + 1).length;
  const pairs = labels.flatMap((one, place) => labels.slice(place + 1).map(other => [one, other]));
  const over = pairs.filter(([one, other]) => one.left < other.right && other.left < one.right
    && one.top + 2 < other.bottom && other.top + 2 < one.bottom).length;
  return [[out, over]];
})
"""
"""For each chart: labels outside of it, and pairs of overlapping labels."""

TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
"""How far the page scrolls sideways, in pixels. Scrolling elements inside the page don't count."""

CANVAS = "getComputedStyle(document.body).backgroundColor"
