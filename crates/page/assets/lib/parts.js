// Cards, parts that open, tables, bars, and what went wrong.

import { el, put } from './dom.js';
import { ApiError, newest } from './api.js';
import { t, percent } from './i18n.js';

export const row = (...children) => el('div.row', children);
export const hint = (key, values) => el('p.hint', t(key, values));
export const card = (key, ...children) => el('section.card', el('h2', t(key)), children);

// What went wrong, in a sentence that a screen reader reads out.
export function failure(error) {
	if (!(error instanceof ApiError || error.name === 'AbortError')) console.error(error);
	const { message, status } = error;
	return el('p.note.bad', { role: 'alert' }, message === 'offline' ? t('offline') : status ? t('says', { sentence: message }) : message);
}

// Runs `work`; a failure is shown at the top of the page until something that begins later works: with `own`, another
// work of the same owner.
export async function attempt(work, own) {
	const box = document.getElementById('error');
	const before = own ? own.note : box.firstChild;
	try {
		const result = await work();
		before?.remove();
		return result;
	} catch (error) {
		if (error.name === 'AbortError') return undefined;
		const note = failure(error);
		if (own) own.note = note;
		put(box, note);
		return undefined;
	}
}

// The newest request only, with its failure shown.
export const latest = (work, own = {}) => newest((...args) => attempt(() => work(...args), own));

// A part that opens: `fill()` makes what is inside, each time that it opens or that `refresh` is called.
export function part(title, fill, { kind = 'part', open = false } = {}) {
	const inside = el('div.inside');
	const draw = newest(async () => {
		try {
			const made = await fill();
			const had = inside.contains(document.activeElement) && document.activeElement;
			put(inside, made);
			// What had the focus keeps it, or else the button that took its place.
			if (had) (had.isConnected ? had : [...inside.querySelectorAll('button')].find((b) => b.textContent === had.textContent))?.focus();
		} catch (error) { put(inside, failure(error)); }
	});
	const node = el(`details.${kind}`, { open, ontoggle: () => (node.open ? draw() : put(inside)) }, el('summary', t(title)), inside);
	node.refresh = () => node.open && draw();
	return node;
}

// A box that scrolls, also with the keyboard. It is no landmark: a picture and its table have one name.
export const scroll = (label, child, more = '') => el(`div.scroll${more}`, { tabindex: 0, role: 'group', 'aria-label': t(label) }, child);

// A table; the first cell of each row names it.
export const table = (caption, head, rows, kind = '') => scroll(caption, el(`table${kind}`, el('caption.unseen', t(caption)),
	el('thead', el('tr', head.map((cell) => (cell === '' ? el('td') : el('th', { scope: 'col' }, cell))))),
	el('tbody', rows.map(([first, ...cells]) => el('tr', el('th', { scope: 'row' }, first), cells.map((cell) => el('td', cell)))))));

// Probabilities as bars. An update lays nothing out again.
export class Bars {
	constructor(label, names = []) {
		this.node = el('ul.bars', { 'aria-label': label });
		this.names(names);
	}

	names(names) {
		this.rows = names.map((name) => {
			const [fill, value] = [el('div.fill'), el('span.v')];
			return { fill, value, node: el('li', el('span.code', name), el('div.track', fill), value) };
		});
		put(this.node, this.rows.map((r) => r.node));
	}

	update(values, full = 1) {
		const most = Math.max(...values);
		this.rows.forEach(({ fill, value, node }, i) => {
			fill.style.transform = `scaleX(${Math.min(1, values[i] / full)})`;
			value.textContent = percent(values[i]);
			node.classList.toggle('best', values[i] === most && most > 0);
		});
	}
}
