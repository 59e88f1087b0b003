// Curves as SVG, with a table behind them.

import { el, svg, put, times } from './dom.js';
import { part, table } from './parts.js';
import { number } from './i18n.js';

const [H, LEFT, RIGHT, TOP, BOTTOM] = [220, 62, 24, 12, 34];
const MOST_ROWS = 60;
const APART = 66; // pixels between the labels of x at least

function ticks(low, high, most = 5) {
	const raw = (high - low) / most;
	const power = 10 ** Math.floor(Math.log10(raw));
	const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
	const first = Math.ceil(low / step);
	return times(Math.floor(high / step) - first + 1, (i) => Number(((first + i) * step).toPrecision(12)));
}

function bounds(values) {
	const finite = values.filter(Number.isFinite);
	if (!finite.length) return [0, 1];
	const [low, high] = [finite.reduce((a, b) => Math.min(a, b)), finite.reduce((a, b) => Math.max(a, b))];
	return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

// Curves `{name, points: [[x, y], ...], dot: [x, y], colour}` between axes named `x` and `y`.
export class Chart {
	constructor(label, x, y) {
		Object.assign(this, { label, x, y, curves: [] });
		this.art = svg('svg.chart', { height: H, role: 'img', 'aria-label': label });
		this.legend = el('ul.legend');
		this.behind = part('table', () => this.tables(), { kind: 'behind' });
		this.node = el('figure', this.art, this.legend, this.behind);
		new ResizeObserver(() => this.update(this.curves)).observe(this.art);
	}

	update(curves) {
		this.curves = curves;
		const W = this.art.clientWidth;
		if (!W) return;
		const all = curves.flatMap((c) => (c.dot ? [...c.points, c.dot] : c.points));
		const areSteps = all.every((p) => Number.isInteger(p[0])); // there is nothing between two
		const [x0, x1] = bounds(all.map((p) => p[0]));
		const [y0, y1] = bounds(all.map((p) => p[1]));
		const px = (x) => LEFT + ((x - x0) / (x1 - x0)) * (W - LEFT - RIGHT);
		const py = (y) => H - BOTTOM - ((y - y0) / (y1 - y0)) * (H - TOP - BOTTOM);
		const text = (x, y, anchor, words, more) => svg('text', { x, y, 'text-anchor': anchor, ...more }, words);
		const middle = (H - BOTTOM) / 2;
		put(this.art,
			...ticks(y0, y1).flatMap((v) => [svg('line.grid', { x1: LEFT, x2: W - RIGHT, y1: py(v), y2: py(v) }), text(LEFT - 6, py(v) + 4, 'end', number(v, 6))]),
			...ticks(x0, x1, Math.max(1, Math.min(5, (W - LEFT - RIGHT) / APART))).filter((v) => Number.isInteger(v) || !areSteps).map((v) => text(px(v), H - BOTTOM + 15, 'middle', number(v, 7))),
			text((LEFT + W - RIGHT) / 2, H - 3, 'middle', this.x), text(12, middle, 'middle', this.y, { transform: `rotate(-90 12 ${middle})` }),
			...curves.flatMap((curve, i) => this.draw(curve, `c${(curve.colour ?? i) % 6}`, px, py)));
		put(this.legend, curves.length > 1 && curves.map((c, i) => el(`li.c${(c.colour ?? i) % 6}`, c.name)));
		this.behind.refresh();
	}

	draw({ points, dot }, colour, px, py) {
		const known = points.filter((p) => Number.isFinite(p[1]));
		const at = dot ?? (known.length === 1 ? known[0] : null);
		return [svg(`polyline.curve.${colour}`, { points: known.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ') }),
			at ? svg(`circle.curve.dot.${colour}`, { cx: px(at[0]), cy: py(at[1]), r: 5 }) : ''];
	}

	tables() {
		return this.curves.map(({ name, points }) => {
			const every = Math.ceil(points.length / MOST_ROWS) || 1;
			return table(`${this.label}: ${name}`, [this.x, name], points.filter((_, i) => i % every === 0 || i === points.length - 1).map((p) => p.map((v) => number(v))));
		});
	}
}
