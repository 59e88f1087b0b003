// Which earlier token does this one look at? Every head at a glance, and one token by pointing.

import { el, paint, percent, t, values, visible, put, times } from '../lib/page.js';
import { attention } from '../lib/attention.js';

const MOST_NUMBERS = 2e6; // of all heads together; beyond, a layer is fetched when it is chosen
const NAMED = 5;

export class Look {
	// `chosen(layer, head)` hears which head is picked.
	constructor(chosen) {
		this.chosen = chosen;
		[this.grid, this.big, this.says] = [el('div.heads'), el('div'), el('p.says')];
		this.node = el('div', this.says, el('div.look', this.grid, this.big));
	}

	async set(inspection, chips, [layer, head]) {
		const { layers, heads, tokens } = inspection;
		Object.assign(this, { inspection, chips, at: chips.at, weights: [] });
		if (layers.length * heads * tokens.length ** 2 <= MOST_NUMBERS) await Promise.all(layers.map((_, l) => this.fetch(l)));
		this.draw();
		await this.choose(layer, head);
	}

	async fetch(layer) {
		const { inspection } = this;
		const { data } = await values(inspection.id, `h.${layer}.attn.weights`);
		if (inspection === this.inspection) this.weights[layer] = data;
	}

	// The weights from every token to every token in one head: `(T, T)`.
	of(layer, head) {
		const n = this.inspection.tokens.length ** 2;
		return this.weights[layer]?.subarray(head * n, (head + 1) * n);
	}

	draw() {
		const { layers, heads, tokens } = this.inspection;
		const all = times(heads, (h) => h);
		const button = (l, h) => {
			const canvas = el('canvas', { 'aria-hidden': 'true' });
			if (this.of(l, h)) paint(canvas, this.of(l, h), tokens.length, tokens.length, { most: 1, scale: 'share' });
			return el('button.picture', { type: 'button', 'aria-label': t('head.n', { l, h }), 'data-head': `${l} ${h}`, onclick: () => this.chosen(l, h) }, canvas);
		};
		this.grid.style.setProperty('--heads', heads);
		put(this.grid, el('span'), all.map((h) => el('span', `${t('head')} ${h}`)), layers.flatMap((_, l) => [el('span', `${t('layer')} ${l}`), ...all.map((h) => button(l, h))]));
	}

	async choose(layer, head) {
		Object.assign(this, { layer, head });
		if (!this.of(layer, head)) await this.fetch(layer);
		if (layer !== this.layer || head !== this.head) return;
		for (const b of this.grid.querySelectorAll('button')) b.setAttribute('aria-pressed', String(b.dataset.head === `${layer} ${head}`));
		const look = this.inspection.attention.find((a) => a.layer === layer && a.head === head);
		this.matrix = attention(this.inspection, look, this.of(layer, head), (i) => { this.chips.mark(i); this.tint(i); });
		put(this.big, this.matrix.node);
		this.from(this.at);
	}

	from(i) {
		this.tint(i);
		this.matrix?.mark(i);
	}

	tint(i) {
		const { tokens } = this.inspection;
		const weights = this.of(this.layer, this.head)?.subarray(i * tokens.length, (i + 1) * tokens.length);
		if (!weights) return;
		this.at = i;
		this.chips.tint(weights);
		const best = [...weights.keys()].sort((a, b) => weights[b] - weights[a]).slice(0, NAMED).filter((j) => weights[j] > 0);
		put(this.says, t('look.says', { token: visible(tokens[i]), l: this.layer, h: this.head }), ' ', best.flatMap((j) => [el('b.code', visible(tokens[j])), ` ${percent(weights[j])}  `]));
	}
}
