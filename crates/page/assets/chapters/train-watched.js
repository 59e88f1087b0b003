// The weights and gradients of a training as pictures.

import { el, field, Matrix, newest, paint, query, row, select, shape, show, strongest, t, tensor, put, times } from '../lib/page.js';

const BREAK = 120; // ms, so that the training keeps its pace
const IMAGE = 784;

export class Watched {
	constructor() {
		this.node = el('div');
		this.refresh = newest(() => this.fetch());
	}

	of(training) {
		const all = training?.parameters ?? [];
		const choose = (name) => { this.name = name; this.pictures = null; this.refresh(); };
		this.moved = training?.has_gradient; // before a step, there is no gradient
		this.box = el('div.cards');
		put(this.node, all.length > 0 && [row(field('train.watch', select(all.map((p) => [p.name, `${p.name} ${shape(p.shape)}`]), all[0].name, choose))), this.box]);
		choose(all[0]?.name);
	}

	async fetch() {
		const { name } = this;
		if (document.hidden || !name || !this.node.isConnected) return;
		const both = await Promise.all([0, 1].slice(0, this.moved ? 2 : 1).map((gradient) => tensor(`training/parameter?${query({ name, gradient: gradient || '' })}`).catch(() => null)));
		if (name !== this.name) return;
		if (!this.pictures || both.some((x, i) => x && !this.pictures[i])) {
			this.pictures = both.map((x, i) => x && this.picture(x, t(i ? 'gradient' : 'weights')));
			put(this.box, this.pictures.filter(Boolean).map((p) => p.node));
		}
		both.forEach((x, i) => x && this.pictures[i].update(x.data));
		await new Promise((done) => setTimeout(done, BREAK));
	}

	picture({ data, shape: dims }, title) {
		const cols = dims.at(-1) ?? 1;
		const rows = data.length / cols;
		const box = (node) => el('div', el('h3', title), node);
		if (cols !== IMAGE) {
			const name = this.name;
			const matrix = new Matrix({ rows, cols, cell: 5, label: `${name}, ${title}`, pick: (i, j, value) => show({ name, about: title, shape: dims, value, rows: [[t('place'), `${i}, ${j}`]] }) });
			return { node: box(matrix.node), update: (d) => matrix.update(d) };
		}
		const images = times(rows, (i) => el('canvas.thumb', { role: 'img', 'aria-label': `${title}, ${t('neuron.n', { n: i })}` }));
		return { node: box(el('div.gallery', images)), update: (d) => { const most = strongest(d); images.forEach((c, i) => paint(c, d.subarray(i * IMAGE, (i + 1) * IMAGE), 28, 28, { most })); } };
	}
}
