// The layers of a digit network: each neuron with its weights as an image and its activation as a bar.

import { Bars, card, el, formula, get, hint, Matrix, number, paint, part, query, show, strongest, t, table, tensor, put, times } from '../lib/page.js';

const MOST_NEURONS = 200;
const RULES = { softmax: 'a = softmax(z)', relu: 'a = max(0, z)', gelu: 'a = gelu(z)', tanh: 'a = tanh z', sigmoid: 'a = 1 / (1 + exp(-z))' };

export class Layers {
	constructor() {
		this.bars = new Bars(t('probabilities'));
		this.node = el('div');
	}

	// The layers of a model. `look(rows, cols)` hears the size of its images.
	async load(model, look) {
		const first = await get(`digits/test/0?${query({ model })}`);
		const weights = await Promise.all(first.layers.map((l) => tensor(`digits/weights?${query({ model, layer: l.number })}`)));
		Object.assign(this, { model, classes: first.classes });
		look(first.rows, first.cols);
		this.bars.names(first.classes);
		this.fills = [];
		const cards = first.layers.map((l, i) => this.layer(l, weights[i].data, i ? [1, l.inputs] : [first.rows, first.cols], i + 1 === first.layers.length));
		this.behind = part('digits.all', () => (this.read?.layers ?? []).map((l) => table(t('layer.n', { n: l.number }), [t('neuron'), 'z', 'a'], l.z.map((z, i) => [i, number(z), number(l.a[i])]), '.figures')), { kind: 'behind' });
		put(this.node, cards, this.behind);
		this.update(null);
	}

	layer(l, w, [rows, cols], last) {
		const most = strongest(w) / (rows > 1 ? 2 : 1);
		const fills = [];
		this.fills.push(fills);
		const neurons = times(Math.min(l.outputs, MOST_NEURONS), (i) => {
			const own = w.subarray(i * l.inputs, (i + 1) * l.inputs);
			const canvas = el(rows > 1 ? 'canvas' : 'canvas.strip', { 'aria-hidden': 'true' });
			paint(canvas, own, rows, cols, { most });
			const name = last ? this.classes[i] : i;
			const look = () => this.show(l, i, name, new Matrix({ rows, cols, data: own, most, cell: 9, high: rows > 1 ? null : 32, label: t('weights') }).node);
			fills[i] = el('span.fill');
			return el('li', el('button.picture', { type: 'button', onpointerenter: look, onfocus: look, onclick: look, 'aria-label': t('neuron.n', { n: name }) }, last ? el('b', name) : '', canvas, el('span.level', fills[i])));
		});
		const kind = last ? 'digits.last' : 'digits.hidden';
		return card(kind, hint(rows > 1 || last ? `${kind}.about` : 'digits.deeper', { n: l.outputs, k: l.inputs }), el(rows > 1 ? 'ul.gallery' : 'ul.gallery.strips', neurons));
	}

	// Shows what the network computes from a picture; `null` for no picture.
	update(read) {
		this.read = read;
		if (!this.fills) return;
		this.bars.update(read?.probabilities ?? this.classes.map(() => 0));
		this.fills.forEach((fills, l) => {
			const a = read?.layers[l].a;
			const most = a ? Math.max(1, strongest(a)) : 1;
			fills.forEach((fill, i) => { fill.style.transform = `scaleX(${a ? Math.abs(a[i]) / most : 0})`; });
		});
		this.behind.refresh();
	}

	show(l, i, name, picture) {
		const now = this.read?.layers[l.number - 1];
		show({ name: t('neuron.of', { n: name, l: l.number }), about: t('weights.read'), shape: [l.inputs], axes: '(K)', equation: 'z = sum_k w_k x_k + b',
			rows: now ? [['z', number(now.z[i], 6)], [formula(RULES[l.activation]), number(now.a[i], 6)]] : [], extra: [picture] });
	}
}
