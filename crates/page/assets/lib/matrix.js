// A matrix as a picture: the pointer or the arrow keys pick a number; a table stands behind it.

import { el, say, times } from './dom.js';
import { paint } from './palette.js';
import { hint, part, table } from './parts.js';
import { number } from './i18n.js';

const [WIDEST, HIGHEST] = [560, 480]; // CSS pixels
const LOWEST = 6; // a row of a wide matrix is at least this high
const WINDOW = 16; // rows and columns of the table
const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-10, 0], PageDown: [10, 0], Home: [0, -1e9], End: [0, 1e9] };

// `rows`, `cols`, `data` (row by row), `label`; `scale` (`signed`, `ink`, `share`), `most` (the number of the strongest
// colour), `cell` (CSS pixels), `high` (the height of the picture), `rowNames`, `colNames`, `masked(row, col)`,
// `names` to write the names beside the picture, `write` for the numbers themselves in the cells, `pick(row, col, value)`
// when a number is pointed at.
export class Matrix {
	constructor(options) {
		Object.assign(this, { scale: 'signed', cell: 10, at: [0, 0] }, options);
		const { rows, cols, label, cell } = this;
		this.canvas = el('canvas', { role: 'img', 'aria-label': `${label}, ${rows} × ${cols}` });
		this.cursor = el('div.cursor', { hidden: true });
		this.texts = this.write && times(rows * cols, () => el('span'));
		const frame = el('div.matrix', this.canvas, this.cursor, this.texts && el('div.cells', { 'aria-hidden': 'true' }, this.texts));
		frame.style.setProperty('--cols', cols);
		const wide = Math.min(cols * cell, WIDEST);
		frame.style.width = `${wide}px`;
		if (this.high) frame.style.height = `${this.high}px`;
		else frame.style.aspectRatio = `${wide} / ${Math.min(HIGHEST, rows * Math.max(wide / cols, Math.min(cell, LOWEST)))}`;
		this.behind = part('table', () => this.window(), { kind: 'behind' });
		const beside = (kind, names) => el(`div.${kind}`, { 'aria-hidden': 'true' }, names.map((name) => el('span', name)));
		this.node = el('figure', this.names ? el('div.named', beside('tops', this.colNames), beside('lefts', this.rowNames), frame) : frame, this.behind);
		this.listen();
		if (this.data) this.update(this.data, this.most);
	}

	update(data, most) {
		Object.assign(this, { data, most });
		const { rows, cols, scale, masked } = this;
		if (this.texts) this.texts.forEach((text, i) => { text.textContent = number(Number(data[i].toFixed(2)), 2); });
		paint(this.canvas, data, rows, cols, { scale, most, masked: masked && ((i) => masked(Math.floor(i / cols), i % cols)) });
	}

	value(i, j) {
		return this.data[i * this.cols + j];
	}

	name(i, j) {
		return `${this.rowNames?.[i] ?? i}, ${this.colNames?.[j] ?? j}`;
	}

	listen() {
		const { canvas } = this;
		const on = (name, work) => canvas.addEventListener(name, work);
		const point = ({ clientX: x, clientY: y }) => {
			const box = canvas.getBoundingClientRect();
			this.move(Math.floor(((y - box.top) / box.height) * this.rows), Math.floor(((x - box.left) / box.width) * this.cols));
		};
		canvas.tabIndex = 0;
		for (const name of ['pointermove', 'pointerdown']) on(name, point);
		for (const name of ['pointerleave', 'blur']) on(name, () => { this.cursor.hidden = true; });
		on('focus', () => canvas.matches(':focus-visible') && this.move(...this.at));
		on('keydown', (e) => {
			const by = KEYS[e.key];
			if (!by) return;
			e.preventDefault();
			this.move(this.at[0] + by[0], this.at[1] + by[1]);
			say(`${this.name(...this.at)}: ${number(this.value(...this.at))}`);
		});
	}

	move(i, j) {
		const inside = (x, n) => Math.max(0, Math.min(n - 1, x));
		this.at = [inside(i, this.rows), inside(j, this.cols)];
		this.mark(...this.at);
		this.pick?.(...this.at, this.value(...this.at));
		this.behind.refresh();
	}

	// Frames a number; without a column its row, without a row its column.
	mark(i, j = null) {
		const share = (x, n) => `${(100 * x) / n}%`;
		const span = (x, n) => (x === null ? ['0', '100%'] : [share(x, n), share(1, n)]);
		const [[top, height], [left, width]] = [span(i, this.rows), span(j, this.cols)];
		Object.assign(this.cursor.style, { top, height, left, width });
		this.cursor.hidden = false;
	}

	// The numbers around the one that was picked last.
	window() {
		const around = (x, n) => { const from = Math.max(0, Math.min(x - WINDOW / 2, n - WINDOW)); return times(Math.min(WINDOW, n), (i) => from + i); };
		const [rows, cols] = [around(this.at[0], this.rows), around(this.at[1], this.cols)];
		const all = table(this.label, ['', ...cols.map((c) => this.colNames?.[c] ?? String(c))], rows.map((r) => [this.rowNames?.[r] ?? r, ...cols.map((c) => number(this.value(r, c)))]), '.figures');
		return this.rows > WINDOW || this.cols > WINDOW ? [hint('window', { r: rows.length, c: cols.length }), all] : all;
	}
}
