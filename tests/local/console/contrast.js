// Returns the texts with too low contrast, by the formula of WCAG 2: text colour over the backgrounds behind it.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const layers = new Map();
  const layer = (color) => {
    if (!layers.has(color)) layers.set(color, drawn(color));
    return layers.get(color);
  };
  const drawn = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((part, i) => part * a + under[i] * (1 - a));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((part) => ((part /= 255) <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const low = new Set();
  const texts = document.createTreeWalker(document.getElementById("console"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility({ opacityProperty: true }) || element.closest(".hidden, option, .skip")) continue;
    const chain = [];
    for (let up = element; up; up = up.parentElement) chain.unshift(up);
    let ground = [255, 255, 255];
    let opacity = 1;
    for (const each of chain) {
      ground = over(layer(getComputedStyle(each).backgroundColor), ground);
      opacity *= Number(getComputedStyle(each).opacity);
    }
    const [r, g, b, a] = layer(getComputedStyle(element).color);
    const [one, two] = [light(over([r, g, b, a * opacity], ground)), light(ground)].sort((x, y) => y - x);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < 4.5) low.add(`${element.tagName}.${element.getAttribute("class")} ${ratio.toFixed(2)} ${texts.currentNode.data.slice(0, 20)}`);
  }
  return [...low];
}
