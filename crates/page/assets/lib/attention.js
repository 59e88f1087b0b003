// The attention of one head as a matrix: queries down, keys across, hidden keys in grey.

import { field, Matrix, put, row, select, show, t, times, visible } from './page.js';

const [GREATEST, LEGIBLE] = [340, 12]; // CSS pixels

// The number of a layer in its own part of the model: 1 of `decoder.1.cross_attn`.
export const layerOf = ({ label }) => label.split('.')[1];

// `data`: the weights of a head; `pick(i, j)` hears which is pointed at.
export function attention(inspection, { label, head }, data, pick = () => {}) {
	const group = inspection.groups.find((g) => g.labels.includes(label));
	const [rowNames, colNames] = [group.queries, group.keys].map((list) => list.map((x, i) => `${i} ${visible(x)}`));
	const [rows, cols] = [rowNames.length, colNames.length];
	const masked = (i, j) => j < (group.seen?.[i]?.[0] ?? 0) || j >= (group.seen?.[i]?.[1] ?? cols);
	const op = inspection.ops.find((o) => o.label === `${label}.weights`);
	const cell = Math.max(4, Math.min(26, Math.floor(GREATEST / Math.max(rows, cols))));
	return new Matrix({ rows, cols, data, most: 1, scale: 'share', masked, rowNames, colNames, cell, names: cell >= LEGIBLE,
		label: t('look.matrix', { l: layerOf({ label }), h: head }),
		pick: (i, j, value) => {
			pick(i, j);
			show({ name: t('look.weight', { q: rowNames[i], k: colNames[j] }), about: t(masked(i, j) ? 'look.masked' : 'look.about'), shape: op?.output, axes: op?.axes, equation: op?.equation, value, place: op?.caller });
		} });
}

// The choice of a layer and a head: `node`, and `set` for another inspection. `chosen(layer, head)` hears it.
export function headChoice(chosen) {
	const node = row();
	let [known, layer, head] = ['', null, null];
	const hear = () => chosen(Number(layer.value), Number(head.value));
	const set = ({ layers, heads }, l, h) => {
		if (known !== `${layers.length} ${heads}`) {
			known = `${layers.length} ${heads}`;
			[layer, head] = [layers.length, heads].map((n) => select(times(n, (i) => i), 0, hear));
			put(node, field('layer', layer), field('head', head));
		}
		[layer.value, head.value] = [l, h];
	};
	return { node, set };
}
