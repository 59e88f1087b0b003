// Numbers as colours, one pixel each. The ends of each scale are those of the style sheet.

const STEPS = 256;
const SCALES = { signed: ['neg', 'zero', 'pos'], ink: ['paper', 'paper', 'ink'], share: ['zero', 'zero', 'pos'] };
let tables = {};
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
	tables = {};
	for (const canvas of document.querySelectorAll('canvas')) canvas.again?.();
});

function rgb(name) {
	const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
	return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}
const pixel = ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r;

function palette(scale) {
	return (tables[scale] ??= (() => {
		const [low, zero, high] = SCALES[scale].map(rgb);
		return Uint32Array.from({ length: 2 * STEPS + 1 }, (_, i) => {
			const share = (i - STEPS) / STEPS;
			return pixel(zero.map((c, k) => Math.round(c + ((share < 0 ? low : high)[k] - c) * Math.abs(share))));
		});
	})());
}

// The largest magnitude, for the strongest colour.
export const strongest = (data) => {
	let most = 0;
	for (const x of data) if (Math.abs(x) > most && Math.abs(x) < Infinity) most = Math.abs(x);
	return most || 1;
};

// Paints a matrix onto a canvas. Hidden numbers, minus infinity or `masked(i)`, are grey.
export function paint(canvas, data, rows, cols, { most, scale = 'signed', masked } = {}) {
	canvas.again = () => paint(canvas, data, rows, cols, { most, scale, masked });
	if (canvas.width !== cols || canvas.height !== rows) { canvas.width = cols; canvas.height = rows; }
	const context = canvas.getContext('2d');
	const image = context.createImageData(cols, rows);
	const pixels = new Uint32Array(image.data.buffer);
	const colours = palette(scale);
	const grey = (tables.grey ??= pixel(rgb('masked')));
	const full = most || strongest(data);
	const share = scale === 'share' ? (x) => Math.sqrt(x / full) : (x) => x / full;
	for (let i = 0; i < pixels.length; i++) {
		pixels[i] = data[i] === -Infinity || masked?.(i) ? grey : colours[Math.round(STEPS * Math.max(-1, Math.min(1, share(data[i])))) + STEPS];
	}
	context.putImageData(image, 0, 0);
}

export const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
